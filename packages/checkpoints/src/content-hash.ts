/**
 * @file SHA-256 of files, remembered. A cache made from a file must never outlive the file's content, but hashing 6 GB takes
 * seconds at every start. As git's index does, a hash is remembered beside the file's size, inode, modification and status-change time
 * (which no ordinary program can set back), plus a hash of its beginning and of 64 pages spread over it, for file systems that
 * do not keep those. Anything different, and the file is hashed again. A file changed within two seconds before
 * hashing is not remembered: its next change could carry the same times.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { invalid, unreadable } from "./errors.ts";
import { publish, readInto, writeFully } from "./file.ts";
import { runUnits } from "./pack-worker.ts";
import { readTensor } from "./read.ts";
import type { TensorSource } from "./source.ts";

interface Remembered {
  readonly identity: string;
  readonly sample: string;
  readonly sha256: string;
}

const RACY_MS = 2000;
const SAMPLES = 64;
const PAGE = 4096;
const HEAD = 256 * 1024;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** What the file system says of a file; equal before and after means that nobody wrote to it meanwhile. */
async function identityOf(file: string): Promise<{ identity: string; changedMs: number; size: number }> {
  const s = await stat(file, { bigint: true }).catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  const changed = s.mtimeNs > s.ctimeNs ? s.mtimeNs : s.ctimeNs;
  return {
    identity: [s.dev, s.ino, s.size, s.mtimeNs, s.ctimeNs].join(":"),
    changedMs: Number(changed / 1_000_000n),
    size: Number(s.size),
  };
}

async function sampleOf(file: string, size: number): Promise<string> {
  const handle = await open(file, "r");
  try {
    const hash = createHash("sha256").update(String(size));
    const buffer = Buffer.alloc(HEAD);
    const take = async (at: number, length: number): Promise<void> => {
      const part = buffer.subarray(0, Math.min(length, size - at));
      await readInto(handle, file, at, part);
      hash.update(part);
    };
    await take(0, HEAD);
    for (let i = 1; i <= SAMPLES; i++) await take(Math.floor((Math.max(0, size - PAGE) * i) / SAMPLES), PAGE);
    return hash.digest("hex");
  } finally {
    await handle.close();
  }
}

/**
 * The SHA-256 of each file's content, in lower-case hex.
 *
 * @param memory a folder in which hashes are remembered.
 * @throws `checkpoint_invalid` when a file changes while it is read, `checkpoint_not_found`.
 */
export async function contentHashes(
  files: readonly string[],
  {
    memory,
    threads = 1,
    signal,
  }: { memory?: string | undefined; threads?: number; signal?: AbortSignal | undefined } = {},
): Promise<Map<string, string>> {
  const known = new Map<string, string>();
  const unknown: { file: string; before: Awaited<ReturnType<typeof identityOf>>; startedMs: number }[] = [];
  for (const file of new Set(files)) {
    const before = await identityOf(file);
    const remembered = memory === undefined ? undefined : await recall(memory, file);
    if (remembered?.identity === before.identity && remembered.sample === (await sampleOf(file, before.size)))
      known.set(file, remembered.sha256);
    else unknown.push({ file, before, startedMs: Date.now() });
  }
  const hashes = await runUnits(
    unknown.map(({ file }) => ({ kind: "hash", file })),
    { threads, signal },
  );
  for (const [i, { file, before, startedMs }] of unknown.entries()) {
    if ((await identityOf(file)).identity !== before.identity) throw invalid({ file }, "was changed while it was read");
    known.set(file, hashes[i]!);
    if (memory !== undefined && startedMs - before.changedMs > RACY_MS)
      await remember(memory, file, {
        identity: before.identity,
        sample: await sampleOf(file, before.size),
        sha256: hashes[i]!,
      }).catch(() => undefined); // a cache that cannot be written only costs the time to hash again
  }
  return known;
}

/** The SHA-256 of one tensor's dtype, shape and values in row order: equal whatever file format and place it is stored in. */
export async function hashTensor(source: TensorSource): Promise<string> {
  const values = await readTensor(source);
  return createHash("sha256")
    .update(`${source.dtype}[${source.shape.join(",")}]`)
    .update(new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength))
    .digest("hex");
}

const placeOf = (memory: string, file: string): string => join(memory, `${sha256(file)}.json`);

async function recall(memory: string, file: string): Promise<Remembered | undefined> {
  try {
    return JSON.parse(await readFile(placeOf(memory, file), "utf8")) as Remembered;
  } catch {
    return undefined; // not there, or damaged: hashing again is always right
  }
}

async function remember(memory: string, file: string, entry: Remembered): Promise<void> {
  await mkdir(memory, { recursive: true });
  const bytes = Buffer.from(JSON.stringify({ file, ...entry }));
  await publish(placeOf(memory, file), (handle) => writeFully(handle, bytes, 0));
}
