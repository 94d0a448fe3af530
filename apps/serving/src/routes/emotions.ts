/** @file `POST /v1/audio/emotions`: sound as a form, as base64 in JSON, or as the body itself. */
import { ServiceError } from "../errors.ts";
import { decodeBase64, parseForm, parseJson, validate } from "../http/body.ts";
import { fetchAudio } from "../http/fetch-audio.ts";
import { type Call, type Route, json } from "../http/route.ts";
import type { BatchFacts } from "../pool/queue.ts";
import type { ScoreOutput, TimelineOutput } from "../pool/tasks.ts";
import {
  type EmotionOptions,
  type EmotionResult,
  emotionFormSchema,
  emotionJsonSchema,
  emotionOptionsSchema,
  emotionResultSchema,
} from "../schemas.ts";
import { ask, chooseModel } from "../service.ts";

/** A request, whatever its form. */
interface Asked {
  readonly bytes: Uint8Array;
  readonly options: EmotionOptions;
}

export const emotionsRoute: Route = {
  method: "POST",
  path: "/v1/audio/emotions",
  access: "key",
  summary: "The emotion of an utterance: a probability for each label, the voice in words, segments over time.",
  query: emotionOptionsSchema,
  body: [
    { type: "multipart/form-data", schema: emotionFormSchema },
    { type: "application/json", schema: emotionJsonSchema },
    { type: "audio/*" },
    { type: "application/octet-stream" },
  ],
  answer: { type: "application/json", schema: emotionResultSchema },
  async handle(call) {
    const { bytes, options } = await readAsked(call);
    if (bytes.length === 0) throw new ServiceError("audio_empty", "There is no sound: it has 0 bytes.");
    const { limits } = call.service.options;
    const model = chooseModel(call.service, options.model);
    const maxSeconds = options.timeline ? limits.timelineSeconds : limits.seconds;
    const { output, batch } = await ask(call, model, options.timeline ? "timeline" : "score", {
      audio: { bytes },
      transcript: options.transcript,
      voice: options.voice,
      limits: { maxSeconds, maxSamples: limits.samples },
    });
    return json(result(call, model.id, options, output, batch));
  },
};

async function readAsked(call: Call): Promise<Asked> {
  const type = (call.request.headers.get("content-type") ?? "").toLowerCase();
  if (type.startsWith("multipart/form-data")) return readForm(call);
  if (type.startsWith("application/json")) return readJson(call);
  if (/^(audio|video)\//.test(type) || type.startsWith("application/octet-stream") || type === "")
    return { bytes: await call.body(), options: validate(emotionOptionsSchema, call.query) };
  throw new ServiceError(
    "unsupported_media_type",
    `content-type '${type.slice(0, 100)}' is not one of multipart/form-data, application/json, audio/*, application/octet-stream`,
  );
}

async function readForm(call: Call): Promise<Asked> {
  const form = await parseForm(await call.body(), call.request.headers.get("content-type") ?? "");
  const file = form.get("file");
  if (!(file instanceof Blob))
    throw new ServiceError("invalid_request", "file: a sound file is needed", { param: "file" });
  const fields = Object.fromEntries([...form].filter(([name]) => name !== "file"));
  return {
    bytes: new Uint8Array(await file.arrayBuffer()),
    options: validate(emotionOptionsSchema, { ...call.query, ...fields }),
  };
}

async function readJson(call: Call): Promise<Asked> {
  const { limits, urls } = call.service.options;
  const body = parseJson(await call.body(), limits.jsonDepth);
  const { audio, url, ...options } = validate(emotionJsonSchema, body);
  if ((audio === undefined) === (url === undefined))
    throw new ServiceError("invalid_request", "audio (base64) or url: exactly one of them is needed", {
      param: "audio",
    });
  const bytes =
    audio === undefined
      ? await fetchAudio(url as string, { urls, maxBytes: limits.bodyBytes, signal: call.signal })
      : decodeBase64(audio, "audio");
  return { bytes, options };
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** Labels by probability, the most probable first. */
export const ranked = (probabilities: Readonly<Record<string, number>>): { label: string; score: number }[] =>
  Object.entries(probabilities)
    .map(([label, score]) => ({ label, score }))
    .sort((a, b) => b.score - a.score);

function result(
  call: Call,
  model: string,
  { top_k: top, transcript }: EmotionOptions,
  output: ScoreOutput | TimelineOutput,
  batch: BatchFacts,
): EmotionResult {
  const { label, probabilities, reliability, seconds, voice, decodeMs } = output;
  const totalMs = performance.now() - call.started;
  call.facts.audioSeconds = seconds;
  call.service.metrics.audio(model, seconds, totalMs / 1000, batch.queuedMs / 1000);
  return {
    id: call.id,
    object: "audio.emotions",
    created: Math.floor(Date.now() / 1000),
    model,
    label,
    abstained: label === null,
    emotions: ranked(probabilities).slice(0, top),
    reliability,
    voice: voice && { text: voice.text, levels: { ...voice.levels } },
    transcript: transcript ?? null,
    ...("segments" in output
      ? {
          segments: output.segments.map((s) => ({
            start: s.start,
            end: s.end,
            label: s.label,
            emotions: ranked(s.probabilities).slice(0, top),
          })),
        }
      : {}),
    usage: { audio_seconds: seconds },
    timing: {
      queue_ms: round(batch.queuedMs),
      decode_ms: round(decodeMs),
      model_ms: round(batch.modelMs),
      total_ms: round(totalMs),
      batch_size: batch.size,
    },
  };
}
