/**
 * @file Jitter and shimmer by waveform matching: each pitch period is the lag at which the waveform best repeats itself near the period
 * that the pitch track gives (Titze & Liang, Comparison of F0 extraction methods for high-precision voice perturbation measurements, JSHR 36,
 * 1993; eGeMAPS, section 3).
 */
import type { Samples } from "../spectra.ts";
import type { PitchFrames } from "./pitch.ts";

/** Per frame; 0 where fewer than two periods could be matched. */
export interface Perturbation {
  /** Mean difference of consecutive periods relative to the mean period. */
  readonly jitter: Float64Array;
  /** Mean difference of the peak amplitudes of consecutive periods, dB. */
  readonly shimmer: Float64Array;
}

/** Least normalised cross-correlation of neighbouring periods. */
const MATCH = 0.5;

/** Jitter and shimmer over the 60 ms of each frame of `pitch`. */
export function perturbation(samples: Samples, sampleRate: number, pitch: PitchFrames): Perturbation {
  const { frames, f0 } = pitch;
  const hop = Math.round(0.01 * sampleRate);
  const size = Math.round(0.06 * sampleRate);
  const jitter = new Float64Array(frames);
  const shimmer = new Float64Array(frames);
  // one walk through each voiced stretch; frame t is centred at t * hop + size / 2
  const starts: number[] = [];
  const periods: number[] = [];
  const peaks: number[] = [];
  for (let t = 0; t < frames;) {
    if (f0[t] === 0) {
      t++;
      continue;
    }
    let end = t;
    while (end < frames && f0[end]! > 0) end++;
    let position = t * hop + size / 2 - hop / 2;
    const stop = Math.min(samples.length, (end - 1) * hop + size / 2 + hop / 2);
    starts.length = periods.length = peaks.length = 0;
    while (position < stop) {
      const frame = Math.max(t, Math.min(end - 1, Math.round((position - size / 2) / hop)));
      const expected = sampleRate / f0[frame]!;
      const period = matchPeriod(samples, Math.round(position), expected);
      starts.push(position);
      periods.push(period);
      peaks.push(peakToPeak(samples, Math.round(position), Math.round(expected)));
      position += period > 0 ? period : expected;
    }
    let first = 0;
    for (let u = t; u < end; u++) {
      while (first < starts.length && starts[first]! < u * hop) first++;
      let periodSum = 0;
      let differences = 0;
      let decibels = 0;
      let count = 0;
      for (let i = first + 1; i < starts.length && starts[i]! + periods[i]! <= u * hop + size; i++) {
        if (periods[i]! <= 0 || periods[i - 1]! <= 0) continue;
        count++;
        periodSum += periods[i]!;
        differences += Math.abs(periods[i]! - periods[i - 1]!);
        if (peaks[i]! > 0 && peaks[i - 1]! > 0) decibels += Math.abs(20 * Math.log10(peaks[i]! / peaks[i - 1]!));
      }
      if (count === 0) continue;
      jitter[u] = differences / periodSum;
      shimmer[u] = decibels / count;
    }
    t = end;
  }
  return { jitter, shimmer };
}

/** The lag near `expected` at which the waveform from `start` on repeats itself best, in fractions of a sample; 0 when none does. */
function matchPeriod(x: Samples, start: number, expected: number): number {
  const low = Math.max(2, Math.floor(0.8 * expected));
  const high = Math.ceil(1.2 * expected);
  const span = Math.round(expected);
  if (start < 0 || start + high + 1 + span >= x.length) return 0;
  let own = 0;
  for (let n = 0; n < span; n++) own += x[start + n]! * x[start + n]!;
  let energy = 0;
  for (let n = 0; n < span; n++) energy += x[start + low - 1 + n]! ** 2;
  let best = -Infinity;
  let at = 0;
  let left = 0;
  let right = 0;
  let previous = 0;
  for (let lag = low - 1; lag <= high + 1; lag++) {
    const value = product(x, start, start + lag, span) / (Math.sqrt(own * energy) + 1e-20);
    if (lag > at && lag === at + 1) right = value;
    if (value > best && lag >= low && lag <= high) {
      best = value;
      at = lag;
      left = previous;
    }
    previous = value;
    energy += x[start + lag + span]! ** 2 - x[start + lag]! ** 2;
  }
  if (best < MATCH || at === low || at === high) return 0;
  const bend = left - 2 * best + right;
  return bend < 0 ? at + (0.5 * (left - right)) / bend : at;
}

/** Inner product of two stretches; four sums at once, since one would wait for each addition. */
function product(x: Samples, at: number, other: number, length: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = length & ~3;
  for (let n = 0; n < whole; n += 4) {
    a += x[at + n]! * x[other + n]!;
    b += x[at + n + 1]! * x[other + n + 1]!;
    c += x[at + n + 2]! * x[other + n + 2]!;
    d += x[at + n + 3]! * x[other + n + 3]!;
  }
  for (let n = whole; n < length; n++) a += x[at + n]! * x[other + n]!;
  return a + b + (c + d);
}

function peakToPeak(x: Samples, start: number, length: number): number {
  let low = 0;
  let high = 0;
  const end = Math.min(x.length, start + length);
  for (let i = Math.max(0, start); i < end; i++) {
    const v = x[i]!;
    if (v > high) high = v;
    if (v < low) low = v;
  }
  return high - low;
}
