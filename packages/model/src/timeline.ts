/** @file The emotions of a recording over time: speech is found, cut into windows, judged, and joined into segments, in flat memory. */
import type { EmoSllm } from "./emosllm.ts";
import { createTimeline, type JudgedWindow, type TimelineOptions, type TimelineSegment } from "./timeline-segments.ts";
import { createSpeechWindows, type SpeechWindow, type SpeechWindowOptions } from "./timeline-windows.ts";

/** Settings of {@link emotionTimeline}. */
export interface EmotionTimelineOptions extends SpeechWindowOptions, TimelineOptions {
  /** Windows judged together (16). */
  readonly batchSize?: number;
  /** Told how many seconds of the recording were read. */
  readonly onProgress?: (seconds: number) => void;
}

/** Windows below this peak (full scale 1) are not asked about: -60 dB. */
const AUDIBLE_PEAK = 0.001;

/**
 * Segments of a mono recording that comes in blocks at the model's own rate (`model.manifest.front_end.sample_rate` Hz), as soon as
 * they are complete. Works on files of any length (`streamSpeech` of the audio-features package) and on live sound. For a server
 * that must not wait, use its two halves: {@link createSpeechWindows} and {@link createTimeline}.
 * @example
 * const rate = model.manifest.front_end.sample_rate;
 * for await (const { start, end, label } of emotionTimeline(model, streamSpeech("day.wav", { sampleRate: rate })))
 *   console.log(start, end, label);
 */
export async function* emotionTimeline(
  model: Pick<EmoSllm, "labels" | "manifest" | "score">,
  blocks: AsyncIterable<Float32Array>,
  options: EmotionTimelineOptions = {},
): AsyncGenerator<TimelineSegment> {
  const { batchSize = 16, onProgress, abstainBelow = model.manifest.scoring.abstain_below } = options;
  const rate = model.manifest.front_end.sample_rate;
  const windows = createSpeechWindows(rate, options);
  const timeline = createTimeline(model.labels, { ...options, abstainBelow });
  let waiting: SpeechWindow[] = [];
  let read = 0;
  const judge = async (list: readonly SpeechWindow[]): Promise<JudgedWindow[]> => {
    const heard = list.filter(({ samples }) => samples.some((v) => Math.abs(v) >= AUDIBLE_PEAK));
    if (heard.length === 0) return [];
    const answers = await model.score(heard.map(({ samples }) => ({ audio: samples })));
    return heard.map(({ region, start, end }, i) => ({
      region,
      start,
      end,
      probabilities: answers[i]!.probabilities,
    }));
  };
  for await (const block of blocks) {
    waiting.push(...windows.push(block));
    while (waiting.length >= batchSize)
      for (const judged of await judge(waiting.splice(0, batchSize))) yield* timeline.push(judged);
    onProgress?.((read += block.length) / rate);
  }
  waiting.push(...windows.flush());
  while (waiting.length > 0)
    for (const judged of await judge(waiting.splice(0, batchSize))) yield* timeline.push(judged);
  waiting = [];
  yield* timeline.flush();
}
