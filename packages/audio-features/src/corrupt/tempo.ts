/** @file Speed, tempo and pitch: speed by resampling (both change), tempo by WSOLA (W. Verhelst and M. Roelands 1993), pitch by both. */
import { EmosllmError } from "@emosllm/interfaces";
import { resample } from "../audio/resample.ts";

function assertFactor(name: string, factor: number): void {
  if (!(factor >= 0.25 && factor <= 4)) throw new EmosllmError("usage", `${name} ${factor} is not from 0.25 to 4`);
}

/** Factors are taken to 1/1000, which keeps the resampler's ratio a small one. */
const PARTS = 1000;

/** `samples` played `factor` times as fast: shorter and higher for factors above 1. */
export function changeSpeed(samples: Float32Array, factor: number): Float32Array {
  assertFactor("speed", factor);
  return resample(samples, Math.round(factor * PARTS), PARTS);
}

/** `samples` spoken `factor` times as fast at the same pitch; round(length / factor) samples long. */
export function changeTempo(samples: Float32Array, sampleRate: number, factor: number): Float32Array {
  assertFactor("tempo", factor);
  const size = 2 * Math.round(0.0125 * sampleRate);
  const hop = size / 2;
  const reach = Math.round(0.01 * sampleRate);
  const length = Math.round(samples.length / factor);
  const out = new Float32Array(length + size);
  const weight = new Float32Array(length + size);
  const window = Float32Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / size));
  let previous = 0;
  for (let at = 0; at < length; at += hop) {
    const wanted = Math.round(at * factor);
    // Of the places near the wanted one, that which continues the last piece best.
    const from = at === 0 ? 0 : mostAlike(samples, previous + hop, wanted, reach, size);
    for (let i = 0; i < size; i++) {
      out[at + i]! += window[i]! * (samples[from + i] ?? 0);
      weight[at + i]! += window[i]!;
    }
    previous = from;
  }
  return out.map((value, i) => (weight[i]! > 1e-3 ? value / weight[i]! : value)).slice(0, length);
}

function mostAlike(samples: Float32Array, target: number, wanted: number, reach: number, size: number): number {
  let best = -Infinity;
  let place = wanted;
  for (let candidate = Math.max(0, wanted - reach); candidate <= wanted + reach; candidate++) {
    if (candidate + size > samples.length) break;
    let product = 0;
    let energy = 1e-9;
    for (let i = 0; i < size; i += 2) {
      const value = samples[candidate + i]!;
      product += value * (samples[target + i] ?? 0);
      energy += value * value;
    }
    const similarity = product / Math.sqrt(energy);
    if (similarity > best) {
      best = similarity;
      place = candidate;
    }
  }
  return place;
}

/** `samples` with every frequency moved by `semitones`, as long as before. */
export function shiftPitch(samples: Float32Array, sampleRate: number, semitones: number): Float32Array {
  const factor = 2 ** (semitones / 12);
  assertFactor("pitch factor", factor);
  const stretched = changeTempo(samples, sampleRate, 1 / factor);
  const shifted = changeSpeed(stretched, factor);
  const out = new Float32Array(samples.length);
  out.set(shifted.subarray(0, samples.length));
  return out;
}
