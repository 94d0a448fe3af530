/**
 * @file Downloads a model's files into the Hugging Face cache through `@huggingface/hub`: resumed where a download broke off, checked
 * against the hub's own hash of the content, and visible under their names only when complete.
 */
import { createHash, type Hash } from "node:crypto";
import {
  copyFile,
  link,
  mkdir,
  open,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { downloadFile, listFiles, modelInfo, type ListFileEntry } from "@huggingface/hub";
import { EmosllmError } from "@emosllm/interfaces";
import { temporaryName } from "./file.ts";
import { isCommit, repositoryFolder } from "./hub-cache.ts";
import { hubFetch, TransientError } from "./hub-fetch.ts";
import { withLock } from "./lock.ts";

/** How far the download of one file is, in bytes. `loaded` begins above 0 when a broken download is continued. */
export interface DownloadProgress {
  readonly status: "initiate" | "progress" | "done";
  readonly file: string;
  readonly loaded: number;
  readonly total: number;
}

/** Options of {@link downloadModel}. */
export interface DownloadOptions {
  readonly cache: string;
  readonly endpoint?: string | undefined;
  readonly token?: string | undefined;
  readonly revision: string;
  /** Which of the repository's files are wanted. */
  readonly choose: (paths: readonly string[]) => readonly string[];
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const ATTEMPTS = 5;
const FIRST_WAIT_MS = 500;
const PROGRESS_BYTES = 4 * 1024 * 1024;

/**
 * Downloads a model and returns its snapshot folder.
 *
 * @throws `checkpoint_not_found` (no such model, gated, unreachable: with what to do), `checkpoint_invalid` when the content does not
 * have the hub's hash, `disk_full`.
 */
export async function downloadModel(
  name: string,
  { cache, endpoint, token, revision, choose, onProgress, signal }: DownloadOptions,
): Promise<{ commit: string; folder: string }> {
  if (token !== undefined && !token.startsWith("hf_"))
    throw new EmosllmError("usage", "the access token (HF_TOKEN) must begin with 'hf_'");
  const repository = repositoryFolder(cache, name);
  const common = {
    fetch: hubFetch({ name, revision, endpoint, token }, signal),
    ...(endpoint === undefined ? {} : { hubUrl: endpoint }),
    ...(token === undefined ? {} : { accessToken: token }),
  };
  const commit = isCommit(revision)
    ? revision
    : (await retry(() => modelInfo({ ...common, name, revision, additionalFields: ["sha"] }), signal)).sha;
  if (!isCommit(commit)) throw new EmosllmError("checkpoint_not_found", `the hub gave no commit for '${name}'`);
  const listed = await retry(async () => {
    const entries = new Map<string, ListFileEntry>();
    for await (const e of listFiles({ ...common, repo: name, revision: commit, recursive: true }))
      if (e.type === "file") entries.set(e.path, e);
    return entries;
  }, signal);
  const chosen = choose([...listed.keys()]);
  const folder = join(repository, "snapshots", commit);
  for (const path of chosen) refuseEscape(name, path);
  for (const path of chosen) {
    const entry = listed.get(path)!;
    const blob = join(repository, "blobs", contentName(name, entry));
    const pointer = join(folder, ...path.split("/"));
    if ((await sizeOf(pointer)) === entry.size) continue;
    const fetchFrom = async function* (start: number): AsyncGenerator<Uint8Array> {
      // The library's stream keeps only the text of what went wrong; whether to try again depends on the error itself.
      let failure: unknown;
      const remember: typeof fetch = (input, init) =>
        common.fetch(input, init).catch((error: unknown) => {
          failure = error;
          throw error;
        });
      try {
        const whole = await downloadFile({
          ...common,
          fetch: remember,
          repo: name,
          path,
          revision: commit,
          xet: false,
        });
        if (!whole) throw new EmosllmError("checkpoint_not_found", `'${name}' has no file '${path}' at ${commit}`);
        // Typed as the browser's stream, which is not known to be iterable; Node's is.
        yield* whole.slice(start, entry.size).stream() as unknown as AsyncIterable<Uint8Array>;
      } catch (error) {
        throw failure ?? error;
      }
    };
    const report = (status: DownloadProgress["status"], loaded: number): void =>
      onProgress?.({ status, file: path, loaded, total: entry.size });
    await mkdir(dirname(blob), { recursive: true });
    await withLock(
      `${blob}.emosllm.lock`,
      async () => ((await sizeOf(blob)) === entry.size ? true : undefined),
      async () => {
        await downloadBlob(blob, { what: `'${name}': ${path}`, entry, fetchFrom, report, signal });
        return true;
      },
      signal,
    );
    await point(pointer, blob);
    report("done", entry.size);
  }
  if (revision !== commit) {
    const ref = join(repository, "refs", ...revision.split("/"));
    await mkdir(dirname(ref), { recursive: true });
    const temporary = temporaryName(ref);
    await writeFile(temporary, commit);
    await rename(temporary, ref);
  }
  return { commit, folder };
}

interface BlobDownload {
  readonly what: string;
  readonly entry: ListFileEntry;
  readonly fetchFrom: (start: number) => AsyncIterable<Uint8Array>;
  readonly report: (status: DownloadProgress["status"], loaded: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** Downloads to `.incomplete`, continuing what is there; after an attempt that broke off, goes on from where it stopped. */
async function downloadBlob(blob: string, { what, entry, fetchFrom, report, signal }: BlobDownload): Promise<void> {
  // A name of our own: the Python library's `.incomplete` may be in use by a running process of its own.
  const incomplete = `${blob}.emosllm.incomplete`;
  const resumed = ((await sizeOf(incomplete)) ?? 0) > 0;
  report("initiate", (await sizeOf(incomplete)) ?? 0);
  await retry(() => continueBlob(incomplete, entry.size, fetchFrom, report, signal), signal);
  let found = await hashBlob(incomplete, entry);
  if (found !== expectedHash(entry) && resumed) {
    // What was there before may have been wrong; what comes in one piece is not to blame for it.
    await rm(incomplete, { force: true });
    await retry(() => continueBlob(incomplete, entry.size, fetchFrom, report, signal), signal);
    found = await hashBlob(incomplete, entry);
  }
  if (found !== expectedHash(entry)) {
    await rm(incomplete, { force: true });
    throw new EmosllmError(
      "checkpoint_invalid",
      `${what}: the download has the checksum ${found} instead of ${expectedHash(entry)}; it was thrown away`,
      { details: { expected: expectedHash(entry), found } },
    );
  }
  await rename(incomplete, blob);
}

async function continueBlob(
  incomplete: string,
  size: number,
  fetchFrom: BlobDownload["fetchFrom"],
  report: BlobDownload["report"],
  signal: AbortSignal | undefined,
): Promise<void> {
  let at = (await sizeOf(incomplete)) ?? 0;
  if (at > size) {
    await truncate(incomplete, 0);
    at = 0;
  }
  const handle = await open(incomplete, "a");
  try {
    let reported = at;
    if (at < size)
      for await (const chunk of fetchFrom(at)) {
        await handle.appendFile(chunk);
        at += chunk.length;
        if (at - reported >= PROGRESS_BYTES || at === size) report("progress", (reported = at));
      }
    await handle.sync();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT")
      throw new EmosllmError("disk_full", `${incomplete}: no space left on the device`, { cause });
    // A body that breaks off ends the stream with whatever the connection had to say.
    if (cause instanceof EmosllmError || cause instanceof TransientError || signal?.aborted) throw cause;
    throw new TransientError(`the connection broke off at byte ${at} of ${size}`, { cause });
  } finally {
    await handle.close();
  }
  if (at < size) throw new TransientError(`the connection ended at byte ${at} of ${size}`);
}

/** Files in LFS are named by the SHA-256 of their content, others by git's hash of a blob, as in the Python library. */
const expectedHash = (entry: ListFileEntry): string => entry.lfs?.oid ?? entry.oid ?? "";
function contentName(name: string, entry: ListFileEntry): string {
  const hash = expectedHash(entry);
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash))
    throw new EmosllmError("checkpoint_invalid", `'${name}': the hub gives no hash for ${entry.path}`);
  return hash;
}

async function hashBlob(file: string, entry: ListFileEntry): Promise<string> {
  const hash: Hash = entry.lfs ? createHash("sha256") : createHash("sha1").update(`blob ${entry.size}\0`);
  const handle = await open(file, "r");
  try {
    const buffer = Buffer.alloc(1 << 20);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/** A relative link, so that the cache can be moved; where links are not allowed (Windows), a second name or a copy. */
async function point(pointer: string, blob: string): Promise<void> {
  await mkdir(dirname(pointer), { recursive: true });
  const target = relative(dirname(pointer), blob);
  if ((await readlink(pointer).catch(() => undefined)) === target) return;
  const temporary = temporaryName(pointer);
  await symlink(target, temporary)
    .catch(() => link(blob, temporary))
    .catch(() => copyFile(blob, temporary));
  await rename(temporary, pointer);
}

const sizeOf = (file: string): Promise<number | undefined> =>
  stat(file).then(
    (s) => s.size,
    () => undefined,
  );

/** A repository's listing is not trusted with where files go. */
function refuseEscape(name: string, path: string): void {
  const parts = path.split("/");
  if (parts.some((p) => p === "" || p === "." || p === "..") || /[\\:\0]/.test(path))
    throw new EmosllmError("checkpoint_invalid", `'${name}' lists a file '${path}' whose name leaves its folder`);
}

async function retry<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (attempt === ATTEMPTS)
        throw new EmosllmError("checkpoint_not_found", `${error.message} (tried ${ATTEMPTS} times)`, { cause: error });
      await sleep(FIRST_WAIT_MS * 2 ** (attempt - 1), undefined, signal ? { signal } : {});
    }
  }
}
