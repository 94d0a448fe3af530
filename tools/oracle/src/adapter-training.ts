/** @file Trains an adapter for a few steps as `peft_torch.py make --train N` did: the same losses, first gradients and final values. */
import { join } from "node:path";
import { causalLayout, openLanguageModel } from "@emosllm/backbones";
import { type StoredTensor, loadSafetensors } from "@emosllm/checkpoints";
import { type Tensor, gather, input, mean, reshape, softmaxCrossEntropy } from "@emosllm/graph";
import { type LoraAdapter, type LoraBase, loadAdapter, loraPlusRateFactor } from "@emosllm/lora";
import { type HostTensor, f32, i64 } from "@emosllm/runtime";
import { adamW, constantRate, openTrainer } from "@emosllm/training";
import { largest, relativeError } from "./compare.ts";

/** Largest differences relative to the largest reference value of a tensor. */
export interface AdapterTraining {
  readonly losses: number;
  readonly gradients: number;
  readonly final: number;
}

/** PyTorch in f32 and in f64 differ by 1e-6 (losses), 2.5e-6 (gradients) and 1.4e-4 (values after three steps of 0.01, DoRA). */
export const TRAINING_LIMITS: AdapterTraining = { losses: 1e-5, gradients: 2e-5, final: 5e-4 };

/**
 * Adam divides a gradient by its own size, so where that is small it walks by rounding noise. Gradients differ by about 1e-6 of a
 * tensor's largest: in one of a thousandth that is 0.1 % of a step of 0.01, well below the limit for `final`.
 */
const LIVE_GRADIENT = 1e-3;

/** An adapter over its base, and its values before the first step. */
export interface Beginning {
  readonly adapter: LoraAdapter;
  readonly values: ReadonlyMap<string, ArrayLike<number>>;
}

/** Replays the training of one variant's folder, from the values in its `adapter/`. */
export const replayTraining = async (folder: string): Promise<AdapterTraining> =>
  (
    await trainAgain(folder, async (base) => {
      const { adapter, tensors } = await loadAdapter(join(folder, "adapter"), base);
      return { adapter, values: new Map([...tensors].map(([name, t]) => [name, t.data])) };
    })
  ).errors;

/** Trains as the golden did, from what `begin` gives; compares, and gives the trained values. A row of A and its column of B may have the other sign than PEFT's where `begin` says so (`sign` by name, an element each). */
export async function trainAgain(
  folder: string,
  begin: (base: LoraBase) => Promise<Beginning & { readonly signs?: ReadonlyMap<string, ArrayLike<number>> }>,
): Promise<{ readonly errors: AdapterTraining; readonly trained: ReadonlyMap<string, HostTensor<"f32">> }> {
  const golden = await loadSafetensors(join(folder, "golden.safetensors"));
  const wanted = (name: string): Float32Array => {
    const t = golden.get(name);
    if (!t) throw new Error(`the golden has no '${name}'`);
    return t.data as Float32Array;
  };
  const { shape, data } = golden.get("input_ids") as StoredTensor;
  const [rows, length] = shape as readonly [number, number];
  const ids = Array.from(data as BigInt64Array, Number);
  const model = await openLanguageModel(join(folder, "backbone"));
  const { adapter, values, signs } = await begin({ linearPaths: model.linearPaths, tensors: model.checkpoint.tensors });
  const turned = (name: string, data: Float32Array): Float32Array => {
    const sign = signs?.get(name);
    return sign ? data.map((v, i) => v * (sign[i] as number)) : data;
  };
  const places = ids.flatMap((_, i) => (i % length < length - 1 ? [i] : []));
  const trainer = await openTrainer({
    weights: model.weights,
    threads: 1,
    shapes: adapter.parameters,
    optimiser: golden.has("loraplus")
      ? adamW(constantRate(1e-3), {
          weightDecay: 0,
          rateFactor: loraPlusRateFactor(adapter.parameters, wanted("loraplus")[0] as number),
        })
      : adamW(constantRate(1e-2), { weightDecay: 0 }),
    graph: () => {
      const parameters: Record<string, Tensor> = {};
      const adapted = adapter.adapt(model, (name, s) => (parameters[name] ??= input(name, s)));
      const hidden = adapted.layers(
        adapted.embed(input("ids", [rows * length], "i64")),
        causalLayout({ rows, suffix: length }),
      );
      const chosen = gather(reshape(hidden, [rows * length, model.config.hiddenSize]), input("places", ["n"], "i64"));
      const loss = mean(softmaxCrossEntropy(adapted.head(chosen), input("next", ["n"], "i64")));
      return { loss, parameters };
    },
  });
  try {
    for (const [name, t] of Object.entries(trainer.parameters.tensors)) t.data.set(values.get(name) ?? []);
    const feeds = { ids: i64(ids), places: i64(places), next: i64(places.map((p) => ids[p + 1] as number)) };
    const losses: number[] = [];
    const result = { gradients: 0, final: 0 };
    for (let step = 0; step < wanted("losses").length; step++) {
      losses.push((await trainer.accumulate("next-token", feeds, true)).loss);
      if (step === 0)
        for (const [name, t] of Object.entries(trainer.gradients.tensors))
          result.gradients = Math.max(result.gradients, relativeError(turned(name, t.data), wanted(`grad.${name}`)));
      await trainer.update();
    }
    for (const [name, t] of Object.entries(trainer.parameters.tensors)) {
      const first = wanted(`grad.${name}`);
      const floor = LIVE_GRADIENT * largest(first);
      const apart = relativeError(
        turned(name, t.data),
        wanted(`final.${name}`),
        (i) => Math.abs(first[i] as number) > floor,
      );
      result.final = Math.max(result.final, apart);
    }
    const trained = new Map(
      Object.entries(trainer.parameters.tensors).map(([name, t]) => [name, f32(Float32Array.from(t.data), t.shape)]),
    );
    return { errors: { losses: relativeError(losses, wanted("losses")), ...result }, trained };
  } finally {
    await trainer.dispose();
  }
}
