/**
 * @file `bench gradients --precision int8 [--backward B] [the flags of train]`: how near the gradients through integer layers are to those
 * of f32 at the same weights and batch: their cosine, by layer and for the projector.
 */
import type { Trainer } from "@emosllm/training";
import { round, setUpTraining } from "./set-up.ts";

/** Gradients of one step by the part of the model that they are of, each as one vector. */
type Parts = ReadonlyMap<string, readonly Float32Array[]>;

const partOf = (name: string): string =>
  /\.layers\.(\d+)\./.exec(name.startsWith("projector.") ? "" : name)?.[1] ?? "projector";

async function gradientsAt(argv: readonly string[], precision: string): Promise<Parts> {
  const { trainer, batch } = await setUpTraining([...argv, "--precision", precision], { checkpoint: "BF16" });
  await trainer.accumulate(batch, true);
  const parts = collect(trainer.gradients);
  await trainer.dispose();
  return parts;
}

function collect({ tensors }: Trainer["gradients"]): Parts {
  const parts = new Map<string, Float32Array[]>();
  for (const [name, { data }] of Object.entries(tensors)) {
    const list = parts.get(partOf(name)) ?? [];
    parts.set(partOf(name), list);
    list.push((data as Float32Array).slice());
  }
  return parts;
}

function cosine(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((x, i) =>
    x.forEach((v, j) => {
      const w = b[i]?.[j] as number;
      ab += v * w;
      aa += v * v;
      bb += w * w;
    }),
  );
  return ab / Math.sqrt(aa * bb);
}

export async function benchGradients(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const at = argv.indexOf("--precision");
  const precision = at < 0 ? "int8" : (argv[at + 1] ?? "");
  const rest = at < 0 ? argv : argv.filter((_, i) => i !== at && i !== at + 1);
  const exact = await gradientsAt(rest, "f32");
  const ours = await gradientsAt(rest, precision);
  const cosines = [...exact].map(([part, g]) => [part, Number(cosine(g, ours.get(part) ?? []).toFixed(5))] as const);
  return {
    precision,
    flags: rest.join(" "),
    least: round(Math.min(...cosines.map(([, c]) => c))),
    gradient_cosine: Object.fromEntries(cosines),
  };
}
