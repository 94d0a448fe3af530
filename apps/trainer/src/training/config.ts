/** @file The training config: YAML with Hugging Face's, PEFT's and LLaMA-Factory's names, `key=value` overrides, all problems at once. */
import { readFile } from "node:fs/promises";
import { BIN_GROUPINGS, VOICE_LANGUAGES, VOICE_STYLES } from "@emosllm/audio-features";
import { BACKWARDS, PRECISIONS } from "@emosllm/backbones";
import { EmosllmError } from "@emosllm/interfaces";
import { PROJECTOR_TYPES, projectorProblems } from "@emosllm/projector";
import { LineCounter, parseDocument, parse as parseYaml } from "yaml";
import { z } from "zod";

const share = z.number().min(0).max(1);
const count = z.number().int().min(1);

/** See {@link TrainConfig}. */
export const trainConfigSchema = z.strictObject({
  // model
  model_name_or_path: z.string().min(1),
  /** Branch, tag or commit of a model of the hub. */
  model_revision: z.string().min(1).optional(),
  /** Speech encoder: hub id or folder. In place of `front_end`. */
  encoder_name_or_path: z.string().min(1).optional(),
  encoder_revision: z.string().min(1).optional(),
  /** Hidden states that make up a frame: -1 the last, 0 what enters the first layer, a list, or all. */
  encoder_layers: z.union([z.int(), z.literal("all"), z.array(z.int()).min(1)]).default(-1),
  /** How its weights are held; int8 is the faster one. */
  encoder_precision: z.enum(PRECISIONS).default("f32"),
  /** Where an encoder's frames are kept between runs; default: `features` in the cache folder. */
  feature_cache_dir: z.string().min(1).optional(),
  /** How the frozen linear layers are held; what is trained is always f32. */
  precision: z.enum(PRECISIONS).default("f32"),
  /** What gradients pass through where `precision` is not f32: the layers' exact values, or a packing of the transpose (faster). */
  backward: z.enum(BACKWARDS).default("quantised"),
  /** A kind of `@emosllm/projector` and the keys of that kind; what is left out is as that package has it. */
  projector: z
    .looseObject({ type: z.enum(PROJECTOR_TYPES).default("qp_mapper") })
    .superRefine((options, context) => {
      for (const { key, message } of projectorProblems(options))
        context.addIssue({ code: "custom", path: [key], message });
    })
    .prefault({}),
  front_end: z
    .strictObject({
      kind: z.literal("prosody").default("prosody"),
      sample_rate: count.default(16000),
      settings: z
        .strictObject({ mel_bins: count.default(40), hop_seconds: z.number().positive().default(0.01) })
        .prefault({}),
    })
    .prefault({}),
  // method: PEFT's own names
  lora: z
    .strictObject({
      r: count.default(8),
      lora_alpha: z.number().default(16),
      target_modules: z.union([z.string(), z.array(z.string()).min(1)]).default("all-linear"),
      use_rslora: z.boolean().default(false),
      use_dora: z.boolean().default(false),
      lora_bias: z.boolean().default(false),
      bias: z.enum(["none", "lora_only", "all"]).default("none"),
      modules_to_save: z.array(z.string()).nullable().default(null),
      exclude_modules: z
        .union([z.string(), z.array(z.string())])
        .nullable()
        .default(null),
      layers_to_transform: z
        .union([z.int(), z.array(z.int())])
        .nullable()
        .default(null),
      layers_pattern: z
        .union([z.string(), z.array(z.string())])
        .nullable()
        .default(null),
      rank_pattern: z.record(z.string(), count).default({}),
      alpha_pattern: z.record(z.string(), z.number()).default({}),
      init_lora_weights: z.union([z.literal(true), z.literal("gaussian")]).default(true),
    })
    .prefault({}),
  /** LoRA+: B learns this many times as fast as A. */
  loraplus_lr_ratio: z.number().positive().default(1),
  prompt: z.string().min(1).default("emotion-question-first"),
  /** The voice in words, for prompts with a slot `voice`; bins are fitted on the training part and kept in the bundle. `true` takes the defaults. */
  voice_description: z
    .preprocess(
      (v) => (typeof v === "boolean" ? { enabled: v } : v),
      z.strictObject({
        enabled: z.boolean().default(true),
        style: z.enum(VOICE_STYLES).default("sentences"),
        language: z.enum(Object.keys(VOICE_LANGUAGES)).default("en"),
        by: z.enum(BIN_GROUPINGS).default("overall"),
      }),
    )
    .prefault(false),
  // dataset
  corpus: z.string().regex(/^[a-z-]+:.+/, "must be NAME:PATH, for example iemocap:data/IEMOCAP_full_release"),
  scheme: z.string().default("iemocap-4"),
  protocol: z.string().default("loso5"),
  fold: count.default(1),
  /** Where validation comes from, when not as the protocol has it. */
  validation: z.enum(["other-session", "other-speaker", "random-speakers", "random-utterances", "none"]).optional(),
  // train
  learning_rate: z.number().positive().default(1e-3),
  num_train_epochs: z.number().positive().default(10),
  max_steps: z.number().int().default(-1),
  per_device_train_batch_size: count.default(16),
  per_device_eval_batch_size: count.default(32),
  gradient_accumulation_steps: count.default(1),
  lr_scheduler_type: z
    .enum(["constant", "constant_with_warmup", "linear", "cosine", "cosine_with_min_lr"])
    .default("cosine"),
  warmup_ratio: share.default(0.1),
  weight_decay: z.number().min(0).default(0.01),
  max_grad_norm: z.number().positive().default(1),
  /** Share of training rows whose transcript is left out, so that the model does not lean on it. */
  transcript_dropout: share.default(0.5),
  seed: z.number().int().default(0),
  // output
  output_dir: z.string().min(1),
  logging_steps: count.default(10),
});
/** A resolved config: every key with its value. */
export type TrainConfig = z.infer<typeof trainConfigSchema>;

/** Reads a config file and applies `key=value` overrides (`lora.r=16`). Throws EmosllmError `config_invalid` listing every problem with file, line and what is accepted. */
export async function readTrainConfig(file: string, overrides: readonly string[]): Promise<TrainConfig> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new EmosllmError(
      "config_invalid",
      `${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? "error"})`,
      { cause },
    );
  });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  if (document.errors.length > 0)
    throw new EmosllmError(
      "config_invalid",
      document.errors.map((e) => `${file}:${lines.linePos(e.pos[0]).line}: ${e.message.split("\n")[0]}`).join("\n"),
    );
  for (const item of overrides) {
    const [, key, value] = /^([\w.]+)=(.*)$/s.exec(item) ?? [];
    if (key === undefined)
      throw new EmosllmError("usage", `'${item}' is no override; write key=value, for example learning_rate=0.0003`);
    document.setIn(key.split("."), parseYaml(value as string));
  }
  const parsed = trainConfigSchema.safeParse(document.toJS() ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const node = document.getIn(issue.path as (string | number)[], true) as
      | { range?: [number, number, number] }
      | undefined;
    const place = node?.range ? `${file}:${lines.linePos(node.range[0]).line}` : file;
    return `${place}: ${issue.path.join(".") || "config"}: ${issue.message}`;
  });
  throw new EmosllmError("config_invalid", problems.join("\n"));
}
