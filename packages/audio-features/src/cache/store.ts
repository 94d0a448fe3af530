/** @file The files of one feature's folder: `feature.json`, `shards/HASH.safetensors` (named by their content), `loose/KEY.safetensors`, `index.json`. */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { readSafetensorsHeader, type TensorSource } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";

/** The parts of a feature's folder. */
export interface StorePaths {
  readonly folder: string;
  readonly shards: string;
  readonly loose: string;
  /** Where writers prepare files, each in a folder of its own. */
  readonly work: string;
  readonly index: string;
  readonly description: string;
}

/** Where things lie below `folder`. */
export const storePaths = (folder: string): StorePaths => ({
  folder,
  shards: join(folder, "shards"),
  loose: join(folder, "loose"),
  work: join(folder, "work"),
  index: join(folder, "index.json"),
  description: join(folder, "feature.json"),
});

/** Where one tensor of a shard lies. */
export interface Place {
  readonly file: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** One shard of `index.json`: bytes, and offset and shape of each key. */
interface IndexedShard {
  readonly bytes: number;
  readonly keys: Readonly<Record<string, readonly [offset: number, ...shape: number[]]>>;
}
interface IndexFile {
  readonly version: 1;
  readonly shards: Readonly<Record<string, IndexedShard>>;
}

/** Shard files and their contents, by file name. */
export type Shards = Map<string, IndexedShard>;

const SUFFIX = ".safetensors";
const BYTES_PER_VALUE = 4;

const missing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

/** An error that says how to mend a cache. */
export const corrupt = (file: string, reason: string, cause?: unknown): EmosllmError =>
  new EmosllmError(
    "cache_corrupt",
    `${file}: ${reason}; \`emosllm features verify DIR --repair\` removes what is damaged`,
    {
      cause,
      details: { file },
    },
  );

/** File names in `folder` that end in `suffix` and are nobody's work in progress; none when there is no folder. */
export async function listed(folder: string, suffix: string = SUFFIX): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (missing(error)) return [];
    throw error;
  });
  return names.filter((name) => name.endsWith(suffix) && !name.startsWith(".")).sort();
}

/** A writer's own folder below `work`: its name says whose it is. */
export const writerFolder = (paths: StorePaths): string =>
  join(paths.work, `${hostname()}.${process.pid}.${randomBytes(6).toString("hex")}`);

const TRIES = 100;

/** Makes a folder of {@link writerFolder}. The last writer removes `work`, perhaps just now: then it is made again. */
export async function makeWriterFolder(paths: StorePaths, folder: string): Promise<void> {
  // not `recursive`: Node fails with ENOTDIR when the parent goes while it looks
  for (let i = 1; ; i++) {
    try {
      await mkdir(paths.work).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
      await mkdir(folder);
      return;
    } catch (error) {
      if (i === TRIES || !missing(error)) throw error;
    }
  }
}

/** Removes what writers of this machine that are no more have left behind. */
export async function removeAbandoned(paths: StorePaths): Promise<void> {
  for (const name of await readdir(paths.work).catch(() => [])) {
    const match = /^(.*)\.(\d+)\.[0-9a-f]{12}$/.exec(name);
    if (match?.[1] !== hostname() || isAlive(Number(match[2]))) continue;
    await rm(join(paths.work, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: somebody else's process.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Writes `text` to `file`, completely or not at all. */
export async function publishText(paths: StorePaths, file: string, text: string): Promise<void> {
  const folder = writerFolder(paths);
  const temporary = join(folder, "text");
  try {
    await makeWriterFolder(paths, folder);
    const handle = await open(temporary, "wx");
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    throw diskFull(file, cause);
  } finally {
    await removeWriterFolder(paths, folder);
  }
}

/** Removes a writer's folder, and `work` with the last of them. */
export async function removeWriterFolder(paths: StorePaths, folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await rmdir(paths.work).catch(() => {});
}

/** `cause`, or a `disk_full` error when that is what it says. */
export function diskFull(file: string, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  if (code !== "ENOSPC" && code !== "EDQUOT") return cause;
  return new EmosllmError(
    "disk_full",
    `${file}: no space left on the device; what the cache held before is still good`,
    {
      cause,
      details: { file },
    },
  );
}

/** SHA-256 of a file, in hex. */
export async function fileHash(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest("hex");
}

async function readIndex(file: string): Promise<IndexFile["shards"]> {
  try {
    const value = JSON.parse(await readFile(file, "utf8")) as IndexFile;
    return value.version === 1 && typeof value.shards === "object" ? value.shards : {};
  } catch {
    // The index only saves reading the shards' headers; without it they are read.
    return {};
  }
}

/** What one shard holds, from its header. */
async function readShard(file: string): Promise<IndexedShard> {
  const header = await readSafetensorsHeader(file).catch((cause: Error) => {
    throw corrupt(file, `the shard cannot be read (${cause.message})`, cause);
  });
  const keys = [...header.tensors.values()].map((t: TensorSource) => {
    if (t.dtype !== "f32") throw corrupt(file, `tensor ${t.name} is ${t.dtype}, not f32`);
    return [t.name, [t.offset, ...t.shape]] as const;
  });
  return { bytes: header.fileSize, keys: Object.fromEntries(keys.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/** Every shard that lies in the folder now: known ones from `known` or the index, others from their headers. */
export async function readShards(paths: StorePaths, known: Shards = new Map()): Promise<Shards> {
  const names = await listed(paths.shards);
  const index = names.every((name) => known.has(name)) ? {} : await readIndex(paths.index);
  const shards: Shards = new Map();
  for (const name of names) {
    const shard = known.get(name) ?? index[name] ?? (await readShard(join(paths.shards, name)).catch(goneOrThrow));
    if (shard) shards.set(name, shard);
  }
  return shards;
}

/** A shard may be pruned between listing and reading. */
function goneOrThrow(error: Error): undefined {
  if (missing((error.cause as Error)?.cause ?? error)) return undefined;
  throw error;
}

/** Writes `index.json` for what lies there, again until nothing has come in between: the last writer's index is complete. */
export async function writeIndex(paths: StorePaths, shards: Shards): Promise<Shards> {
  for (let current = shards; ;) {
    current = await readShards(paths, current);
    const index: IndexFile = { version: 1, shards: Object.fromEntries(current) };
    await publishText(paths, paths.index, `${JSON.stringify(index)}\n`);
    const now = await listed(paths.shards);
    if (now.length === current.size && now.every((name) => current.has(name))) return current;
  }
}

/** Where each key lies. */
export function places(paths: StorePaths, shards: Shards): Map<string, Place> {
  const out = new Map<string, Place>();
  for (const [name, { keys }] of shards)
    for (const [key, [offset, ...shape]] of Object.entries(keys)) {
      const length = shape.reduce((n, d) => n * d, 1) * BYTES_PER_VALUE;
      out.set(key, { file: join(paths.shards, name), shape, offset, length });
    }
  return out;
}

/** Makes the folders. */
export async function makeStore(paths: StorePaths): Promise<void> {
  try {
    await mkdir(paths.shards, { recursive: true });
    await mkdir(paths.loose, { recursive: true });
  } catch (cause) {
    throw diskFull(paths.folder, cause);
  }
}
