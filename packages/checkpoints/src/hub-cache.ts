/**
 * @file The Hugging Face cache on disk: `models--ORG--NAME/{refs/REVISION, snapshots/COMMIT/FILE -> ../../blobs/ETAG}`, in the folder and
 * under the environment variables of the Python library (`huggingface_hub`, "Manage your cache"), so that both share downloads.
 */
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { getHFHubCachePath, getRepoFolderName } from "@huggingface/hub";

/** What the environment says about the hub. */
export interface HubSettings {
  /** The cache: `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `$HF_HOME/hub`, `$XDG_CACHE_HOME/huggingface/hub`, `~/.cache/huggingface/hub`. */
  readonly cache: string;
  /** `HF_ENDPOINT`, without a slash at its end; `undefined`: the hub itself. */
  readonly endpoint: string | undefined;
  /** `HF_HUB_OFFLINE` (or `TRANSFORMERS_OFFLINE`) is 1, on, yes or true. */
  readonly offline: boolean;
}

/** Reads {@link HubSettings} from the environment. */
export function hubSettings(): HubSettings {
  const flag = process.env["HF_HUB_OFFLINE"] || process.env["TRANSFORMERS_OFFLINE"] || "";
  return {
    cache: resolve(expandHome(getHFHubCachePath())),
    endpoint: process.env["HF_ENDPOINT"]?.replace(/\/+$/, "") || undefined,
    offline: ["1", "ON", "YES", "TRUE"].includes(flag.toUpperCase()),
  };
}

/** `HF_TOKEN`, else what `hf auth login` stored (`HF_TOKEN_PATH`, `$HF_HOME/token`). */
export async function hubToken(): Promise<string | undefined> {
  const given = process.env["HF_TOKEN"]?.trim();
  if (given) return given;
  const home =
    process.env["HF_HOME"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "huggingface");
  const file = expandHome(process.env["HF_TOKEN_PATH"] ?? join(home, "token"));
  return (await readFile(file, "utf8").catch(() => "")).trim() || undefined;
}

const expandHome = (path: string): string => (/^~(?=[/\\]|$)/.test(path) ? homedir() + path.slice(1) : path);

/** A repository's folder in the cache. */
export const repositoryFolder = (cache: string, name: string): string =>
  join(cache, getRepoFolderName({ name, type: "model" }));

/** A commit hash stands for itself. */
export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** The commit that the cache knows for a revision, and its snapshot folder. */
export async function cachedSnapshot(
  cache: string,
  name: string,
  revision: string,
): Promise<{ commit: string; folder: string } | undefined> {
  const repository = repositoryFolder(cache, name);
  const commit = isCommit(revision)
    ? revision
    : (await readFile(join(repository, "refs", ...revision.split("/")), "utf8").catch(() => "")).trim();
  if (!isCommit(commit)) return undefined;
  const folder = join(repository, "snapshots", commit);
  const there = await stat(folder).then(
    (s) => s.isDirectory(),
    () => false,
  );
  return there ? { commit, folder } : undefined;
}
