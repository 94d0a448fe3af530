/**
 * @file `bench precision [--precision int8] [--backward B] [--seeds 0,1,2,3,4] [--steps 200] [--control]`: does training through integer layers learn the
 * same? Trains the demo recipe in f32 and again in the precision, seed by seed, and compares the loss curves and the final test. The demo
 * corpus must be there (`npm start` makes it). `--control` compares f32 with f32 whose batches are cut in two, so that only the order of sums
 * differs: what the rounding of f32 alone comes to in so many steps.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readTrainConfig } from "../../../apps/trainer/src/training/read-config.ts";
import { runTraining } from "../../../apps/trainer/src/training/run.ts";
import { round } from "./set-up.ts";

/** Steps that are averaged for a point of the curve: single batches differ by more than precisions do. */
const WINDOW = 20;

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const deviation = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((n, v) => n + (v - mean(values)) ** 2, 0) / Math.max(1, values.length - 1));

export async function benchPrecision(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      precision: { type: "string", default: "int8" },
      backward: { type: "string", default: "quantised" },
      seeds: { type: "string", default: "0,1,2,3,4" },
      steps: { type: "string", default: "200" },
      recipe: { type: "string", default: "apps/trainer/recipes/demo.yaml" },
      control: { type: "boolean", default: false },
    },
  });
  const seeds = values.seeds.split(",").map(Number);
  const run = async (seed: number, precision: string, ...more: string[]): Promise<{ losses: number[]; ua: number }> => {
    const folder = await mkdtemp(join(tmpdir(), "emosllm-precision-"));
    try {
      const config = await readTrainConfig(values.recipe, [
        `seed=${seed}`,
        `precision=${precision}`,
        `backward=${values.backward}`,
        `max_steps=${values.steps}`,
        `output_dir=${folder}`,
        ...more,
      ]);
      const losses: number[] = [];
      const { test } = await runTraining(config, (e) => void (e.type === "step" && losses.push(e.loss)));
      return { losses, ua: test.ua };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
  const rows = [];
  for (const seed of seeds) {
    const exact = await run(seed, "f32");
    const ours = values.control ? await run(seed, "f32", "max_tokens=2000") : await run(seed, values.precision);
    const curve = ({ losses }: { losses: number[] }): number[] =>
      Array.from({ length: Math.floor(losses.length / WINDOW) }, (_, i) =>
        mean(losses.slice(i * WINDOW, (i + 1) * WINDOW)),
      );
    const [a, b] = [curve(exact), curve(ours)];
    const row = {
      seed,
      loss_f32: round(mean(exact.losses)),
      loss: round(mean(ours.losses)),
      // Of the whole curve, and of its point that is furthest off, both as a share of f32's loss there.
      loss_difference: round(mean(ours.losses) / mean(exact.losses) - 1),
      furthest_point: round(Math.max(...a.map((v, i) => Math.abs((b[i] as number) / v - 1)))),
      curve_f32: a.map(round),
      curve: b.map(round),
      ua_f32: round(exact.ua),
      ua: round(ours.ua),
    };
    rows.push(row);
    process.stderr.write(`${JSON.stringify(row)}\n`);
  }
  const [exact, ours] = [rows.map((r) => r.ua_f32), rows.map((r) => r.ua)];
  return {
    precision: values.control ? "f32, other order of sums" : values.precision,
    backward: values.backward,
    steps: Number(values.steps),
    seeds: seeds.length,
    loss_difference: round(mean(rows.map((r) => r.loss / r.loss_f32)) - 1),
    ua_f32: round(mean(exact)),
    ua: round(mean(ours)),
    ua_deviation_of_seeds_f32: round(deviation(exact)),
    rows,
  };
}
