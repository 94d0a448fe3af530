/**
 * @file An adapter that began with a part of the base, as a plain LoRA over the untouched base: B A - B0 A0 = [B | -B0] [A ; A0], of twice
 * the rank (PEFT's `path_initial_model_for_weight_conversion`, `LoraModel.subtract_mutated_init`).
 */
import type { StoredTensor } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import type { LoraAdapter } from "./adapter.ts";
import { type LoraConfig, loraConfig } from "./config.ts";
import { loraNames } from "./names.ts";

type Values = ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number | bigint> }>;

/** A config and the tensors that go with it, by PEFT's names. */
export interface PlainLora {
  readonly config: LoraConfig;
  readonly tensors: ReadonlyMap<string, StoredTensor & { readonly dtype: "f32"; readonly data: Float32Array }>;
}

const doubled = (table: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(table).map(([key, value]) => [key, 2 * value]));

/** The config of the plain form. Throws EmosllmError `not_supported` for rsLoRA with patterns, as PEFT does. */
export function plainConfig(config: LoraConfig): LoraConfig {
  const patterns = Object.keys(config.rank_pattern).length + Object.keys(config.alpha_pattern).length;
  if (config.use_rslora && patterns > 0)
    throw new EmosllmError(
      "not_supported",
      "an adapter that begins with the base (pissa, olora) with use_rslora and rank_pattern or alpha_pattern has no plain form",
    );
  return loraConfig({
    ...config,
    init_lora_weights: true,
    r: 2 * config.r,
    lora_alpha: config.lora_alpha * (config.use_rslora ? Math.SQRT2 : 2),
    rank_pattern: doubled(config.rank_pattern),
    alpha_pattern: doubled(config.alpha_pattern),
  });
}

const floats = (values: Values, name: string): Float32Array => values.get(name)?.data as Float32Array;

/** The plain form of trained values; those of an adapter without `initial` as they are. Throws as {@link plainConfig}. */
export function plainLora(adapter: Pick<LoraAdapter, "config" | "targets" | "initial">, values: Values): PlainLora {
  const stored = (shape: readonly number[], data: Float32Array) => ({ dtype: "f32", shape, data }) as const;
  const tensors = new Map(
    [...values].map(([name, { shape, data }]) => [name, stored(shape, data as Float32Array)] as const),
  );
  const { initial } = adapter;
  if (!initial) return { config: adapter.config, tensors };
  for (const { path, rank } of adapter.targets) {
    const { a, b } = initial.get(path) as { a: Float32Array; b: Float32Array };
    const names = loraNames(path);
    const [A, B] = [floats(values, names.a), floats(values, names.b)];
    const [input, out] = [A.length / rank, B.length / rank];
    const [newA, newB] = [new Float32Array(2 * A.length), new Float32Array(2 * B.length)];
    newA.set(A);
    newA.set(a, A.length);
    for (let o = 0; o < out; o++)
      for (let k = 0; k < rank; k++) {
        newB[o * 2 * rank + k] = B[o * rank + k] as number;
        newB[o * 2 * rank + rank + k] = -(b[o * rank + k] as number);
      }
    tensors.set(names.a, stored([2 * rank, input], newA));
    tensors.set(names.b, stored([out, 2 * rank], newB));
  }
  return { config: plainConfig(adapter.config), tensors };
}

/** Back from the plain form: the trained half of A and B, to go on training. Other tensors, and those of an adapter without `initial`, as they are. */
export function trainedHalf(
  adapter: Pick<LoraAdapter, "targets" | "initial">,
  values: Values,
): ReadonlyMap<string, Float32Array> {
  const half = new Map([...values].map(([name, { data }]) => [name, data as Float32Array] as const));
  if (!adapter.initial) return half;
  for (const { path, rank } of adapter.targets) {
    const names = loraNames(path);
    const [A, B] = [floats(values, names.a), floats(values, names.b)];
    half.set(names.a, A.slice(0, A.length / 2));
    const out = B.length / (2 * rank);
    half.set(
      names.b,
      Float32Array.from({ length: out * rank }, (_, i) => B[Math.floor(i / rank) * 2 * rank + (i % rank)] as number),
    );
  }
  return half;
}
