/** @file Bytes from anywhere (path, memory, stream, a byte range of a file), read by position so that a time range needs no more. */
import { open } from "node:fs/promises";
import { type AudioClip, EmosllmError } from "@emosllm/interfaces";

/** Bytes that can be read by position. `name` is what errors call it. */
export interface ByteSource extends AsyncDisposable {
  readonly name: string;
  readonly size: number;
  /** Set where the source is one whole file on disk. */
  readonly path?: string;
  /** `length` bytes from `offset`, fewer where the source ends. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** What can be decoded: a path, bytes, a clip, or a stream of bytes (web `ReadableStream` or Node `Readable`). */
export type AudioSource = string | Uint8Array | AudioClip | AsyncIterable<Uint8Array>;

/** Whether `source` is a reference to sound in a file rather than bytes. */
export const isClip = (source: AudioSource): source is AudioClip =>
  typeof source === "object" && "path" in source && typeof source.path === "string";

/** An `audio_decode` error that names the source. */
export const decodeError = (source: { readonly name: string }, reason: string, cause?: unknown): EmosllmError =>
  new EmosllmError("audio_decode", `${source.name}: ${reason}`, { cause, details: { file: source.name } });

/**
 * Opens `source` for reading by position; streams are read to their end first.
 * @throws EmosllmError `audio_decode` when a file cannot be opened, a byte range lies outside it, or a stream exceeds `maxBytes`.
 */
export async function openSource(
  source: AudioSource,
  options: { name?: string; maxBytes?: number } = {},
): Promise<ByteSource> {
  const { maxBytes = 2 ** 32 } = options;
  if (typeof source === "string") return fileSource(source, options.name);
  if (source instanceof Uint8Array) return bytesSource(source, options.name ?? "audio bytes");
  if (isClip(source) && source.container !== undefined && source.byteOffset === undefined)
    throw new EmosllmError(
      "not_supported",
      `${source.path}: the clip is ${source.member ?? "a member"} of a ${source.container} container; ` +
        "read its bytes with readClipBytes of @emosllm/datasets and decode those",
    );
  if (isClip(source)) return fileSource(source.path, options.name, source.byteOffset, source.byteLength);
  return bytesSource(await collect(source, options.name ?? "audio stream", maxBytes), options.name ?? "audio stream");
}

function bytesSource(bytes: Uint8Array, name: string): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, Math.max(offset, offset + length)),
    [Symbol.asyncDispose]: async () => {},
  };
}

async function fileSource(path: string, name = path, offset = 0, length?: number): Promise<ByteSource> {
  const file = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === "ENOENT" ? "no such file" : cause.message;
    throw decodeError({ name }, reason, cause);
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw decodeError({ name }, "is not a regular file");
    if (offset + (length ?? 0) > stat.size || offset > stat.size)
      throw decodeError(
        { name },
        `bytes ${offset} to ${offset + (length ?? 0)} lie outside the file (${stat.size} bytes)`,
      );
    const size = length ?? stat.size - offset;
    const whole = offset === 0 && size === stat.size;
    return {
      name: whole ? name : `${name} (bytes ${offset}+${size})`,
      size,
      ...(whole ? { path } : {}),
      read: (at, count) => readFully(file, name, offset + at, Math.min(count, size - at)),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readFully(
  file: Awaited<ReturnType<typeof open>>,
  name: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  if (length <= 0) return new Uint8Array(0);
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done).catch((cause: Error) => {
      throw decodeError({ name }, cause.message, cause);
    });
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

async function collect(stream: AsyncIterable<Uint8Array>, name: string, maxBytes: number): Promise<Uint8Array> {
  if (typeof stream?.[Symbol.asyncIterator] !== "function")
    throw new EmosllmError(
      "usage",
      `cannot read audio from ${typeof stream}: give a path, a Uint8Array, a clip { path, start, end } or a byte stream`,
    );
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of stream) {
    if (!(part instanceof Uint8Array)) throw decodeError({ name }, "the stream gives something other than bytes");
    size += part.length;
    if (size > maxBytes) throw decodeError({ name }, `longer than ${maxBytes} bytes (maxBytes)`);
    parts.push(part);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
