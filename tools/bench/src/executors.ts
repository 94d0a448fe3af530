/**
 * @file `bench executors`: one training step on onnxruntime and on TensorFlow.js' backends, at the same random weights. Each figure is a
 * process of its own; they take turns, so that all see the same load.
 */
import { parseArgs } from "node:util";
import { freshBench } from "./fresh.ts";
import { FLAGS } from "./set-up.ts";

const OWN = {
  devices: { type: "string", default: "cpu,tfjs-node" },
  rounds: { type: "string", default: "2" },
} as const;

interface Figures {
  readonly train_step_s: number;
  readonly infer_s: number;
  readonly peak_rss_mib: number;
}

/**
 * `--devices cpu,tfjs-node,tfjs-wasm` (cpu is onnxruntime; for tfjs-node first `eval "$(bash tools/tfjs/build-node.sh)"`), `--rounds N`; all other
 * flags are those of `train`. Gives the best round of each, and how many times longer it takes than the first.
 */
export async function benchExecutors(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { values } = parseArgs({ args: [...argv], options: { ...FLAGS, ...OWN } });
  const { devices: list, rounds, device: _, ...train } = values;
  const devices = list.split(",");
  const flags = Object.entries(train).flatMap(([name, value]) =>
    typeof value === "boolean" ? (value ? [`--${name}`] : []) : [`--${name}=${value}`],
  );
  const best = new Map<string, Figures>();
  for (let round = 0; round < Number(rounds); round++)
    for (const device of devices) {
      const figures = await freshBench<Figures>(["train", "--device", device, ...flags]);
      const before = best.get(device);
      if (!before || figures.train_step_s < before.train_step_s) best.set(device, figures);
    }
  const first = best.get(devices[0] as string) as Figures;
  return Object.fromEntries(
    [...best].map(([device, { train_step_s, infer_s, peak_rss_mib }]) => [
      device,
      { train_step_s, infer_s, peak_rss_mib, times: Math.round((100 * train_step_s) / first.train_step_s) / 100 },
    ]),
  );
}
