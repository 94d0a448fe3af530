/** @file The manifest of a trained model, `emosllm.json`: all that is needed to use its weights rightly, and the hash of every file. */
import { z } from "zod";

/** The speech encoder of a front end of kind `encoder`. */
export const encoderManifestSchema = z.object({
  /** Hub id or folder; relative folders count from the bundle. */
  name_or_path: z.string().min(1),
  revision: z.string().nullable(),
  model_type: z.string(),
  /** sha256 over its weights, config.json and preprocessor_config.json. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  /** Hidden states that make up a frame, side by side: 0 is what enters the first layer. */
  layers: z.array(z.int().min(0)).min(1),
  /** Numbers of one layer. */
  hidden_size: z.int().positive(),
  /** How its weights are held: `f32`, `int8`, `int4`. */
  precision: z.string().min(1),
  /** Weights of a row that share a scale, where they are integers: a number, or `row` for all. */
  block_size: z.union([z.int().positive(), z.string()]).optional(),
});
/** See {@link encoderManifestSchema}. */
export type EncoderManifest = z.infer<typeof encoderManifestSchema>;

/** How sound becomes frames. */
export const frontEndSchema = z.object({
  /** `prosody`, `encoder`, or `waveform` where the encoder is a part of the model. */
  kind: z.string().min(1),
  encoder: encoderManifestSchema.optional(),
  /** Hz */
  sample_rate: z.number().int().positive(),
  settings: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  /** Mean and standard deviation of each column over the training split. */
  mean: z.array(z.number()),
  std: z.array(z.number().positive()),
});
/** See {@link frontEndSchema}. */
export type FrontEndManifest = z.infer<typeof frontEndSchema>;

/** See {@link BundleManifest}. */
export const bundleManifestSchema = z.object({
  format: z.literal("emosllm-bundle"),
  version: z.literal(1),
  base_model: z.object({
    /** Hub id or folder; relative folders count from the bundle. */
    name_or_path: z.string().min(1),
    revision: z.string().nullable(),
    model_type: z.string(),
    /** sha256 over config.json, the names, types and shapes of its tensors, and the values of its final norm. */
    fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  front_end: frontEndSchema,
  /** A speech encoder whose adapter is in `adapter_encoder/`: part of the model, behind a front end of kind `waveform`. */
  adapted_encoder: z
    .object({
      encoder: encoderManifestSchema,
      /** Of each column of its frames over the training split, without the adapter. */
      mean: z.array(z.number()).min(1),
      std: z.array(z.number().positive()).min(1),
    })
    .optional(),
  /** How voices are put into words for the prompt's slot `voice`. */
  voice: z
    .object({
      style: z.string().min(1),
      language: z.string().min(1),
      /** Bins as `@emosllm/audio-features` fits them, on the training split. */
      bins: z.record(z.string(), z.unknown()),
    })
    .optional(),
  labels: z.object({
    scheme: z.string(),
    /** In the order of the scheme, with the word that the model says for each. */
    words: z.array(z.object({ label: z.string().min(1), word: z.string().min(1) })).min(2),
  }),
  /** A prompt definition as `@emosllm/prompts` has it. */
  prompt: z.record(z.string(), z.unknown()),
  prompt_sha256: z.string(),
  scoring: z.object({
    reduction: z.enum(["sum", "mean", "first"]),
    temperature: z.number().positive(),
    /** Added to the labels' scores before the temperature; takes back what the prompt prefers whatever is said. */
    bias: z.array(z.number()).optional(),
    /** Answers whose best probability is below are abstentions; null: never abstain. */
    abstain_below: z.number().nullable(),
  }),
  files: z.record(z.string(), z.object({ sha256: z.string(), bytes: z.number().int() })),
  metrics: z.record(z.string(), z.number()).optional(),
});
/** `emosllm.json`. */
export type BundleManifest = z.infer<typeof bundleManifestSchema>;
