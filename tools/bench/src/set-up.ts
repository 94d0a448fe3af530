/** @file What `train` and `profile` share: the reference's flags, a model of random weights, its trainer and one batch. */
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Backward, type Precision, blockForManyTokens, openLanguageModel } from "@emosllm/backbones";
import type { PackedBlock } from "@emosllm/checkpoints";
import { loraAdapter, loraConfig } from "@emosllm/lora";
import { type BatchRow, type EmoSllmParts, type LaidOutBatch, layOutBatch } from "@emosllm/model";
import { qpMapper, qpMapperConfig } from "@emosllm/projector";
import type { Device } from "@emosllm/runtime";
import { type EmoSllmTrainer, adamW, constantRate, openEmoSllmTrainer, randomStream } from "@emosllm/training";
import { randomCheckpoint } from "./random-checkpoint.ts";
import { SHAPES, randomRows } from "./shapes.ts";

/** Flags of the reference, with its defaults, and a few of ours. */
export const FLAGS = {
  shape: { type: "string", default: "smollm2-135m" },
  layers: { type: "string", default: "0" },
  batch: { type: "string", default: "8" },
  frames: { type: "string", default: "250" },
  "d-audio": { type: "string", default: "1024" },
  "d-map": { type: "string", default: "768" },
  queries: { type: "string", default: "32" },
  prefix: { type: "string", default: "80" },
  transcript: { type: "string", default: "24" },
  steps: { type: "string", default: "3" },
  positions: { type: "string", default: "none" },
  rank: { type: "string", default: "8" },
  targets: { type: "string", default: "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj" },
  seed: { type: "string", default: "0" },
  lr: { type: "string", default: "1e-3" },
  threads: { type: "string", default: String(availableParallelism()) },
  precision: { type: "string", default: "f32" },
  backward: { type: "string", default: "quantised" },
  "block-size": { type: "string" },
  // The reference's own, so that its command line can be pasted.
  dtype: { type: "string", default: "float32" },
  out: { type: "string" },
  device: { type: "string", default: "cpu" },
  // transformers' name; of its flags, the reference does not have it.
  "gradient-checkpointing": { type: "boolean", default: false },
} as const;

/** What random weights are stored in; BF16 for what is packed. */
const STORED: Readonly<Record<string, "F32" | "F16">> = { f32: "F32", f16: "F16" };

/** A trainer with its batch, ready to step. */
export interface TrainingSetUp {
  readonly shape: string;
  readonly precision: string;
  readonly backward: string;
  readonly steps: number;
  readonly threads: number;
  readonly device: Device;
  readonly parts: EmoSllmParts;
  readonly rows: readonly BatchRow[];
  readonly batch: LaidOutBatch;
  readonly trainer: EmoSllmTrainer;
  readonly gradientCheckpointing: boolean;
}

/** Reads the flags and opens everything. `profile`: see the runtime's SessionOptions. Throws for a flag that does not fit. */
export async function setUpTraining(
  argv: readonly string[],
  { profile, checkpoint }: { readonly profile?: string; readonly checkpoint?: "BF16" } = {},
): Promise<TrainingSetUp> {
  const { values } = parseArgs({ args: [...argv], options: FLAGS });
  const number = (
    key: Exclude<
      keyof typeof values,
      | "shape"
      | "positions"
      | "targets"
      | "precision"
      | "backward"
      | "block-size"
      | "dtype"
      | "out"
      | "device"
      | "gradient-checkpointing"
    >,
  ): number => {
    const n = Number(values[key]);
    if (!Number.isFinite(n)) throw new Error(`--${key} must be a number, not '${values[key]}'`);
    return n;
  };
  const sizes = SHAPES[values.shape];
  if (!sizes) throw new Error(`--shape '${values.shape}' is not one of ${Object.keys(SHAPES).join(", ")}`);
  if (values.positions !== "none" && values.positions !== "sinusoidal")
    throw new Error(`--positions '${values.positions}' is not one of none, sinusoidal`);
  if (values.dtype !== "float32")
    throw new Error(
      `--dtype '${values.dtype}' is PyTorch's; here it is float32, and --precision says how the frozen weights are held`,
    );

  const layers = number("layers") || sizes.layers;
  const root = join(tmpdir(), "emosllm-bench");
  const folder = await randomCheckpoint(
    root,
    values.shape,
    sizes,
    layers,
    checkpoint ?? STORED[values.precision] ?? "BF16",
  );
  const blockSize = values["block-size"] ?? blockForManyTokens(values.precision as Precision);
  const languageModel = await openLanguageModel(folder, {
    precision: values.precision as Precision,
    backward: values.backward as Backward,
    ...(blockSize === undefined
      ? {}
      : { blockSize: (blockSize === "row" ? blockSize : Number(blockSize)) as PackedBlock }),
    packing: { cacheFolder: root },
  });
  const audioSize = number("d-audio");
  const queries = number("queries");
  const projector = qpMapper(
    qpMapperConfig(audioSize, sizes.hidden, {
      num_queries: queries,
      hidden_size: number("d-map"),
      positions: values.positions,
    }),
  );
  const config = loraConfig({
    peft_type: "LORA",
    r: number("rank"),
    lora_alpha: 2 * number("rank"),
    target_modules: values.targets.split(","),
  });
  const adapter = loraAdapter(config, {
    linearPaths: languageModel.linearPaths,
    tensors: languageModel.checkpoint.tensors,
  });
  const parts = { languageModel, projector, adapter, audioSize };
  const threads = number("threads");
  const trainer = await openEmoSllmTrainer({
    parts,
    device: values.device as Device,
    gradientCheckpointing: values["gradient-checkpointing"],
    optimiser: adamW(constantRate(number("lr"))),
    ...(values.precision === "f16" ? { lossScaling: {} } : {}),
    threads,
    ...(profile === undefined ? {} : { profile }),
  });
  const r = randomStream(number("seed"), "bench parameters").next;
  for (let i = 0; i < trainer.parameters.flat.length; i++) trainer.parameters.flat[i] = (r() - 0.5) * 0.05;
  const rows = randomRows(
    {
      batch: number("batch"),
      frames: number("frames"),
      dAudio: audioSize,
      prefix: number("prefix"),
      transcript: number("transcript"),
      seed: number("seed"),
    },
    sizes.vocab,
  );
  return {
    shape: values.shape,
    precision: values.precision,
    backward: values.backward,
    steps: number("steps"),
    threads,
    device: values.device as Device,
    parts,
    rows,
    batch: layOutBatch(rows, { vectors: projector.vectors, audioSize }),
    trainer,
    gradientCheckpointing: values["gradient-checkpointing"],
  };
}

/** Four significant digits. */
export const round = (v: number): number => Number(v.toPrecision(4));
