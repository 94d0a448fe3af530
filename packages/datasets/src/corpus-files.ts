/** @file One view of a release, whether it lies in a folder, in a tar archive (members read in place) or in a tar.gz (one streaming pass). */
import { type Dirent, existsSync, statSync } from "node:fs";
import { open, readFile, readdir } from "node:fs/promises";
import { join, posix } from "node:path";
import { type AudioClip, EmosllmError } from "@emosllm/interfaces";
import { chunkSource, fileSource, gunzipChunks, gunzipFile } from "./byte-source.ts";
import { type ByteSource, type TarMember, memberBytes, tarMembers } from "./tar.ts";

/** A name in a folder; sizes are known for archives only. */
export interface FileEntry {
  name: string;
  folder: boolean;
  size?: number;
}

/** Paths are relative to the release's root, with forward slashes. */
export interface CorpusFiles {
  readonly root: string;
  /** Sorted by name; empty for a folder that is not there. */
  list(folder: string): Promise<FileEntry[]>;
  has(path: string): boolean;
  read(path: string): Promise<Uint8Array>;
  clip(path: string): AudioClip;
  /** As shown to people. */
  display(path: string): string;
}

const byName = (a: FileEntry, b: FileEntry): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** Opens a folder, a `.tar` or a `.tar.gz`/`.tgz`. @throws EmosllmError `corpus_not_found`, `corpus_invalid`. */
export async function openCorpusFiles(root: string): Promise<CorpusFiles> {
  const found = statSync(root, { throwIfNoEntry: false });
  if (!found) throw new EmosllmError("corpus_not_found", `${root}: no such folder or archive`);
  if (found.isDirectory()) return folderFiles(root);
  if (/\.tar$/i.test(root)) {
    const file = await open(root);
    try {
      return await tarFiles(root, "tar", fileSource(file, found.size));
    } finally {
      await file.close();
    }
  }
  if (/\.(tar\.gz|tgz)$/i.test(root)) {
    try {
      return await tarFiles(root, "tar.gz", chunkSource(gunzipFile(root)));
    } catch (cause) {
      if (cause instanceof EmosllmError) throw cause;
      throw new EmosllmError("corpus_invalid", `${root}: broken gzip stream: ${(cause as Error).message}`, { cause });
    }
  }
  throw new EmosllmError("corpus_invalid", `${root}: neither a folder nor a .tar, .tar.gz or .tgz archive`);
}

function folderFiles(root: string): CorpusFiles {
  const base = join(root, "/");
  return {
    root,
    async list(folder) {
      let entries: Dirent[];
      try {
        entries = await readdir(join(root, folder), { withFileTypes: true });
      } catch (error) {
        if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
        throw error;
      }
      return entries
        .map((e) => ({
          name: e.name,
          folder: e.isSymbolicLink()
            ? (statSync(join(root, folder, e.name), { throwIfNoEntry: false })?.isDirectory() ?? false)
            : e.isDirectory(),
        }))
        .sort(byName);
    },
    has: (path) => existsSync(join(root, path)),
    read: (path) => readFile(join(root, path)),
    clip: (path) => ({ path: base + path }),
    display: (path) => base + path,
  };
}

interface Indexed {
  offset: number;
  size: number;
  bytes?: Uint8Array;
}

/** Text members of a stream that cannot seek are kept, since they will be asked for. */
const isAnnotation = (path: string): boolean => /\.(txt|csv|tsv|json|jsonl)$/i.test(path);

async function tarFiles(root: string, container: "tar" | "tar.gz", source: ByteSource): Promise<CorpusFiles> {
  const members = new Map<string, Indexed>();
  await index(source, root, "", container === "tar.gz", members);
  const folders = new Map<string, Map<string, FileEntry>>([["", new Map()]]);
  for (const [path, { size }] of members) {
    const parts = path.split("/");
    for (let i = 0; i < parts.length; i++) {
      const parent = parts.slice(0, i).join("/");
      const name = parts[i] as string;
      const last = i === parts.length - 1;
      let entries = folders.get(parent);
      if (!entries) folders.set(parent, (entries = new Map()));
      if (!entries.has(name)) entries.set(name, last ? { name, folder: false, size } : { name, folder: true });
    }
  }
  const clean = (path: string): string => (posix.normalize(path) === "." ? "" : posix.normalize(path));
  const get = (path: string): Indexed => {
    const found = members.get(clean(path));
    if (!found) throw new EmosllmError("corpus_invalid", `${root}: no member ${path}`);
    return found;
  };
  return {
    root,
    list: async (folder) => [...(folders.get(clean(folder).replace(/\/$/, ""))?.values() ?? [])].sort(byName),
    has: (path) => members.has(clean(path)) || folders.has(clean(path)),
    async read(path) {
      const { bytes, offset, size } = get(path);
      if (bytes) return bytes;
      if (container === "tar.gz")
        throw new EmosllmError("corpus_invalid", `${root}: ${path} was not kept while streaming`);
      const file = await open(root);
      try {
        const out = Buffer.alloc(size);
        await file.read(out, 0, size, offset);
        return out;
      } finally {
        await file.close();
      }
    },
    clip(path) {
      const { offset, size } = get(path);
      const clip: AudioClip = { path: root, container, member: clean(path) };
      return container === "tar" ? { ...clip, byteOffset: offset, byteLength: size } : clip;
    },
    display: (path) => `${root}!${clean(path)}`,
  };
}

/** Goes down into archives inside a gzip stream too (MELD.Raw.tar.gz holds train.tar.gz); their members show as if unpacked in place. */
async function index(
  source: ByteSource,
  name: string,
  prefix: string,
  keep: boolean,
  members: Map<string, Indexed>,
): Promise<void> {
  for await (const member of tarMembers(source, name)) {
    const path = prefix + member.path;
    if (keep && isNested(member.path)) {
      const inner = chunkSource(nestedChunks(member));
      await index(inner, `${name}!${path}`, nestedPrefix(path), keep, members);
      await inner.skip(Infinity); // the decompressor reads ahead: let it finish before the outer archive goes on
      continue;
    }
    const entry: Indexed = { offset: member.offset, size: member.size };
    if (keep && isAnnotation(path)) entry.bytes = await memberBytes(member);
    members.set(path, entry);
  }
}

/** True for an archive inside an archive. */
export const isNested = (path: string): boolean => /\.(tar\.gz|tgz)$/i.test(path);
/** `a/train.tar.gz` -> `a/`: where the inner members are shown. */
export const nestedPrefix = (path: string): string => (path.includes("/") ? `${posix.dirname(path)}/` : "");
/** The decompressed bytes of an inner archive. */
export const nestedChunks = (member: TarMember): AsyncIterable<Uint8Array> => gunzipChunks(member.chunks());
