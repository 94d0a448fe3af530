/** @file The replay of a golden directory of emosllm_torch.py whose files are in memory: in Node.js and in a page alike. */
import type { LanguageModel } from "@emosllm/backbones";
import type { StoredTensor } from "@emosllm/checkpoints";
import { type LoraConfig, loraAdapter } from "@emosllm/lora";
import { type BatchRow, type EmoSllmParts, PROJECTOR_PREFIX, layOutBatch } from "@emosllm/model";
import { qpMapper, qpMapperConfig } from "@emosllm/projector";
import type { Device } from "@emosllm/runtime";
import { adamW, constantRate, openEmoSllmTrainer } from "@emosllm/training";
import { largest, relativeError } from "./compare.ts";

export interface Golden {
  readonly args: {
    readonly prefix: number;
    readonly queries: number;
    readonly d_map: number;
    readonly d_audio: number;
    readonly positions: "none" | "sinusoidal";
    readonly steps: number;
  };
  readonly optimizer: {
    readonly lr: number;
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly weight_decay: number;
    readonly clip_norm: number;
  };
  readonly losses: readonly number[];
}

/** Largest errors relative to the largest reference value, and whether all are within {@link LIMITS}. */
export interface ReplayResult {
  readonly logits: number;
  readonly losses: number;
  readonly gradients: number;
  readonly final: number;
  readonly ok: boolean;
}

/** PyTorch in f32 and in f64 differ by 2e-7 (logits, losses), 1e-6 (gradients) and 2e-5 (weights after 20 steps); these leave room for another order of sums. */
export const LIMITS = { logits: 1e-5, losses: 1e-5, gradients: 2e-5, final: 2e-4 } as const;

/** Where a weight's first gradient is this small a share of its tensor's largest, Adam walks by rounding noise. */
const LIVE_GRADIENT = 1e-4;

const numbers = (t: StoredTensor | undefined, name: string): Float32Array => {
  if (!t || t.dtype !== "f32") throw new Error(`the golden has no f32 tensor '${name}'`);
  return t.data as Float32Array;
};
const integers = (t: StoredTensor | undefined): number[] => Array.from(t?.data as BigInt64Array, Number);

/** The rows of `batch.safetensors`. */
export function goldenRows(batch: ReadonlyMap<string, StoredTensor>, prefix: number, audioSize: number): BatchRow[] {
  const features = batch.get("audio_features") as StoredTensor;
  const frames = features.shape[1] as number;
  const ids = integers(batch.get("input_ids"));
  const width = batch.get("input_ids")?.shape[1] as number;
  const [lengths, starts, counts] = ["audio_lengths", "label_start", "label_lengths"].map((k) =>
    integers(batch.get(k)),
  ) as [number[], number[], number[]];
  return lengths.map((length, r) => {
    const row = ids.slice(r * width, (r + 1) * width);
    const [start, count] = [starts[r] as number, counts[r] as number];
    const offset = r * frames * audioSize;
    return {
      before: row.slice(0, prefix),
      after: row.slice(prefix + 1, start),
      answers: [row.slice(start, start + count)],
      frames: { data: (features.data as Float32Array).slice(offset, offset + length * audioSize), length },
    };
  });
}

/** Names as PyTorch has them: PEFT's file leaves out the adapter's name. */
const torchName = (name: string): string => name.replace(/\.(lora_[AB])\.weight$/, ".$1.default.weight");

/** A golden directory in memory. */
export interface GoldenFiles {
  readonly golden: Golden;
  readonly languageModel: LanguageModel;
  readonly loraConfig: LoraConfig;
  readonly projectorWeights: StoredTensors;
  readonly adapterWeights: StoredTensors;
  readonly batch: StoredTensors;
  readonly reference: StoredTensors;
}

/** Tensors by name. */
export type StoredTensors = ReadonlyMap<string, StoredTensor>;

/** Options of {@link replayGolden}. */
export interface ReplayOptions {
  readonly sharedPrefix?: boolean;
  /** Where it runs; onnxruntime on the CPU when not given. */
  readonly device?: Device;
}

/** Trains as the reference did and compares. */
export async function replayGolden(
  { golden, languageModel, loraConfig, projectorWeights, adapterWeights, batch, reference }: GoldenFiles,
  { sharedPrefix = true, device = "cpu" }: ReplayOptions = {},
): Promise<ReplayResult> {
  const { args, optimizer } = golden;
  const projector = qpMapper(
    qpMapperConfig(args.d_audio, languageModel.config.hiddenSize, {
      num_queries: args.queries,
      hidden_size: args.d_map,
      positions: args.positions,
    }),
  );
  const adapter = loraAdapter(loraConfig, {
    linearPaths: languageModel.linearPaths,
    tensors: languageModel.checkpoint.tensors,
  });
  const parts: EmoSllmParts = { languageModel, projector, adapter, audioSize: args.d_audio };
  const trainer = await openEmoSllmTrainer({
    parts,
    device,
    optimiser: adamW(constantRate(optimizer.lr), {
      beta1: optimizer.betas[0],
      beta2: optimizer.betas[1],
      epsilon: optimizer.eps,
      weightDecay: optimizer.weight_decay,
      maxGradNorm: optimizer.clip_norm,
    }),
    outputs: (graph) => ({ logits: graph.logits }),
  });
  try {
    for (const [name, t] of Object.entries(trainer.parameters.tensors)) {
      const source = name.startsWith(PROJECTOR_PREFIX)
        ? projectorWeights.get(name.slice(PROJECTOR_PREFIX.length))
        : adapterWeights.get(name);
      t.data.set(numbers(source, name));
    }
    const laidOut = layOutBatch(goldenRows(batch, args.prefix, args.d_audio), {
      vectors: projector.vectors,
      audioSize: args.d_audio,
      sharedPrefix,
    });

    const result = { logits: 0, losses: 0, gradients: 0, final: 0 };
    for (let step = 0; step < golden.losses.length; step++) {
      const { loss, outputs } = await trainer.accumulate(laidOut, true);
      const wanted = golden.losses[step] as number;
      result.losses = Math.max(result.losses, Math.abs(loss - wanted) / Math.abs(wanted));
      if (step === 0) {
        await trainer.fetch("gradients");
        result.logits = relativeError(
          outputs["logits"]?.data as Float32Array,
          numbers(reference.get("logits"), "logits"),
        );
        for (const [name, t] of Object.entries(trainer.gradients.tensors)) {
          const key = `grad.${torchName(name)}`;
          result.gradients = Math.max(result.gradients, relativeError(t.data, numbers(reference.get(key), key)));
        }
      }
      await trainer.update();
    }
    await trainer.fetch("parameters");
    for (const [name, t] of Object.entries(trainer.parameters.tensors)) {
      const first = numbers(reference.get(`grad.${torchName(name)}`), name);
      const floor = LIVE_GRADIENT * largest(first);
      const key = `final.${torchName(name)}`;
      result.final = Math.max(
        result.final,
        relativeError(t.data, numbers(reference.get(key), key), (i) => Math.abs(first[i] as number) > floor),
      );
    }
    const ok = (Object.keys(LIMITS) as (keyof typeof LIMITS)[]).every((k) => result[k] <= LIMITS[k]);
    return { ...result, ok };
  } finally {
    await trainer.dispose();
  }
}
