/** @file OpenAI's requests and answers, as far as they are served. Fields that a client may send without effect here are let pass. */
import { z } from "zod";

const textPart = z.object({ type: z.literal("text"), text: z.string().max(20_000) });
const audioPart = z.object({
  type: z.literal("input_audio"),
  input_audio: z.object({
    data: z.string().min(1).meta({ description: "A sound file, base64." }),
    format: z.string().max(20).optional().meta({ description: "Told by its first bytes, whatever this says." }),
  }),
});

const message = z.looseObject({
  role: z.enum(["system", "developer", "user", "assistant"]),
  content: z.union([
    z.string().max(20_000),
    z
      .array(z.discriminatedUnion("type", [textPart, audioPart]))
      .min(1)
      .max(64),
  ]),
});

const responseFormat = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text") }),
  z.looseObject({ type: z.literal("json_object") }).meta({
    description: "The emotion of the last sound as JSON: label and emotions, scored, so that it is always valid.",
  }),
]);

/** `POST /v1/chat/completions`. */
export const chatRequestSchema = z.looseObject({
  model: z.string().min(1).max(200).optional(),
  messages: z.array(message).min(1).max(64),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: z.number().int().min(1).max(2048).nullish(),
  max_completion_tokens: z.number().int().min(1).max(2048).nullish(),
  temperature: z.number().min(0).max(2).nullish().meta({ description: "0, or left out: the likeliest token." }),
  top_p: z.number().gt(0).max(1).nullish(),
  seed: z.number().int().nullish(),
  stop: z.union([z.string().min(1).max(200), z.array(z.string().min(1).max(200)).max(4)]).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  n: z.literal(1).nullish(),
  response_format: responseFormat.nullish(),
});
/** See {@link chatRequestSchema}. */
export type ChatRequest = z.output<typeof chatRequestSchema>;

const tokenLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.number().int()) });
const logprobs = z.object({ content: z.array(tokenLogprob.extend({ top_logprobs: z.array(tokenLogprob) })) });
const usage = z.object({
  prompt_tokens: z.number().int(),
  completion_tokens: z.number().int(),
  total_tokens: z.number().int(),
});
const finishReason = z.enum(["stop", "length"]);

/** The answer, not streamed. */
export const chatCompletionSchema = z.object({
  id: z.string(),
  object: z.literal("chat.completion"),
  created: z.number().int(),
  model: z.string(),
  choices: z.array(
    z.object({
      index: z.number().int(),
      message: z.object({ role: z.literal("assistant"), content: z.string(), refusal: z.null() }),
      finish_reason: finishReason,
      logprobs: logprobs.nullable(),
    }),
  ),
  usage,
});
/** See {@link chatCompletionSchema}. */
export type ChatCompletion = z.output<typeof chatCompletionSchema>;

/** One event of a streamed answer. */
export const chatChunkSchema = z.object({
  id: z.string(),
  object: z.literal("chat.completion.chunk"),
  created: z.number().int(),
  model: z.string(),
  choices: z.array(
    z.object({
      index: z.number().int(),
      delta: z.object({ role: z.literal("assistant").optional(), content: z.string().optional() }),
      finish_reason: finishReason.nullable(),
      logprobs: logprobs.nullable(),
    }),
  ),
  usage: usage.nullish(),
});
/** See {@link chatChunkSchema}. */
export type ChatChunk = z.output<typeof chatChunkSchema>;

/** The fields of `POST /v1/audio/transcriptions` beside `file`. */
export const transcriptionFieldsSchema = z.looseObject({
  model: z.string().max(200).optional(),
  language: z.string().max(20).optional().meta({ description: "Goes into the answer; the model hears for itself." }),
  prompt: z.string().max(4000).optional().meta({ description: "Without effect here." }),
  response_format: z.enum(["json", "text", "verbose_json"]).default("json"),
  temperature: z.coerce.number().min(0).max(2).default(0),
});

/** The same with its file, as described. */
export const transcriptionFormSchema = transcriptionFieldsSchema.extend({
  file: z.string().meta({ description: "A sound file.", format: "binary" }),
});

/** `json` and `verbose_json`. */
export const transcriptionSchema = z.object({
  text: z.string(),
  task: z.literal("transcribe").optional(),
  language: z.string().optional(),
  duration: z.number().optional(),
  segments: z
    .array(
      z.object({
        id: z.number().int(),
        start: z.number(),
        end: z.number(),
        text: z.string(),
        avg_logprob: z.number().nullable(),
      }),
    )
    .optional(),
  usage: z.object({ type: z.literal("duration"), seconds: z.number() }).optional(),
});
