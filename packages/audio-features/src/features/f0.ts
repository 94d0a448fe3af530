/**
 * @file Fundamental frequency by autocorrelation and dynamic programming.
 *
 * Candidates: P. Boersma, Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled
 * sound, IFA Proceedings 17 (1993): the autocorrelation of the windowed frame over that of the window. The path with the least cost of
 * octave jumps and voicing changes wins (its section 3, the Viterbi algorithm).
 */
import type { FeatureFrames } from "./feature-frames.ts";
import {
  LANES,
  assertSamples,
  autocorrelate,
  forEachSpectra,
  planOf,
  type FillFrame,
  type Samples,
} from "./spectra.ts";
import { sharedWindow } from "./window.ts";

/** Options of {@link trackF0}. */
export interface F0Options {
  /** Hz. Default 60. */
  fMin?: number;
  /** Hz. Default 500. */
  fMax?: number;
  /** Default 0.01. */
  hopSeconds?: number;
  /** Least normalised autocorrelation of a voiced frame. Default 0.45. */
  voicingThreshold?: number;
  /** Frames whose peak lies this far below the clip's peak count as silent. Default 0.03. */
  silenceThreshold?: number;
  /** Favours high candidates, per octave. Default 0.01. */
  octaveCost?: number;
  /** Cost of a jump of one octave between frames of 10 ms. Default 0.35. */
  octaveJumpCost?: number;
  /** Cost of a change between voiced and unvoiced. Default 0.14. */
  voicedUnvoicedCost?: number;
}

/** A pitch track: frame `t` is centred at `t * hopSeconds`. */
export interface F0Track {
  /** Hz, 0 where unvoiced. */
  readonly f0: Float32Array;
  /** 0 to 1; above 0.5 the frame alone speaks for voicing. */
  readonly voicing: Float32Array;
  /** The best candidate's frequency, voiced or not, Hz. */
  readonly candidate: Float32Array;
  /** Normalised autocorrelation at the candidate's lag, 0 to 1. */
  readonly periodicity: Float32Array;
  readonly frames: number;
  readonly hopSeconds: number;
}

const CANDIDATES = 8;

/** The least number at or above `n` with no prime factor beyond 5: a fast FFT size. */
export function fastSize(n: number): number {
  for (let size = n + (n & 1); ; size += 2) {
    let rest = size;
    for (const p of [2, 3, 5]) while (rest % p === 0) rest /= p;
    if (rest === 1) return size;
  }
}

/**
 * The pitch of a mono clip.
 * @throws RangeError for no samples, samples that are not finite, or a range that is not `0 < fMin < fMax < sampleRate / 2`.
 */
