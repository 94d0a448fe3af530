/** @file Voices in words for the prompt's slot `voice`: by the bins that travel in the bundle. */
import {
  type Speaker,
  type VoiceBins,
  type VoiceMeasures,
  type VoiceStyle,
  describeVoice,
  measureVoice,
  parseVoiceBins,
} from "@emosllm/audio-features";
import type { BundleManifest } from "@emosllm/interfaces";

/** How voices are put into words, as it stands in a bundle. */
export type VoiceManifest = NonNullable<BundleManifest["voice"]>;

/** What {@link describeVoice} needs of a clip; the rate of speech is counted in the sound, so that it needs no transcript. */
export const measureClip = (samples: Float32Array, sampleRate: number): VoiceMeasures =>
  measureVoice(samples, sampleRate);

/** Measured voices in words, as the bundle says. Throws EmosllmError `config_invalid` for bins, a style or a language that there is not. */
export function voiceDescriber({
  style,
  language,
  bins,
}: VoiceManifest): (measures: VoiceMeasures, who?: Speaker) => string {
  const parsed: VoiceBins = parseVoiceBins(JSON.stringify(bins), "emosllm.json: voice.bins");
  return (measures, who = {}) => describeVoice(measures, parsed, { style: style as VoiceStyle, language, ...who }).text;
}
