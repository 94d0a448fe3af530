/** @file Two byte sources for archives: a file that can seek, and any stream of chunks (a gzip stream cannot seek). */
import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { PassThrough, Readable, pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { EmosllmError } from "@emosllm/interfaces";
import type { ByteSource } from "./tar.ts";

/** Only the padding after the last member may be missing at an archive's end. */
const PADDING = 511;
const cutShort = (missing: number): EmosllmError =>
  new EmosllmError("corpus_invalid", `the archive is cut short: at least ${missing} bytes are missing`);

/** Reads at a moving position of an open file. */
export function fileSource(file: FileHandle, size: number): ByteSource {
  let position = 0;
  return {
    get position() {
      return position;
    },
    async read(length) {
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - position)));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
      position += bytesRead;
      return bytes.subarray(0, bytesRead);
    },
    async skip(length) {
      if (position + length > size + PADDING) throw cutShort(position + length - size - PADDING);
      position += length;
    },
  };
}

/** Reads chunks as they come; skipping reads and drops. */
export function chunkSource(chunks: AsyncIterable<Uint8Array>): ByteSource {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  let position = 0;
  const more = async (): Promise<boolean> => {
    while (rest.length === 0) {
      const next = await iterator.next();
      if (next.done) return false;
      rest = next.value;
    }
    return true;
  };
  const take = (length: number): Uint8Array => {
    const part = rest.subarray(0, length);
    rest = rest.subarray(part.length);
    position += part.length;
    return part;
  };
  return {
    get position() {
      return position;
    },
    async read(length) {
      const parts: Uint8Array[] = [];
      let missing = length;
      while (missing > 0 && (await more())) {
        const part = take(missing);
        parts.push(part);
        missing -= part.length;
      }
      return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
    },
    async skip(length) {
      let left = length;
      while (left > 0 && (await more())) left -= take(left).length;
      if (Number.isFinite(left) && left > PADDING) throw cutShort(left - PADDING);
    },
  };
}

/** The decompressed chunks of a gzip stream; an error of the source ends the result with that error. */
export function gunzipChunks(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const out = new PassThrough();
  pipeline(Readable.from(chunks), createGunzip(), out, () => {});
  return out;
}

/** The decompressed chunks of a gzip file. */
export function gunzipFile(path: string): AsyncIterable<Uint8Array> {
  return gunzipChunks(createReadStream(path, { highWaterMark: 1 << 18 }));
}
