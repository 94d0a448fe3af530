/** @file What all loaders share: their options, and small helpers for the folders they walk. */
import type { CorpusProblem, Utterance } from "@emosllm/interfaces";
import type { CorpusFiles, FileEntry } from "./corpus-files.ts";
import { type OnProblem, problem } from "./problems.ts";

/** Options of every loader. */
export interface LoaderOptions {
  /** Called for everything odd, as it is met. */
  onProblem?: OnProblem;
  /** Also gives clips that no annotation labels; they have no `label`. Default false. */
  keepUnlabelled?: boolean;
  /** Also gives annotated turns whose sound file is not there. Default false. */
  keepMissing?: boolean;
}

/** An array of everything an iterable gives. */
export async function collect<T>(items: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

/** The entries of a folder without AppleDouble files (reported) and other dot files. */
export async function cleanList(files: CorpusFiles, folder: string, onProblem?: OnProblem): Promise<FileEntry[]> {
  const out: FileEntry[] = [];
  for (const entry of await files.list(folder)) {
    if (entry.name.startsWith("._"))
      onProblem?.(
        problem("apple_double", "AppleDouble file skipped", { path: files.display(join(folder, entry.name)) }),
      );
    else if (!entry.name.startsWith(".") && entry.name !== "__MACOSX") out.push(entry);
  }
  return out;
}

/** Joins release paths. */
export const join = (...parts: readonly string[]): string => parts.filter((p) => p !== "").join("/");

/** The first of `candidates` that exists; candidates are tried in the root and in each folder directly below it. */
export async function findFolder(files: CorpusFiles, candidates: readonly string[]): Promise<string | undefined> {
  for (const c of candidates) if (files.has(c)) return c;
  for (const entry of await files.list(""))
    if (entry.folder) for (const c of candidates) if (files.has(join(entry.name, c))) return join(entry.name, c);
  return undefined;
}

/** All files below a folder, depth first, in order. */
export async function* walk(
  files: CorpusFiles,
  folder: string,
  onProblem?: OnProblem,
): AsyncGenerator<{ path: string; name: string; folder: string }> {
  for (const entry of await cleanList(files, folder, onProblem)) {
    const path = join(folder, entry.name);
    if (entry.folder) yield* walk(files, path, onProblem);
    else yield { path, name: entry.name, folder };
  }
}

/** A loader: a root (folder or archive) and options to utterances, lazily. */
export type Loader = (root: string, options?: LoaderOptions) => AsyncIterable<Utterance>;

/** Keeps the first of each id and reports the others. */
export function uniqueIds(
  onProblem?: (p: CorpusProblem) => void,
): (id: string, path: string, line?: number) => boolean {
  const seen = new Set<string>();
  return (id, path, line) => {
    if (!seen.has(id)) {
      seen.add(id);
      return true;
    }
    onProblem?.(problem("duplicate_id", `${id} occurs a second time; the first is kept`, { id, path, line }));
    return false;
  };
}

/**
 * The same for manifests, where one id in two parts is a leak that must not vanish: such a row is kept under the id `id#part`.
 * Gives the utterance to keep, or nothing for a plain repetition.
 */
export function uniqueRows(
  onProblem?: (p: CorpusProblem) => void,
): (u: Utterance, path: string, line?: number) => Utterance | undefined {
  const parts = new Map<string, string | undefined>();
  return (u, path, line) => {
    if (!parts.has(u.id)) {
      parts.set(u.id, u.split);
      return u;
    }
    const at = { id: u.id, path, line };
    const named = `${u.id}#${u.split}`;
    if (u.split === parts.get(u.id) || u.split === undefined || parts.has(named)) {
      onProblem?.(problem("duplicate_id", `${u.id} occurs a second time; the first is kept`, at));
      return undefined;
    }
    onProblem?.(
      problem("duplicate_id", `${u.id} occurs in ${parts.get(u.id)} and in ${u.split}; kept as ${named}`, at),
    );
    parts.set(named, u.split);
    return { ...u, id: named };
  };
}
