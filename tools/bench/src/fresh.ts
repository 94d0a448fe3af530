/** @file Another benchmark in a process of its own, so that what one took (memory, time of first use) does not show in the next. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The fields that `bench ARGUMENTS` prints, with this process' own flags of Node.js. Throws when it fails. */
export async function freshBench<T>(argv: readonly string[]): Promise<T> {
  const [, script] = process.argv as [string, string];
  return printed<T>((await run(process.execPath, [...process.execArgv, script, ...argv])).stdout);
}

/** The fields in the last line of what a benchmark printed, ours or the reference's. */
export const printed = <T>(stdout: string): T => JSON.parse(stdout.trim().split("\n").at(-1) as string) as T;
