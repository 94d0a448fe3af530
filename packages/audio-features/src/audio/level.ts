/** @file Level of one channel: taking out a constant offset, peak and RMS in dB of full scale, and scaling to a wanted one. */
import { EmosllmError } from "@emosllm/interfaces";

/** `samples` minus their mean. */
export function removeDc(samples: Float32Array): Float32Array {
  let sum = 0;
  for (const value of samples) sum += value;
  const mean = samples.length > 0 ? sum / samples.length : 0;
  return samples.map((value) => value - mean);
}

/** 20 log10 of the largest magnitude; -Infinity for digital silence. */
export function peakLevel(samples: Float32Array): number {
  let peak = 0;
  for (const value of samples) peak = Math.max(peak, Math.abs(value));
  return 20 * Math.log10(peak);
}

/** 20 log10 of the root of the mean square over the whole of `samples`; -Infinity for digital silence. A full-scale sine has -3.01. */
export const wholeRmsLevel = (samples: Float32Array): number => 10 * Math.log10(meanSquare(samples));

/** The mean of the squares; 0 for no samples. */
export function meanSquare(samples: Float32Array): number {
  let sum = 0;
  for (const value of samples) sum += value * value;
  return samples.length > 0 ? sum / samples.length : 0;
}

/** `samples` with `dB` of gain; nothing is clipped. */
export function applyGain(samples: Float32Array, dB: number): Float32Array {
  const factor = 10 ** (dB / 20);
  return samples.map((value) => value * factor);
}

/** The gain in dB from `level` to `target`. @throws EmosllmError `audio_empty` for silence, which no gain brings to a level. */
export function gainTo(level: number, target: number, what: string): number {
  if (!Number.isFinite(target)) throw new EmosllmError("usage", `${what} target ${target} is not a number of dB`);
  if (!Number.isFinite(level))
    throw new EmosllmError("audio_empty", `silence cannot be brought to ${target} dB ${what}`);
  return target - level;
}

/** `samples` scaled so that the largest magnitude has `target` dB of full scale. */
export const normalisePeak = (samples: Float32Array, target = -1): Float32Array =>
  applyGain(samples, gainTo(peakLevel(samples), target, "peak"));

/** `samples` scaled so that their RMS has `target` dB of full scale. Peaks may then exceed full scale. */
export const normaliseRms = (samples: Float32Array, target = -20): Float32Array =>
  applyGain(samples, gainTo(wholeRmsLevel(samples), target, "RMS"));
