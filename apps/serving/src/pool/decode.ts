/** @file A caller's sound as samples at the model's rate, within bounds. */
import { loadSpeech, resample } from "@emosllm/audio-features";
import { EmosllmError } from "@emosllm/interfaces";
import type { AudioLimits, AudioPayload } from "./tasks.ts";

/** What decoding beyond a bound is called; the server answers it with 413. */
export const TOO_LONG = "audio_too_long";

/** An error whose code is the server's own. */
export class TooLongError extends Error {
  override readonly name = "TooLongError";
  readonly code: typeof TOO_LONG = TOO_LONG;
}

/** Mono samples at `sampleRate` Hz. Throws EmosllmError `audio_*`, {@link TooLongError}. */
export async function decodePayload(
  audio: AudioPayload,
  sampleRate: number,
  { maxSeconds, maxSamples }: AudioLimits,
): Promise<Float32Array> {
  const samples = await decoded(audio, sampleRate, maxSamples);
  const seconds = samples.length / sampleRate;
  if (seconds > maxSeconds)
    throw new TooLongError(`audio: ${seconds.toFixed(1)} s of sound; at most ${maxSeconds} s are accepted`);
  return samples;
}

async function decoded(audio: AudioPayload, sampleRate: number, maxSamples: number): Promise<Float32Array> {
  if ("samples" in audio) {
    if (audio.samples.some((x) => !Number.isFinite(x)))
      throw new EmosllmError("audio_decode", "audio: a sample is not a finite number");
    return audio.sampleRate === sampleRate ? audio.samples : resample(audio.samples, audio.sampleRate, sampleRate);
  }
  try {
    return await loadSpeech(audio.bytes, { sampleRate, maxSamples, name: "audio" });
  } catch (error) {
    // The decoders' own name for this bound.
    if (error instanceof EmosllmError && error.message.includes("maxSamples"))
      throw new TooLongError(`audio: holds more than ${maxSamples} samples`, { cause: error });
    throw error;
  }
}
