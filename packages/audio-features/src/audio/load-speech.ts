/** @file The one call most users need: a clip as mono speech at the rate a model wants. */
import { selectChannel } from "./channels.ts";
import { decodeAudio, type DecodeOptions } from "./decode.ts";
import { resample } from "./resample.ts";
import type { AudioSource } from "./source.ts";

/** Settings of {@link loadSpeech}. */
export interface LoadSpeechOptions extends DecodeOptions {
  /** In Hz; what speech encoders take by default. */
  readonly sampleRate?: number;
}

/**
 * The sound of `clip` as one channel (`clip.channel`, or the mean of all) at `sampleRate` Hz, full scale ±1.
 * @throws EmosllmError as {@link decodeAudio}.
 * @example
 * const samples = await loadSpeech({ path: "turn.wav", start: 1.5, end: 4 }, { sampleRate: 16000 }); // 40000 samples
 */
export async function loadSpeech(clip: AudioSource, options: LoadSpeechOptions = {}): Promise<Float32Array> {
  const { sampleRate = 16_000, ...rest } = options;
  const sound = await decodeAudio(clip, rest);
  return resample(selectChannel(sound, "downmix"), sound.sampleRate, sampleRate);
}
