/** @file The keys of a training config, under Hugging Face's, PEFT's and LLaMA-Factory's names; `read-config.ts` reads files. */
import {
  BIN_GROUPINGS,
  assertCorruptionSettings,
  CORRUPTION_NAMES,
  type Corruption,
  VOICE_LANGUAGES,
  VOICE_STYLES,
} from "@emosllm/audio-features";
import { BACKWARDS, PRECISIONS } from "@emosllm/backbones";
import { PROJECTOR_TYPES, projectorProblems } from "@emosllm/projector";
import { SCORING_RULES } from "@emosllm/prompts";
import { DEVICES } from "@emosllm/runtime";
import { z } from "zod";

const share = z.number().min(0).max(1);
const count = z.number().int().min(1);
const whole = z.number().int().min(0);
const blockSize = z.union([z.literal("row"), z.literal(32), z.literal(64), z.literal(128), z.literal(256)]);

/** What a row may ask the model for. */
export const TASKS = ["emotion", "transcription", "description", "dimensional"] as const;
/** One of {@link TASKS}. */
export type Task = (typeof TASKS)[number];
/** How often each task comes, relative to the others. */
const tasks = z.partialRecord(z.enum(TASKS), z.number().min(0));

const SCHEDULERS = ["constant", "constant_with_warmup", "linear", "cosine", "cosine_with_min_lr"] as const;
const corpusName = z.string().regex(/^[a-z-]+:.+/, "must be NAME:PATH, for example iemocap:data/IEMOCAP_full_release");

/** A part of the training with settings of its own; what it leaves out is as the config has it. */
const stageSchema = z.strictObject({
  name: z.string().min(1),
  tasks: tasks.optional(),
  freeze_projector: z.boolean().optional(),
  freeze_adapter: z.boolean().optional(),
  /** Trains on all of this corpus instead of the training part; for tasks other than emotion it needs no labels. */
  corpus: corpusName.optional(),
  learning_rate: z.number().positive().optional(),
  num_train_epochs: z.number().positive().optional(),
  max_steps: z.number().int().optional(),
  lr_scheduler_type: z.enum(SCHEDULERS).optional(),
  warmup_ratio: share.optional(),
  weight_decay: z.number().min(0).optional(),
  per_device_train_batch_size: count.optional(),
  gradient_accumulation_steps: count.optional(),
  audio_dropout: share.optional(),
  transcript_dropout: share.optional(),
  voice_dropout: share.optional(),
});

const corruption = z.looseObject({ type: z.enum(CORRUPTION_NAMES) }).superRefine((value, context) => {
  try {
    assertCorruptionSettings(value.type, value);
  } catch (cause) {
    context.addIssue({ code: "custom", message: (cause as Error).message });
  }
}) as unknown as z.ZodType<Corruption>;

