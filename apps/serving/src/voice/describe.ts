/** @file A voice in words for an answer. */
import { describeVoice, measureVoice } from "@emosllm/audio-features";
import type { VoiceDetail, VoiceOutput } from "../pool/tasks.ts";
import { FULL_BINS, QUICK_BINS } from "./default-bins.ts";
import { quickMeasures } from "./quick.ts";

/** The voice of a clip in one sentence, or null when nothing is asked. */
export function describe(samples: Float32Array, sampleRate: number, detail: VoiceDetail): VoiceOutput | null {
  if (detail === "none") return null;
  const [measures, bins] =
    detail === "quick"
      ? [quickMeasures(samples, sampleRate), QUICK_BINS]
      : [measureVoice(samples, sampleRate), FULL_BINS];
  const { text, levels } = describeVoice(measures, bins, { style: "compact" });
  return { text, levels };
}
