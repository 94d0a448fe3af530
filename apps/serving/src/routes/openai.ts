/** @file OpenAI's routes: chat completions about sound, transcriptions. */
import { ServiceError } from "../errors.ts";
import { decodeBase64, parseForm, parseJson, validate } from "../http/body.ts";
import { type Call, type Route, json } from "../http/route.ts";
import {
  type ChatCompletion,
  type ChatRequest,
  chatCompletionSchema,
  chatRequestSchema,
  transcriptionFieldsSchema,
  transcriptionFormSchema,
  transcriptionSchema,
} from "../openai-schemas.ts";
import type { GenerateInput, GenerateMessage, GenerateOutput, ModelInfo } from "../pool/tasks.ts";
import { ask, chooseModel } from "../service.ts";
import { logprobsOf, usageOf } from "./chat-parts.ts";
import { streamChat } from "./chat-stream.ts";
import { ranked } from "./emotions.ts";

const DEFAULT_TOKENS = 128;

export const openAiRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/chat/completions",
    access: "key",
    summary:
      "OpenAI's chat completions, with sound as `input_audio`; streamed as server-sent events with `stream: true`.",
    body: [{ type: "application/json", schema: chatRequestSchema }],
    answer: { type: "application/json", schema: chatCompletionSchema },
    handle: chat,
  },
  {
    method: "POST",
    path: "/v1/audio/transcriptions",
    access: "key",
    summary: "OpenAI's transcriptions: what is said in a sound file.",
    body: [{ type: "multipart/form-data", schema: transcriptionFormSchema }],
    answer: { type: "application/json", schema: transcriptionSchema },
    handle: transcribe,
  },
];

async function chat(call: Call): Promise<Response> {
  const { limits } = call.service.options;
  const request = validate(chatRequestSchema, parseJson(await call.body(), limits.jsonDepth));
  const model = chooseModel(call.service, request.model);
  const messages = messagesOf(request);
  if (request.response_format?.type === "json_object") return scored(call, model, messages);
  const input: GenerateInput = {
    messages,
    options: optionsOf(request),
    limits: { maxSeconds: limits.seconds, maxSamples: limits.samples },
  };
  if (request.stream === true) return streamChat(call, model, input, request.stream_options?.include_usage === true);
  const { output } = await ask(call, model, "generate", input);
  return json(completion(call, model, output, input.options.logprobs === true));
}

function messagesOf({ messages }: ChatRequest): GenerateMessage[] {
  return messages.map(({ role, content }, i) => ({
    role: role === "developer" ? "system" : role,
    content: (typeof content === "string" ? [{ type: "text" as const, text: content }] : content).map((part, k) =>
      part.type === "text"
        ? part
        : {
            type: "audio" as const,
            audio: { bytes: decodeBase64(part.input_audio.data, `messages.${i}.content.${k}.input_audio.data`) },
          },
    ),
  }));
}

function optionsOf(request: ChatRequest): GenerateInput["options"] {
  const temperature = request.temperature ?? 0;
  const { stop, seed, top_p: topP } = request;
  if ((request.top_logprobs ?? 0) > 0 && request.logprobs !== true)
    throw new ServiceError("invalid_request", "top_logprobs: needs logprobs: true", { param: "top_logprobs" });
  return {
    max_new_tokens: request.max_completion_tokens ?? request.max_tokens ?? DEFAULT_TOKENS,
    do_sample: temperature > 0,
    ...(temperature > 0 ? { temperature } : {}),
    ...(topP == null ? {} : { top_p: topP }),
    ...(seed == null ? {} : { seed }),
    ...(stop == null ? {} : { stop_strings: typeof stop === "string" ? [stop] : stop }),
    ...(request.logprobs === true ? { logprobs: true, top_logprobs: request.top_logprobs ?? 0 } : {}),
  };
}

function completion(call: Call, model: ModelInfo, output: GenerateOutput, withChances: boolean): ChatCompletion {
  call.facts.audioSeconds = output.seconds;
  return {
    id: `chatcmpl-${call.id}`,
    object: "chat.completion",
    created: Math.floor(Date.now() / 1000),
    model: model.id,
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: output.text, refusal: null },
        finish_reason: output.finishReason,
        logprobs: withChances ? logprobsOf(output.chances) : null,
      },
    ],
    usage: usageOf(output),
  };
}

/** The emotion of the last sound as JSON: what a grammar would have to force out of the model, it has scored instead. */
async function scored(call: Call, model: ModelInfo, messages: readonly GenerateMessage[]): Promise<Response> {
  const { limits } = call.service.options;
  const parts = messages.flatMap((m) => m.content);
  const sound = parts.findLast((part) => part.type === "audio");
  if (!sound)
    throw new ServiceError(
      "not_supported",
      "response_format json_object answers about sound, and there is none in the messages.",
      {
        param: "response_format",
      },
    );
  const { output } = await ask(call, model, "score", {
    audio: sound.audio,
    voice: "none",
    limits: { maxSeconds: limits.seconds, maxSamples: limits.samples },
  });
  const text = JSON.stringify({ label: output.label, emotions: ranked(output.probabilities) });
  return json(
    completion(
      call,
      model,
      { text, finishReason: "stop", promptTokens: 0, completionTokens: 0, seconds: output.seconds, chances: [] },
      false,
    ),
  );
}

async function transcribe(call: Call): Promise<Response> {
  const { limits } = call.service.options;
  const type = call.request.headers.get("content-type") ?? "";
  if (!type.toLowerCase().startsWith("multipart/form-data"))
    throw new ServiceError("unsupported_media_type", `content-type '${type.slice(0, 100)}' is not multipart/form-data`);
  const form = await parseForm(await call.body(), type);
  const file = form.get("file");
  if (!(file instanceof Blob))
    throw new ServiceError("invalid_request", "file: a sound file is needed", { param: "file" });
  const fields = validate(transcriptionFieldsSchema, Object.fromEntries([...form].filter(([name]) => name !== "file")));
  const model = chooseModel(call.service, fields.model);
  const verbose = fields.response_format === "verbose_json";
  const { output } = await ask(call, model, "generate", {
    transcribe: { audio: { bytes: new Uint8Array(await file.arrayBuffer()) }, language: fields.language },
    options: {
      max_new_tokens: DEFAULT_TOKENS,
      do_sample: fields.temperature > 0,
      ...(fields.temperature > 0 ? { temperature: fields.temperature } : {}),
      ...(verbose ? { logprobs: true } : {}),
    },
    limits: { maxSeconds: limits.seconds, maxSamples: limits.samples },
  });
  const { text, seconds, chances } = output;
  call.facts.audioSeconds = seconds;
  if (fields.response_format === "text")
    return new Response(`${text}\n`, { headers: { "content-type": "text/plain; charset=utf-8" } });
  const mean = chances.length === 0 ? null : chances.reduce((sum, c) => sum + c.logprob, 0) / chances.length;
  return json({
    text,
    ...(verbose
      ? {
          task: "transcribe",
          language: fields.language ?? "unknown",
          duration: seconds,
          segments: [{ id: 0, start: 0, end: seconds, text, avg_logprob: mean }],
        }
      : {}),
    usage: { type: "duration", seconds },
  });
}
