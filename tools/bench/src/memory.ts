/**
 * @file `bench memory [--only TEXT]`: what `predictTrainingMemory` says against the peak resident memory of a process that trains two steps, for
 * each configuration of a list. Exit code 1 where one is more than 20 % off.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";

const run = promisify(execFile);

const CONFIGURATIONS: readonly string[] = [
  "--shape tiny",
  "--shape tiny --precision int8 --batch 64",
  "--shape tiny --batch 16 --frames 750 --gradient-checkpointing",
  "--shape smollm2-135m",
  "--shape smollm2-135m --precision int8",
  "--shape smollm2-135m --precision int8 --gradient-checkpointing",
  "--shape smollm2-135m --precision int4",
  "--shape smollm2-135m --batch 16 --gradient-checkpointing",
  "--shape smollm2-135m --precision int8 --layers 10 --batch 32 --frames 100",
  "--shape llama-3.2-1b --layers 4",
  "--shape llama-3.2-1b --layers 4 --precision int8",
  "--shape llama-3.2-1b --layers 4 --precision int4 --gradient-checkpointing",
  "--shape qwen2.5-0.5b --precision int8",
];

/** What a prediction may be off by. */
const ALLOWED = 0.2;

export async function benchMemory(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { values } = parseArgs({ args: [...argv], options: { only: { type: "string", default: "" } } });
  const main = join(import.meta.dirname, "main.ts");
  const rows = [];
  for (const flags of CONFIGURATIONS.filter((c) => c.includes(values.only))) {
    const { stdout } = await run(process.execPath, [
      ...process.execArgv,
      main,
      "train",
      "--steps",
      "1",
      ...flags.split(" "),
    ]);
    const { peak_rss_mib: measured, predicted_rss_mib: predicted } = JSON.parse(stdout) as Record<string, number>;
    const row = {
      flags,
      measured,
      predicted,
      off: Number(((predicted as number) / (measured as number) - 1).toFixed(3)),
    };
    rows.push(row);
    process.stderr.write(`${JSON.stringify(row)}\n`);
  }
  const furthest = Math.max(...rows.map(({ off }) => Math.abs(off)));
  if (furthest > ALLOWED) process.exitCode = 1;
  return { configurations: rows.length, furthest, ok: furthest <= ALLOWED };
}
