/** @file Recordings over time, one after the other: speech is found, judged in windows, joined into segments. */
import { EmosllmError } from "@emosllm/interfaces";
import { type TimelineSegment, emotionTimeline } from "@emosllm/model";
import { describe } from "../voice/describe.ts";
import { decodePayload } from "./decode.ts";
import type { BatchContext } from "./generate-batch.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { settled } from "./settled.ts";
import type { ItemResult, ScoreInput, TimelineOutput } from "./tasks.ts";

/** Answers in the order of `inputs`. */
export async function timelineBatch(
  model: LoadedModel,
  inputs: readonly ScoreInput[],
  context: BatchContext,
): Promise<readonly ItemResult<"timeline">[]> {
  const results: ItemResult<"timeline">[] = [];
  for (const input of inputs) results.push(await settled(() => overTime(model, input, context)));
  return results;
}

async function overTime(
  { emosllm, info }: LoadedModel,
  { audio, voice, limits }: ScoreInput,
  { did }: BatchContext,
): Promise<TimelineOutput> {
  const started = performance.now();
  const samples = await decodePayload(audio, info.sampleRate, limits);
  const decodeMs = performance.now() - started;
  did("decode");
  const segments: TimelineSegment[] = [];
  for await (const segment of emotionTimeline(emosllm, blocks(samples, info.sampleRate))) segments.push(segment);
  did("timeline");
  if (segments.length === 0) throw new EmosllmError("audio_empty", "audio: nobody speaks in this recording");
  const probabilities = meanOf(segments, info.labels);
  const best = info.labels.reduce((a, b) => ((probabilities[b] ?? 0) > (probabilities[a] ?? 0) ? b : a));
  const abstain = info.abstainBelow !== null && (probabilities[best] ?? 0) < info.abstainBelow;
  return {
    label: abstain ? null : best,
    probabilities,
    reliability: 1,
    seconds: samples.length / info.sampleRate,
    voice: describe(samples, info.sampleRate, voice, emosllm.manifest.voice),
    decodeMs,
    segments,
  };
}

/** A second at a time, as sound from a stream comes. */
async function* blocks(samples: Float32Array, sampleRate: number): AsyncGenerator<Float32Array> {
  for (let at = 0; at < samples.length; at += sampleRate) yield samples.subarray(at, at + sampleRate);
}

/** The whole recording's distribution: each segment counts by its length. */
function meanOf(segments: readonly TimelineSegment[], labels: readonly string[]): Record<string, number> {
  const total = segments.reduce((sum, s) => sum + s.end - s.start, 0);
  const mean = (label: string): number =>
    segments.reduce((sum, s) => sum + (s.end - s.start) * (s.probabilities[label] ?? 0), 0) / total;
  return Object.fromEntries(labels.map((label) => [label, mean(label)]));
}
