/** @file A voice in words for an answer. */
import { describeVoice, measureVoice } from "@emosllm/audio-features";
import type { VoiceManifest } from "@emosllm/model";
import type { VoiceDetail, VoiceOutput } from "../pool/tasks.ts";
import { FULL_BINS, QUICK_BINS } from "./default-bins.ts";
import { quickMeasures } from "./quick.ts";

/** The voice of a clip in one sentence, by the bins of the bundle's own training clips where it has some, or null when nothing is asked. */
export function describe(
  samples: Float32Array,
  sampleRate: number,
  detail: VoiceDetail,
  own: VoiceManifest | undefined,
): VoiceOutput | null {
  if (detail === "none") return null;
  const full = (own?.bins as typeof FULL_BINS | undefined) ?? FULL_BINS;
  const [measures, bins] =
    detail === "quick" ? [quickMeasures(samples, sampleRate), QUICK_BINS] : [measureVoice(samples, sampleRate), full];
  const { text, levels } = describeVoice(measures, bins, { style: "compact" });
  return { text, levels };
}
