/** @file The folder of a run: one run at a time, nothing half written left over, and whether an earlier run finished there. */
import { readFileSync } from "node:fs";
import { lstat, readFile, readdir, rm, rmdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { makeFolder } from "../make-folder.ts";

const LOCK = ".running";
/** Left by a process that was killed while it wrote. */
const LEFTOVER =
  /^\.(checkpoint-\d+|best|last)\.\d+\.tmp(\.old)?$|^(log\.jsonl|config\.yaml|all_results\.json|predictions\.jsonl|report\.html|trainer_state\.json)\.\d+\.tmp$/;

/** What a run writes beside its checkpoints; the files that say it is finished first. */
const WRITTEN = ["all_results.json", "log.jsonl", "last", "runs", "config.yaml"];

/** Makes the folder and marks it as in use until `release`. Throws EmosllmError `usage` when it cannot be written or another run writes there. */
export async function claimFolder(folder: string): Promise<{ release(): Promise<void> }> {
  const lock = join(folder, LOCK);
  const own = JSON.stringify({ pid: process.pid, host: hostname(), started: startOf(process.pid) });
  let made: string | undefined;
  try {
    made = await makeFolder(folder);
    await writeFile(lock, own, { flag: "wx" }).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
      const text = await readFile(lock, "utf8").catch(() => "");
      if (isAlive(text))
        throw new EmosllmError("usage", `${folder}: another run is writing there (${text}); give another output_dir`);
      await writeFile(lock, own);
    });
  } catch (cause) {
    if (cause instanceof EmosllmError) throw cause;
    const { code = "error", message } = cause as NodeJS.ErrnoException;
    throw new EmosllmError(
      code === "ENOSPC" || code === "EDQUOT" ? "disk_full" : "usage",
      `output_dir ${folder} cannot be written (${code}: ${message})`,
      { cause },
    );
  }
  for (const name of await readdir(folder))
    if (LEFTOVER.test(name)) await rm(join(folder, name), { recursive: true, force: true });
  return {
    release: async () => {
      await rm(lock, { force: true });
      // A run that was refused before it wrote anything leaves no folder either.
      if (made !== undefined) await rmdir(folder).catch(() => undefined);
    },
  };
}

/** Whether the process that wrote a lock runs still: same machine, same number, same start. */
function isAlive(text: string): boolean {
  try {
    const { pid, host, started } = JSON.parse(text) as { pid: number; host: string; started: string | undefined };
    if (host !== hostname()) return false;
    process.kill(pid, 0);
    return startOf(pid) === started;
  } catch {
    return false;
  }
}

/** When a process started, where the system tells (numbers of processes are used again). */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** Takes away what an earlier run left; its `best` stays until there is a new one. */
export async function clearRun(folder: string): Promise<void> {
  for (const name of WRITTEN) await rm(join(folder, name), { recursive: true, force: true });
  for (const name of await readdir(folder))
    if (/^checkpoint-\d+$/.test(name)) await rm(join(folder, name), { recursive: true, force: true });
  // A link to a checkpoint that is gone.
  const best = join(folder, "best");
  if ((await lstat(best).catch(() => undefined))?.isSymbolicLink()) await rm(best);
}
