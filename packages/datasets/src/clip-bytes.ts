/** @file The bytes of a clip wherever it lies: a file, a tar member, a member of a tar.gz, a Parquet cell. */
import { open, readFile } from "node:fs/promises";
import { type AudioClip, EmosllmError } from "@emosllm/interfaces";
import { chunkSource, fileSource, gunzipFile } from "./byte-source.ts";
import { isNested, nestedChunks, nestedPrefix } from "./corpus-files.ts";
import { parquetCellBytes } from "./manifests/parquet-cells.ts";
import { type ByteSource, memberBytes, tarMembers } from "./tar.ts";

/**
 * The whole sound file that a clip lies in (`start`, `end` and `channel` are for the decoder).
 * A member of a `.tar.gz` costs a pass over the archive: for many of them use {@link streamClipBytes}.
 * @throws EmosllmError `corpus_not_found` when the file or member is not there.
 */
export async function readClipBytes(clip: AudioClip): Promise<Uint8Array> {
  try {
    if (clip.container === "parquet") return await parquetCellBytes(clip.path, clip.member ?? "");
    if (clip.byteOffset !== undefined && clip.byteLength !== undefined)
      return await readRange(clip.path, clip.byteOffset, clip.byteLength);
    if (clip.container === undefined) return await readFile(clip.path);
  } catch (cause) {
    if (cause instanceof EmosllmError) throw cause;
    throw new EmosllmError("corpus_not_found", `${clip.path}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  for await (const found of streamClipBytes([clip])) return found.bytes;
  throw new EmosllmError("corpus_not_found", `${clip.path}: no member ${clip.member}`);
}

async function readRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await file.read(bytes, 0, length, offset);
    if (bytesRead < length)
      throw new EmosllmError(
        "corpus_invalid",
        `${path}: ends ${length - bytesRead} bytes inside a member at ${offset}`,
      );
    return bytes;
  } finally {
    await file.close();
  }
}

/** The bytes of many clips, archives in one pass each; the order is that of the archives, then of the other clips. */
export async function* streamClipBytes<C extends AudioClip>(
  clips: Iterable<C>,
): AsyncGenerator<{ clip: C; bytes: Uint8Array }> {
  const archives = new Map<string, Map<string, C[]>>();
  const others: C[] = [];
  for (const clip of clips) {
    if ((clip.container === "tar.gz" || (clip.container === "tar" && clip.byteOffset === undefined)) && clip.member) {
      let members = archives.get(clip.path);
      if (!members) archives.set(clip.path, (members = new Map()));
      const same = members.get(clip.member);
      if (same) same.push(clip);
      else members.set(clip.member, [clip]);
    } else others.push(clip);
  }
  for (const [path, members] of archives) {
    for await (const { name, bytes } of wantedMembers(path, members)) {
      for (const clip of members.get(name) ?? []) yield { clip, bytes };
      members.delete(name);
      if (members.size === 0) break;
    }
    const [missing] = members.keys();
    if (missing !== undefined) throw new EmosllmError("corpus_not_found", `${path}: no member ${missing}`);
  }
  for (const clip of others) yield { clip, bytes: await readClipBytes(clip) };
}

type Found = { name: string; bytes: Uint8Array };

async function* wantedMembers(path: string, wanted: ReadonlyMap<string, unknown>): AsyncGenerator<Found> {
  if (/\.tar$/i.test(path)) {
    const file = await open(path);
    try {
      yield* membersOf(fileSource(file, (await file.stat()).size), path, "", wanted);
    } finally {
      await file.close();
    }
  } else yield* membersOf(chunkSource(gunzipFile(path)), path, "", wanted);
}

async function* membersOf(
  source: ByteSource,
  path: string,
  prefix: string,
  wanted: ReadonlyMap<string, unknown>,
): AsyncGenerator<Found> {
  for await (const member of tarMembers(source, path)) {
    const name = prefix + member.path;
    if (wanted.has(name)) yield { name, bytes: await memberBytes(member) };
    else if (isNested(member.path)) {
      const inner = chunkSource(nestedChunks(member));
      yield* membersOf(inner, `${path}!${name}`, nestedPrefix(name), wanted);
      await inner.skip(Infinity);
    }
  }
}
