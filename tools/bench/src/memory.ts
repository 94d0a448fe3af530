/**
 * @file `bench memory [--only TEXT]`: what `predictTrainingStep` says against the peak resident memory of a process that trains two steps, for
 * each configuration of a list. Exit code 1 where one is more than 20 % off.
 */
import { parseArgs } from "node:util";
import { freshBench } from "./fresh.ts";

interface Peaks {
  readonly peak_rss_mib: number;
  readonly predicted_rss_mib: number;
}

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
  const rows = [];
  for (const flags of CONFIGURATIONS.filter((c) => c.includes(values.only))) {
    const argv = ["train", "--steps", "1", ...flags.split(" ")];
    const { peak_rss_mib: measured, predicted_rss_mib: predicted } = await freshBench<Peaks>(argv);
    const row = { flags, measured, predicted, off: Number((predicted / measured - 1).toFixed(3)) };
    rows.push(row);
    process.stderr.write(`${JSON.stringify(row)}\n`);
  }
  const furthest = Math.max(...rows.map(({ off }) => Math.abs(off)));
  if (furthest > ALLOWED) process.exitCode = 1;
  return { configurations: rows.length, furthest, ok: furthest <= ALLOWED };
}
