/**
 * @file Adapters that begin with a part of the base itself: PiSSA (arXiv 2404.02948) with its largest singular vectors, OLoRA (arXiv
 * 2406.01775) with the beginning of its QR factors, as PEFT computes them. PEFT takes that part out of the base's weights; here the
 * base stays as it is on disk and the part is subtracted in the graph, W x - s B0 A0 x + s B A x, which is the same number.
 */
import { readTensor } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { type LoraBase, embeddingPath, outputPath } from "./base.ts";
import type { LoraConfig } from "./config.ts";
import { type SingularTriplets, approximateSingular, firstQr, largestSingular, matrixOf } from "./svd.ts";
import { loraTargets } from "./targets.ts";

/** A `[rank, in]` and B `[out, rank]` of one module before training. */
export interface InitialFactor {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/** By path of the module. */
export type InitialFactors = ReadonlyMap<string, InitialFactor>;

/** Options of {@link initialFactors}. */
export interface InitialFactorOptions {
  /** Of the random columns of `pissa_niter_N`, by path: numbers of the normal distribution. Fixed when not given. */
  readonly random?: (path: string) => () => number;
  /** Called after each module. */
  readonly onProgress?: (done: number, total: number) => void;
}

const NITER = /^pissa_niter_(\d+)$/i;

/** Whether an adapter of this config begins with a part of the base. */
export const beginsWithBase = ({ init_lora_weights: kind }: LoraConfig): boolean =>
  typeof kind === "string" && (/^(pissa|olora)$/i.test(kind) || NITER.test(kind));

/**
 * First values of A and B where `init_lora_weights` is "pissa", "pissa_niter_N" or "olora"; undefined for other kinds. Signs of a row of A
 * and its column of B are free. Throws EmosllmError `not_supported`
 * where the rank exceeds a matrix' smaller side.
 */
export async function initialFactors(
  config: LoraConfig,
  base: LoraBase,
  { random = fixedNormals, onProgress }: InitialFactorOptions = {},
): Promise<InitialFactors | undefined> {
  if (!beginsWithBase(config)) return undefined;
  const kind = String(config.init_lora_weights).toLowerCase();
  const rounds = NITER.exec(kind)?.[1];
  const targets = loraTargets(config, base.linearPaths, outputPath(base), embeddingPath(base));
  const factors = new Map<string, InitialFactor>();
  for (const { path, rank, scaling, embedding } of targets) {
    if (embedding) continue; // refused by loraAdapter
    const source = base.tensors.get(`${path}.weight`);
    const [out, input] = (source?.shape ?? []) as readonly [number, number];
    if (!source || rank > Math.min(out, input))
      throw new EmosllmError(
        "not_supported",
        `init_lora_weights '${kind}': rank ${rank} exceeds the smaller side of ${path} [${out},${input}]`,
      );
    const matrix = matrixOf((await readTensor(source, "f32")) as Float32Array, out, input);
    if (kind === "olora") {
      const { q, r } = firstQr(matrix, rank);
      // Q and R are taken as they are; PEFT divides by nothing, so the part that leaves the base is `scaling` times Q R.
      factors.set(
        path,
        factorOf(
          q,
          r,
          () => 1,
          () => 1,
        ),
      );
    } else {
      const triplets: SingularTriplets =
        rounds === undefined
          ? largestSingular(matrix, rank)
          : approximateSingular(matrix, rank, Number(rounds), random(path));
      const root = (k: number): number => Math.sqrt((triplets.values[k] as number) / scaling);
      factors.set(path, factorOf(triplets.left, triplets.right, root, root));
    }
    onProgress?.(factors.size, targets.length);
  }
  return factors;
}

function factorOf(
  columns: readonly Float64Array[],
  rows: readonly Float64Array[],
  columnScale: (k: number) => number,
  rowScale: (k: number) => number,
): InitialFactor {
  const rank = rows.length;
  const [out, input] = [(columns[0] as Float64Array).length, (rows[0] as Float64Array).length];
  const [a, b] = [new Float32Array(rank * input), new Float32Array(out * rank)];
  rows.forEach((row, k) => row.forEach((v, i) => (a[k * input + i] = v * rowScale(k))));
  columns.forEach((column, k) => column.forEach((v, o) => (b[o * rank + k] = v * columnScale(k))));
  return { a, b };
}

/** Sums of twelve uniform numbers: close enough to normal for a random subspace. */
function fixedNormals(path: string): () => number {
  let s = [...path].reduce((h, c) => Math.imul(h ^ c.charCodeAt(0), 16777619) >>> 0, 2166136261);
  return () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) {
      s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
      sum += s / 2 ** 32;
    }
    return sum;
  };
}
