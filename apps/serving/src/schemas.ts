/** @file What the routes take and give: the one source of validation, of /openapi.json and of the client's types. */
import { z } from "zod";
import { VOICE_DETAILS } from "./pool/tasks.ts";

/** true or false, also as the words that forms and addresses carry. */
const flag = z
  .union([z.boolean(), z.enum(["true", "false", "1", "0"])])
  .transform((v) => v === true || v === "true" || v === "1");

/** What may be asked beside the sound. */
export const emotionOptionsSchema = z.strictObject({
  model: z.string().min(1).max(200).optional().meta({ description: "A bundle's name; the first one when left out." }),
  transcript: z.string().max(4000).optional().meta({ description: "What was said." }),
  voice: z.enum(VOICE_DETAILS).default("quick").meta({
    description: "How much is said about the voice: quick says pitch, level and pauses, full also rate and quality.",
  }),
  timeline: flag.default(false).meta({ description: "Also give segments over time." }),
  top_k: z.coerce.number().int().min(1).max(100).optional().meta({ description: "Only the most probable labels." }),
});
/** See {@link emotionOptionsSchema}. */
export type EmotionOptions = z.output<typeof emotionOptionsSchema>;

/** `POST /v1/audio/emotions` as JSON. */
export const emotionJsonSchema = emotionOptionsSchema.extend({
  audio: z.string().min(1).optional().meta({ description: "A sound file, base64.", format: "byte" }),
  url: z.string().max(2000).optional().meta({ description: "A sound file to fetch, where the server allows it." }),
});

/** The same as a form. */
export const emotionFormSchema = emotionOptionsSchema.extend({
  file: z.string().meta({ description: "A sound file.", format: "binary" }),
});

/** A label with its probability. */
export const labelScoreSchema = z.object({ label: z.string(), score: z.number().min(0).max(1) });

/** A stretch of time with its distribution. */
export const segmentSchema = z.object({
  start: z.number().meta({ description: "Seconds." }),
  end: z.number().meta({ description: "Seconds." }),
  label: z.string().nullable(),
  emotions: z.array(labelScoreSchema),
});
/** See {@link segmentSchema}. */
export type Segment = z.output<typeof segmentSchema>;

/** A voice in words. */
export const voiceSchema = z.object({
  text: z.string(),
  levels: z.record(z.string(), z.number().int()).meta({ description: "0 (very low) to 4 (very high) by measure." }),
});

/** The answer about one utterance. */
export const emotionResultSchema = z.object({
  id: z.string(),
  object: z.literal("audio.emotions"),
  created: z.number().int(),
  model: z.string(),
  label: z.string().nullable().meta({ description: "The most probable label, null for an abstention." }),
  abstained: z.boolean(),
  emotions: z.array(labelScoreSchema).meta({ description: "Most probable first." }),
  reliability: z
    .number()
    .meta({ description: "1 for clips of a second or more; shorter ones are drawn towards even odds." }),
  voice: voiceSchema.nullable(),
  transcript: z.string().nullable(),
  segments: z.array(segmentSchema).optional().meta({ description: "With timeline=true." }),
  usage: z.object({ audio_seconds: z.number() }),
  timing: z.object({
    queue_ms: z.number(),
    decode_ms: z.number(),
    model_ms: z.number(),
    total_ms: z.number(),
    batch_size: z.number().int(),
  }),
});
/** See {@link emotionResultSchema}. */
export type EmotionResult = z.output<typeof emotionResultSchema>;

/** The body of every error. */
export const errorSchema = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string(),
    request_id: z.string(),
  }),
});

/** One model that may be chosen by `model`. */
export const modelSchema = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: z.number().int(),
  owned_by: z.string(),
  labels: z.array(z.string()),
  scheme: z.string(),
  base_model: z.string(),
  front_end: z.string(),
  sample_rate: z.number(),
  parent: z.string().nullable(),
  revision: z.string(),
  tasks: z.array(z.string()),
});

/** `GET /v1/models`. */
export const modelListSchema = z.object({ object: z.literal("list"), data: z.array(modelSchema) });

/** `GET /healthz`. */
export const healthSchema = z.object({ status: z.string() });

/** `GET /readyz`. */
export const readySchema = z.object({
  status: z.enum(["ready", "draining", "starting"]),
  processes: z.number().int(),
  queued: z.number().int(),
});

/** KServe V2: a tensor in JSON. */
const tensorSchema = z.looseObject({
  name: z.string().max(100),
  datatype: z.literal("BYTES"),
  shape: z.array(z.number().int().min(0)).max(2),
  data: z.array(z.string()).max(64),
});

/** KServe V2: `POST /v2/models/{m}/infer`. */
export const inferRequestSchema = z.looseObject({
  id: z.string().max(200).optional(),
  inputs: z.array(tensorSchema).min(1).max(2).meta({
    description: "audio: BYTES [n], each a sound file in base64; transcript: BYTES [n], optional.",
  }),
});

/** KServe V2: the answer. */
export const inferResponseSchema = z.object({
  id: z.string(),
  model_name: z.string(),
  model_version: z.string(),
  outputs: z.array(
    z.object({
      name: z.string(),
      datatype: z.string(),
      shape: z.array(z.number().int()),
      data: z.array(z.union([z.string(), z.number()])),
    }),
  ),
});

/** KServe V2: metadata of the server. */
export const serverMetadataSchema = z.object({
  name: z.string(),
  version: z.string(),
  extensions: z.array(z.string()),
});

const ioSchema = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.number().int()) });
/** KServe V2: metadata of a model. */
export const modelMetadataSchema = z.object({
  name: z.string(),
  versions: z.array(z.string()),
  platform: z.string(),
  inputs: z.array(ioSchema),
  outputs: z.array(ioSchema),
});

/** `POST /admin/reload`. */
export const reloadRequestSchema = z.strictObject({
  bundles: z.record(z.string().min(1).max(200), z.string().min(1).max(4000)).optional().meta({
    description: "Folders by name; the present ones are read again when left out.",
  }),
});
