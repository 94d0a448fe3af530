/** @file Noise and its mixing at an exact signal-to-noise ratio. */
import { EmosllmError } from "@emosllm/interfaces";
import { meanSquare } from "../audio/level.ts";
import type { Random } from "./random.ts";

/** `length` samples of Gaussian noise with a flat spectrum. */
export const whiteNoise = (length: number, random: Random): Float32Array =>
  Float32Array.from({ length }, () => random.normal());

/** Poles and weights of a sum of first-order filters that falls by 3 dB an octave (P. Kellet's refined filter, 1999; within 0.05 dB above 1/5000 of the sample rate). */
const PINK = [
  [0.99886, 0.0555179],
  [0.99332, 0.0750759],
  [0.969, 0.153852],
  [0.8665, 0.3104856],
  [0.55, 0.5329522],
  [-0.7616, -0.016898],
] as const;
/** Samples after which the slowest pole has forgotten the beginning. */
const PINK_SETTLING = 8000;

/** `length` samples of Gaussian noise whose power falls by 3 dB an octave. */
export function pinkNoise(length: number, random: Random): Float32Array {
  const state = new Float64Array(PINK.length);
  const out = new Float32Array(length);
  let delayed = 0;
  for (let i = -PINK_SETTLING; i < length; i++) {
    const white = random.normal();
    let sum = delayed + white * 0.5362;
    PINK.forEach(([pole, weight], k) => {
      state[k] = pole * state[k]! + weight * white;
      sum += state[k]!;
    });
    delayed = white * 0.115926;
    if (i >= 0) out[i] = sum;
  }
  return out;
}

/** `length` samples of `source` from a random place on, repeated as often as needed. */
export function excerpt(source: Float32Array, length: number, random: Random): Float32Array {
  if (source.length === 0) throw new EmosllmError("audio_empty", "a noise without samples cannot be mixed in");
  const from = random.below(source.length);
  return Float32Array.from({ length }, (_, i) => source[(from + i) % source.length]!);
}

/**
 * Babble: every voice at the same RMS, from a random place on, added up.
 * @throws EmosllmError `audio_empty` without voices, or with silent ones.
 */
export function babble(voices: readonly Float32Array[], length: number, random: Random): Float32Array {
  if (voices.length === 0) throw new EmosllmError("audio_empty", "babble needs at least one voice");
  const out = new Float32Array(length);
  for (const voice of voices) {
    const level = Math.sqrt(meanSquare(voice));
    if (!(level > 0)) throw new EmosllmError("audio_empty", "a voice of the babble is silent");
    excerpt(voice, length, random).forEach((value, i) => (out[i]! += value / level));
  }
  return out;
}

/**
 * `samples` plus `noise` (as long, or longer), scaled so that the ratio of their mean powers is `snr` dB exactly.
 * @throws EmosllmError `audio_empty` when either is silent, `usage` when the noise is too short.
 */
export function mixAtSnr(samples: Float32Array, noise: Float32Array, snr: number): Float32Array {
  if (!Number.isFinite(snr)) throw new EmosllmError("usage", `snr ${snr} is not a number of dB`);
  if (noise.length < samples.length)
    throw new EmosllmError("usage", `${noise.length} samples of noise for ${samples.length} of speech`);
  const used = noise.subarray(0, samples.length);
  const [signal, disturbance] = [meanSquare(samples), meanSquare(used)];
  if (!(signal > 0) || !(disturbance > 0))
    throw new EmosllmError(
      "audio_empty",
      `${signal > 0 ? "the noise" : "the speech"} is silent: no ratio of ${snr} dB can be had`,
    );
  const gain = Math.sqrt(signal / disturbance) * 10 ** (-snr / 20);
  return samples.map((value, i) => value + gain * used[i]!);
}