/** What adapters on either model have. */
const loraSchema = z.strictObject({
  r: count.default(8),
  lora_alpha: z.number().default(16),
  target_modules: z.union([z.string(), z.array(z.string()).min(1)]).default("all-linear"),
  use_rslora: z.boolean().default(false),
  use_dora: z.boolean().default(false),
  lora_bias: z.boolean().default(false),
  bias: z.enum(["none", "lora_only", "all"]).default("none"),
  modules_to_save: z.array(z.string()).nullable().default(null),
  ensure_weight_tying: z.boolean().default(false),
  trainable_token_indices: z.array(z.int().min(0)).nullable().default(null),
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
});

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
  /** As `block_size`, of the encoder. */
  encoder_block_size: blockSize.optional(),
  /** Where an encoder's frames are kept between runs; default: `features` in the cache folder. */
  feature_cache_dir: z.string().min(1).optional(),
  /** How the frozen linear layers are held; what is trained is always f32. */
  precision: z.enum(PRECISIONS).default("f32"),
  /** What gradients pass through where `precision` is not f32: the layers' exact values, or a packing of the transpose (faster). */
  backward: z.enum(BACKWARDS).default("quantised"),
  /** Weights of a row that share a scale; default: `row` for int8 (the fastest by far on processors with AMX or VNNI), 128 for int4 (32 is more exact and slower). */
  block_size: blockSize.optional(),
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
  /** Where training and scoring run; `auto` takes the fastest and says why. */
  device: z.enum(["auto", ...DEVICES]).default("cpu"),
  // method: PEFT's own names
  lora: loraSchema
    .extend({
      lora_dropout: z.number().min(0).lt(1).default(0),
      init_lora_weights: z
        .union([
          z.boolean(),
          z.enum(["gaussian", "orthogonal", "pissa", "olora"]),
          z
            .string()
            .regex(/^pissa_niter_\d+$/, 'true, false, "gaussian", "orthogonal", "pissa", "pissa_niter_N" or "olora"'),
        ])
        .default(true),
    })
    .prefault({}),
  /** An adapter on the speech encoder too, which then is run and trained at every step. */
  encoder_lora: loraSchema
    .extend({
      target_modules: z.union([z.string(), z.array(z.string()).min(1)]).default(["q_proj", "v_proj"]),
      init_lora_weights: z.union([z.literal(true), z.literal("gaussian")]).default(true),
    })
    .optional(),
  /** LoRA+: B learns this many times as fast as A. */
  loraplus_lr_ratio: z.number().positive().default(1),
  /** A prompt of the library or a YAML file of your own, several of them to draw from, or all of a language (`{ language: en }`). */
  prompt: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1), z.strictObject({ language: z.string().min(2) })])
    .default("emotion-question-first"),
  /** Draws the order in which a prompt lists the labels. */
  shuffle_labels: z.boolean().default(false),
  /** Turns of the dialogue before the utterance that a prompt with the slot `context` shows. */
  context_turns: whole.default(0),
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
  corpus: corpusName,
  /** A named scheme, labels of your own, or the corpus' codes with the label of each. */
  scheme: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(2), z.record(z.string(), z.string().min(1))])
    .default("iemocap-4"),
  protocol: z.string().default("loso5"),
  fold: count.default(1),
  /** Where validation comes from, when not as the protocol has it. */
  validation: z.enum(["other-session", "other-speaker", "random-speakers", "random-utterances", "none"]).optional(),
  /** A share of utterances above this whose sound cannot be read stops the run; up to it they are left out and listed. */
  max_bad_share: share.default(0.05),
  // train
  tasks: tasks.default({ emotion: 1 }),
  freeze_projector: z.boolean().default(false),
  freeze_adapter: z.boolean().default(false),
  /** One after the other, each with a schedule and an optimiser state of its own. */
  stages: z.array(stageSchema).min(1).optional(),
  learning_rate: z.number().positive().default(1e-3),
  num_train_epochs: z.number().positive().default(10),
  max_steps: z.number().int().default(-1),
  per_device_train_batch_size: count.default(16),
  per_device_eval_batch_size: count.default(32),
  gradient_accumulation_steps: count.default(1),
  /** Batches of sounds of about the same length, so that less is padded; deterministic, and resumed exactly. */
  group_by_length: z.boolean().default(false),
  /** Frames and tokens, padding counted, that go through the model at once: a batch of more is cut and accumulated, with the same loss. */
  max_tokens: count.nullable().default(null),
  /** Computes layers again for the gradient instead of keeping their values: less memory, more time, the same numbers. */
  gradient_checkpointing: z.boolean().default(false),
  /**
   * Keeps f32 weights in the layout of the products: training steps take four fifths of the time, weights twice the memory for each kind of
   * batch (with sound, without). When not given: unless `gradient_checkpointing` says that memory is short.
   */
  prepack_weights: z.boolean().nullable().default(null),
  lr_scheduler_type: z.enum(SCHEDULERS).default("cosine"),
  /** Of `cosine_with_min_lr`: the lowest rate, or its share of `learning_rate`. */
  lr_scheduler_kwargs: z
    .strictObject({ min_lr: z.number().min(0).optional(), min_lr_rate: share.optional() })
    .prefault({}),
  warmup_ratio: share.default(0.1),
  weight_decay: z.number().min(0).default(0.01),
  max_grad_norm: z.number().positive().default(1),
  /** `answer`: likelihood of the answer's tokens among all texts. `scored`: of the label's word among the words of all labels. */
  emotion_loss: z.enum(["answer", "scored"]).default("answer"),
  /** Weights of labels: a kind (scikit-learn's `balanced`, its root, or by effective number), or each label's own. */
  class_weights: z
    .union([z.enum(["none", "balanced", "sqrt", "effective"]), z.record(z.string(), z.number().min(0))])
    .default("none"),
  /** Exponent of the focal loss, 0 for none; needs `emotion_loss: scored`. */
  focal_gamma: z.number().min(0).default(0),
  /** Share of the target that is spread evenly over the labels. */
  label_smoothing_factor: z.number().min(0).lt(1).default(0),
  /** Targets are the raters' shares where the corpus has them. */
  soft_labels: z.boolean().default(false),
  /** Share of training batches without sound, and of rows without the voice in words. */
  audio_dropout: share.default(0),
  voice_dropout: share.default(0),
  /** Share of training rows whose transcript is left out, so that the model does not lean on it. */
  transcript_dropout: share.default(0.5),
  /** Share of training rows whose transcript gets errors as a recogniser makes them, at this word error rate. */
  transcript_errors: z.strictObject({ share, wer: share }).prefault({ share: 0, wer: 0.2 }),
  /** Share of training rows whose sound is corrupted by one of these, drawn. */
  augment: z.strictObject({ share, corruptions: z.array(corruption) }).prefault({ share: 0, corruptions: [] }),
  /** Keeps a running mean of the trained values with this decay, which is what is tested and saved; 0: none. */
  ema_decay: z.number().min(0).lt(1).default(0),
  seed: z.number().int().default(0),
  // eval
  eval_strategy: z.enum(["no", "steps", "epoch"]).default("epoch"),
  eval_steps: count.default(100),
  metric_for_best_model: z.enum(["ua", "wa", "macro_f1", "loss"]).default("ua"),
  load_best_model_at_end: z.boolean().default(true),
  /** Stops when so many evaluations in a row are not better by the threshold; 0: never. */
  early_stopping_patience: whole.default(0),
  early_stopping_threshold: z.number().min(0).default(0),
  /** How the tokens of a label's word count: their likelihoods' product, its mean a token, or the first token alone. */
  label_scoring: z.enum(SCORING_RULES).default("sum"),
  /** Takes back what the prompt prefers when nothing is heard or said (Zhao et al. 2021, contextual calibration). */
  content_free_correction: z.boolean().default(false),
  /** Fits the temperature of the answers' probabilities on the validation part, where there is one. */
  fit_temperature: z.boolean().default(true),
  /** Share of answers that shall be right among those given: below the confidence that reaches it on validation, the model abstains. */
  target_selective_accuracy: share.nullable().default(null),
  // output
  output_dir: z.string().min(1),
  /** Begins anew where `output_dir` holds an earlier run. */
  overwrite_output_dir: z.boolean().default(false),
  logging_steps: count.default(10),
  /** A checkpoint every so many steps; 0: only at the end and on Ctrl-C. */
  save_steps: whole.default(100),
  /** How many checkpoints stay, the newest; the best one stays beside them. */
  save_total_limit: count.default(2),
  report_to: z.array(z.enum(["tensorboard", "wandb"])).default(["tensorboard"]),
});
/** A resolved config: every key with its value. */
export type TrainConfig = z.infer<typeof trainConfigSchema>;