export function trackF0(samples: Samples, sampleRate: number, options: F0Options = {}): F0Track {
  const { fMin = 60, fMax = 500, hopSeconds = 0.01, voicingThreshold = 0.45, silenceThreshold = 0.03 } = options;
  const { octaveCost = 0.01, octaveJumpCost = 0.35, voicedUnvoicedCost = 0.14 } = options;
  assertSamples(samples, sampleRate);
  if (!(fMin > 0 && fMin < fMax && fMax < sampleRate / 2))
    throw new RangeError(`pitch range ${fMin} to ${fMax} Hz does not lie between 0 and ${sampleRate / 2} Hz`);
  if (!(hopSeconds * sampleRate >= 1)) throw new RangeError(`hop of ${hopSeconds} s is shorter than one sample`);

  const longest = Math.ceil(sampleRate / fMin) + 1;
  const shortest = Math.max(2, Math.floor(sampleRate / fMax));
  const size = Math.round((3 * sampleRate) / fMin);
  const fftSize = fastSize(size + longest + 1);
  const window = sharedWindow("hann", size);
  const hop = hopSeconds * sampleRate;
  const frames = 1 + Math.floor(samples.length / hop);

  // autocorrelation of the window itself
  const plan = planOf(fftSize);
  plan.input.fill(0);
  for (let n = 0; n < size; n++) plan.input[n * LANES] = window[n]!;
  plan.runPower();
  const own = autocorrelate(plan);
  const unbias = Float64Array.from({ length: longest + 2 }, (_, lag) => own[0]! / own[lag * LANES]!);

  let globalPeak = 0;
  for (let i = 0; i < samples.length; i++) globalPeak = Math.max(globalPeak, Math.abs(samples[i]!));
  const localPeaks = new Float64Array(frames);
  const fill: FillFrame = (t, out, lane) => {
    const start = Math.round(t * hop) - (size >> 1);
    const from = Math.max(0, -start);
    const to = Math.min(size, samples.length - start);
    let mean = 0;
    for (let n = from; n < to; n++) mean += samples[start + n]!;
    mean /= Math.max(1, to - from);
    // loudness is judged over the middle period only
    const left = (size - longest) >> 1;
    let peak = 0;
    for (let n = from; n < to; n++) {
      const x = samples[start + n]! - mean;
      if (n >= left && n <= left + longest) peak = Math.max(peak, Math.abs(x));
      out[lane + n * LANES] = x * window[n]!;
    }
    localPeaks[t] = peak;
  };

  const frequency = new Float64Array(frames * CANDIDATES);
  const strength = new Float64Array(frames * CANDIDATES);
  const correlation = new Float64Array(frames * CANDIDATES);
  const counts = new Uint8Array(frames);
  const r = new Float64Array(longest + 2);
  const pick = (t: number, lane: number, acf: Float64Array): void => {
    const energy = acf[lane]!;
    if (!(energy > 1e-30)) return;
    for (let lag = shortest - 1; lag <= longest + 1; lag++) r[lag] = (acf[lag * LANES + lane]! / energy) * unbias[lag]!;
    for (let lag = shortest; lag <= longest; lag++) {
      const mid = r[lag]!;
      const before = r[lag - 1]!;
      const after = r[lag + 1]!;
      if (mid < 0.15 || mid <= before || mid < after) continue;
      const bend = before - 2 * mid + after;
      const shift = bend === 0 ? 0 : (0.5 * (before - after)) / bend;
      const peak = Math.min(1, mid - 0.25 * (before - after) * shift);
      const hz = sampleRate / (lag + shift);
      if (hz < fMin || hz > fMax) continue;
      insert(t, hz, peak, peak + octaveCost * Math.log2(hz / fMin));
    }
  };
  const insert = (t: number, hz: number, peak: number, score: number): void => {
    const base = t * CANDIDATES;
    let at = counts[t]!;
    if (at === CANDIDATES) {
      at--;
      if (strength[base + at]! >= score) return;
    } else counts[t] = at + 1;
    while (at > 0 && strength[base + at - 1]! < score) {
      frequency[base + at] = frequency[base + at - 1]!;
      strength[base + at] = strength[base + at - 1]!;
      correlation[base + at] = correlation[base + at - 1]!;
      at--;
    }
    frequency[base + at] = hz;
    strength[base + at] = score;
    correlation[base + at] = peak;
  };
  forEachSpectra(frames, fftSize, fill, (first, count, filled) => {
    const acf = autocorrelate(filled);
    for (let l = 0; l < count; l++) pick(first + l, l, acf);
  });

  const unvoiced = Float64Array.from(localPeaks, (peak) => {
    const level = globalPeak > 0 ? peak / globalPeak : 0;
    return voicingThreshold + Math.max(0, 2 - (level * (1 + voicingThreshold)) / silenceThreshold);
  });
  const scale = 0.01 / hopSeconds;
  const path = bestPath(frequency, strength, counts, unvoiced, octaveJumpCost * scale, voicedUnvoicedCost * scale);
  const f0 = new Float32Array(frames);
  const voicing = new Float32Array(frames);
  const candidate = new Float32Array(frames);
  const periodicity = new Float32Array(frames);
  for (let t = 0; t < frames; t++) {
    const c = path[t]!;
    const best = t * CANDIDATES + Math.max(0, c);
    const score = counts[t] === 0 ? 0 : strength[best]!;
    f0[t] = c < 0 ? 0 : frequency[best]!;
    candidate[t] = frequency[best]!;
    periodicity[t] = correlation[best]!;
    voicing[t] = 1 / (1 + Math.exp(-12 * (score - unvoiced[t]!)));
  }
  return { f0, voicing, candidate, periodicity, frames, hopSeconds };
}

/** For each frame the candidate on the cheapest path, -1 for unvoiced. */
function bestPath(
  frequency: Float64Array,
  strength: Float64Array,
  counts: Uint8Array,
  unvoiced: Float64Array,
  jumpCost: number,
  changeCost: number,
): Int8Array {
  const states = CANDIDATES + 1;
  const frames = counts.length;
  const octave = Float64Array.from(frequency, (hz) => (hz > 0 ? Math.log2(hz) : 0));
  const back = new Int8Array(frames * states);
  let score = new Float64Array(states).fill(-Infinity);
  let next = new Float64Array(states);
  // state 0 is unvoiced, state c + 1 is candidate c
  for (let t = 0; t < frames; t++) {
    const here = t * CANDIDATES;
    const there = here - CANDIDATES;
    next.fill(-Infinity);
    const before = t === 0 ? 0 : counts[t - 1]!;
    for (let b = 0; b <= counts[t]!; b++) {
      const own = b === 0 ? unvoiced[t]! : strength[here + b - 1]!;
      if (t === 0) {
        next[b] = own;
        continue;
      }
      let best = -Infinity;
      for (let a = 0; a <= before; a++) {
        let value = score[a]!;
        if (a > 0 && b > 0) value -= jumpCost * Math.abs(octave[there + a - 1]! - octave[here + b - 1]!);
        else if (a !== b && (a === 0 || b === 0)) value -= changeCost;
        if (value > best) {
          best = value;
          back[t * states + b] = a;
        }
      }
      next[b] = best + own;
    }
    [score, next] = [next, score];
  }
  const path = new Int8Array(frames);
  let state = 0;
  for (let s = 1; s < states; s++) if (score[s]! > score[state]!) state = s;
  for (let t = frames - 1; t >= 0; t--) {
    path[t] = state - 1;
    state = back[t * states + state]!;
  }
  return path;
}

/** {@link trackF0} as `[frames, 2]`: `f0_hz` (0 where unvoiced), `voicing_probability`. */
export function f0Frames(samples: Samples, sampleRate: number, options: F0Options = {}): FeatureFrames {
  const { f0, voicing, frames, hopSeconds } = trackF0(samples, sampleRate, options);
  const data = new Float32Array(2 * frames);
  for (let t = 0; t < frames; t++) {
    data[2 * t] = f0[t]!;
    data[2 * t + 1] = voicing[t]!;
  }
  return { data, frames, features: 2, names: ["f0_hz", "voicing_probability"], startSeconds: 0, hopSeconds };
}
