/** @file `log.jsonl`: figures by step, the same lines however often the run was interrupted. */
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { writeWhole } from "../write-whole.ts";
import type { LogEntry } from "./trainer-state.ts";

/** The log of a run. */
export interface RunLog {
  readonly history: readonly LogEntry[];
  append(entry: LogEntry): Promise<void>;
}

const lines = (entries: readonly LogEntry[]): string => entries.map((e) => `${JSON.stringify(e)}\n`).join("");

/** Opens the log with the lines that the run has so far: what was written after its checkpoint is taken back. */
export async function openRunLog(folder: string, history: readonly LogEntry[]): Promise<RunLog> {
  const file = join(folder, "log.jsonl");
  const all = [...history];
  await noSpace(file, () => writeWhole(file, lines(all)));
  return {
    history: all,
    append: async (entry) => {
      all.push(entry);
      await noSpace(file, () => appendFile(file, lines([entry])));
    },
  };
}

/** The log of a rank that another writes for. */
export function unwrittenLog(history: readonly LogEntry[]): RunLog {
  const all = [...history];
  return { history: all, append: async (entry) => void all.push(entry) };
}

/** Turns a full disk into an error that says so. */
export async function noSpace<T>(file: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    if (["ENOSPC", "EDQUOT", "EFBIG"].includes((cause as NodeJS.ErrnoException).code ?? ""))
      throw new EmosllmError("disk_full", `${file}: no space left on the device`, { cause });
    throw cause;
  }
}
