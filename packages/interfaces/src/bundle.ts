/** @file The manifest of a trained model, `emosllm.json`: all that is needed to use its weights rightly, and the hash of every file. */
import { z } from "zod";

/** How sound becomes frames. */
export const frontEndSchema = z.object({
  /** A feature kind of the audio-features package. */
  kind: z.string().min(1),
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
    /** Answers whose best probability is below are abstentions; null: never abstain. */
    abstain_below: z.number().nullable(),
  }),
  files: z.record(z.string(), z.object({ sha256: z.string(), bytes: z.number().int() })),
  metrics: z.record(z.string(), z.number()).optional(),
});
/** `emosllm.json`. */
export type BundleManifest = z.infer<typeof bundleManifestSchema>;
