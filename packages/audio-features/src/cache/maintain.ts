/** @file Looking after a cache: is everything whole, how large is it, what may go. */
import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { readSafetensorsHeader } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { fileHash, listed, readShards, type StorePaths, storePaths, writeIndex } from "./store.ts";

/** Size of one feature in a cache. */
export interface FeatureSize {
  /** Folder name: the kind and a hash of its settings. */
  readonly feature: string;
  readonly clips: number;
  readonly shards: number;
  /** Clips that are not packed yet. */
  readonly loose: number;
  readonly bytes: number;
  /** Left behind by writers that were killed, or work in progress. */
  readonly temporaryBytes: number;
}

/** One damaged file. */
export interface CacheProblem {
  readonly file: string;
  readonly message: string;
  readonly removed: boolean;
}

/** Settings of {@link pruneCache}. */
export interface PruneOptions {
  /** Features (folder names or kinds) that stay; all by default. */
  readonly keep?: readonly string[];
  /** Oldest shards go until no more than this many bytes are left. */
  readonly maxBytes?: number;
  /** Shards written longer ago go, in days. */
  readonly olderThanDays?: number;
  /** Temporary files go when they are older than this many seconds (3600), which no writer at work has. */
  readonly temporarySeconds?: number;
  /** Only tell. */
  readonly dryRun?: boolean;
}

/** What {@link pruneCache} removed (or would). */
export interface PruneSummary {
  readonly files: number;
  readonly bytes: number;
}

/** Whether a file is a writer's work, done or not. */
const isTemporary = (paths: StorePaths, file: string): boolean => file.startsWith(paths.work + sep);

async function stores(folder: string): Promise<StorePaths[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new EmosllmError("usage", `${folder}: ${cause.code === "ENOENT" ? "no such cache folder" : cause.message}`, {
      cause,
    });
  });
  const names = entries.filter((e) => e.isDirectory() && /-[0-9a-f]{12}$/.test(e.name)).map((e) => e.name);
  return names.sort().map((name) => storePaths(join(folder, name)));
}

interface FileInfo {
  readonly file: string;
  readonly name: string;
  readonly bytes: number;
  readonly writtenMs: number;
}

async function allFiles({ folder }: StorePaths): Promise<FileInfo[]> {
  const out: FileInfo[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    const file = join(entry.parentPath, entry.name);
    const info = entry.isFile() ? await stat(file).catch(() => undefined) : undefined;
    if (info) out.push({ file, name: entry.name, bytes: info.size, writtenMs: info.mtimeMs });
  }
  return out;
}

const nameOf = (paths: StorePaths): string => paths.folder.replace(/^.*[/\\]/, "");

/** How much each feature of the cache takes. @throws EmosllmError `usage` when there is no such folder. */
export async function cacheSizes(folder: string): Promise<FeatureSize[]> {
  const out: FeatureSize[] = [];
  for (const paths of await stores(folder)) {
    const files = await allFiles(paths);
    const shards = await readShards(paths);
    const loose = (await listed(paths.loose)).map((name) => name.replace(".safetensors", ""));
    const keys = new Set(
      [...[...shards.values()].flatMap((shard) => Object.keys(shard.keys)), ...loose].map((name) => name.slice(0, 64)),
    );
    out.push({
      feature: nameOf(paths),
      clips: keys.size,
      shards: shards.size,
      loose: loose.length,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      temporaryBytes: files.filter(({ file }) => isTemporary(paths, file)).reduce((sum, { bytes }) => sum + bytes, 0),
    });
  }
  return out;
}

/**
 * Reads every byte: each shard's content must hash to its name, each loose file must be whole.
 * @param options.repair removes damaged files; the next build computes what was in them again.
 */
