/** @file Makes a folder and those above it. */
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * As `mkdir` with `recursive`, one folder at a time: Node's own tries for ever where a file system answers "no such file" to making a folder in one
 * that is there (/proc, some mounts). Gives the first folder made, if any. Throws what `mkdir` throws.
 */
export async function makeFolder(folder: string): Promise<string | undefined> {
  const missing: string[] = [];
  for (let at = resolve(folder); !(await isThere(at)) && dirname(at) !== at; at = dirname(at)) missing.unshift(at);
  for (const at of missing)
    await mkdir(at).catch((error: NodeJS.ErrnoException) => {
      // Another process made it in the meantime.
      if (error.code !== "EEXIST") throw error;
    });
  // Says what is wrong where a file is in the way.
  if (missing.length === 0) await mkdir(folder, { recursive: true });
  return missing[0];
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
