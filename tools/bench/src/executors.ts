/**
 * @file `bench executors`: one training step on onnxruntime and on TensorFlow.js' backends, at the same random weights. Each figure is a
 * process of its own; they take turns, so that all see the same load.
 */
import { execFile } from "node:child_process";
import { parseArgs, promisify } from "node:util";

const run = promisify(execFile);

const OWN = {
  devices: { type: "string", default: "cpu,tfjs-node" },
  rounds: { type: "string", default: "2" },
} as const;
/** Where an option and its value stand in the arguments. */
const valuePlaces = (t: { readonly index: number; readonly inlineValue?: boolean | undefined }): number[] =>
  t.inlineValue === true ? [t.index] : [t.index, t.index + 1];

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
  const { values, tokens } = parseArgs({
    args: [...argv],
    options: OWN,
    strict: false,
    tokens: true,
  });
  const mine = new Set(tokens.flatMap((t) => (t.kind === "option" && t.name in OWN ? valuePlaces(t) : [])));
  const rest = argv.filter((_, i) => !mine.has(i));
  const devices = String(values.devices).split(",");
  const [, script] = process.argv as [string, string];
  const best = new Map<string, Figures>();
  for (let round = 0; round < Number(values.rounds); round++)
    for (const device of devices) {
      const { stdout } = await run(process.execPath, [
        ...process.execArgv,
        script,
        "train",
        "--device",
        device,
        ...rest,
      ]);
      const figures = JSON.parse(stdout.trim().split("\n").at(-1) as string) as Figures;
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