export async function verifyCache(
  folder: string,
  options: { repair?: boolean; onFile?: (file: string) => void } = {},
): Promise<CacheProblem[]> {
  const { repair = false } = options;
  const problems: CacheProblem[] = [];
  for (const paths of await stores(folder)) {
    const check = async (file: string, expectedHash?: string): Promise<void> => {
      options.onFile?.(file);
      const message = await damageOf(file, expectedHash);
      if (message === undefined) return;
      if (repair) await rm(file, { force: true });
      problems.push({ file, message, removed: repair });
    };
    for (const name of await listed(paths.shards))
      await check(join(paths.shards, name), name.replace(".safetensors", ""));
    for (const name of await listed(paths.loose)) await check(join(paths.loose, name));
    if (repair) await writeIndex(paths, new Map());
  }
  return problems;
}

async function damageOf(file: string, expectedHash?: string): Promise<string | undefined> {
  try {
    const header = await readSafetensorsHeader(file);
    if (expectedHash === undefined) {
      const key = file.replace(/^.*[/\\]/, "").replace(".safetensors", "");
      return header.tensors.has(key) ? undefined : `does not hold ${key}`;
    }
    const hash = await fileHash(file);
    return hash.startsWith(expectedHash) ? undefined : `its content hashes to ${hash.slice(0, 32)}, not to its name`;
  } catch (error) {
    const { message } = error as Error;
    return message.startsWith(`${file}: `) ? message.slice(file.length + 2) : message;
  }
}

/** Removes writers' folders in which nothing is left. */
async function removeEmpty({ work }: StorePaths): Promise<void> {
  for (const name of await readdir(work).catch(() => [])) await rmdir(join(work, name)).catch(() => {});
  await rmdir(work).catch(() => {});
}

/** Shards of which every key lies in another shard that stays: left when a clip that failed at first was computed later. */
async function redundantShards(paths: StorePaths): Promise<Set<string>> {
  const shards = await readShards(paths);
  const copies = new Map<string, number>();
  for (const { keys } of shards.values())
    for (const key of Object.keys(keys)) copies.set(key, (copies.get(key) ?? 0) + 1);
  const out = new Set<string>();
  for (const [name, { keys }] of [...shards].sort(([, a], [, b]) => a.bytes - b.bytes)) {
    const all = Object.keys(keys);
    if (!all.every((key) => copies.get(key)! > 1)) continue;
    for (const key of all) copies.set(key, copies.get(key)! - 1);
    out.add(name);
  }
  return out;
}

/** Removes what nobody needs: leftovers of killed writers, shards whose clips lie in others too, features not kept, old shards. Readers at work find less, never damage. */
export async function pruneCache(folder: string, options: PruneOptions = {}): Promise<PruneSummary> {
  const { keep, maxBytes = Infinity, olderThanDays = Infinity, temporarySeconds = 3600, dryRun = false } = options;
  const now = Date.now();
  const gone: FileInfo[] = [];
  const shards: FileInfo[] = [];
  for (const paths of await stores(folder)) {
    const name = nameOf(paths);
    const kept = !keep || keep.some((wanted) => wanted === name || wanted === name.slice(0, -13));
    const files = await allFiles(paths);
    if (!kept) {
      gone.push(...files);
      if (!dryRun) await rm(paths.folder, { recursive: true, force: true });
      continue;
    }
    const redundant = await redundantShards(paths);
    for (const file of files) {
      if (redundant.has(file.name)) gone.push(file);
      else if (isTemporary(paths, file.file)) {
        if (now - file.writtenMs > temporarySeconds * 1000) gone.push(file);
      } else if (file.name.endsWith(".safetensors")) {
        if (now - file.writtenMs > olderThanDays * 86_400_000) gone.push(file);
        else shards.push(file);
      }
    }
  }
  let left = shards.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const file of shards.sort((a, b) => a.writtenMs - b.writtenMs || (a.file < b.file ? -1 : 1))) {
    if (left <= maxBytes) break;
    gone.push(file);
    left -= file.bytes;
  }
  if (!dryRun) {
    for (const { file } of gone) await rm(file, { force: true });
    for (const paths of await stores(folder)) await removeEmpty(paths);
    if (gone.length > 0) for (const paths of await stores(folder)) await writeIndex(paths, new Map());
  }
  return { files: gone.length, bytes: gone.reduce((sum, { bytes }) => sum + bytes, 0) };
}
