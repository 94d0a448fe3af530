/** @file Lines to stdout, or to a file that is there whole or not at all. */
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { rename, rm } from "node:fs/promises";
import type { Writable } from "node:stream";
import { EmosllmError } from "@emosllm/interfaces";

/** Writes under a temporary name that is renamed at the end. Throws EmosllmError `disk_full` for a file that cannot be written. */
export async function linesOut<T>(
  out: string | undefined,
  work: (write: (line: string) => Promise<void>) => Promise<T>,
): Promise<T> {
  if (out === undefined) return work(async (line) => void process.stdout.write(`${line}\n`));
  const temporary = `${out}.${process.pid}.tmp`;
  const stream: Writable = createWriteStream(temporary);
  let broken: Error | undefined;
  stream.on("error", (error) => (broken = error));
  try {
    const result = await work(async (line) => {
      if (broken) throw broken;
      if (!stream.write(`${line}\n`)) await once(stream, "drain");
    });
    stream.end();
    if (!broken) await once(stream, "close");
    if (broken) throw broken;
    await rename(temporary, out);
    return result;
  } catch (cause) {
    stream.destroy();
    await rm(temporary, { force: true });
    if (cause instanceof EmosllmError) throw cause;
    throw new EmosllmError("disk_full", `${out} cannot be written (${(cause as Error).message})`, { cause });
  }
}
