/**
 * @file Pitch by subharmonic summation (Hermes, Measurement of pitch by subharmonic summation, JASA 83, 1988) over frames of 60 ms, and
 * what eGeMAPS reads off the same spectra: the harmonics-to-noise ratio and the amplitudes of harmonics.
 */
import { LANES, autocorrelate, forEachSpectra, windowed, type Samples } from "../spectra.ts";
import { sharedWindow } from "../window.ts";
import { subharmonicSums } from "./subharmonics.ts";

/** Values per frame; frame `t` covers 60 ms from `t * 10` ms on. */
export interface PitchFrames {
  readonly frames: number;
  /** Hz, 0 where unvoiced. */
  readonly f0: Float64Array;
  /** 1 - mean / peak of the subharmonic sum, smoothed over five frames. */
  readonly voicing: Float64Array;
  /** dB, from the autocorrelation at the pitch period; 0 where unvoiced. */
  readonly hnr: Float64Array;
  /** `[frames, bins]` power. */
  readonly spectrum: Float32Array;
  readonly bins: number;
  readonly hzPerBin: number;
}

const F0_MIN = 55;
const F0_MAX = 1000;
/** Peaks of the subharmonic sum that are kept, and the cost of a leap of one octave between frames. */
const CANDIDATES = 3;
const LEAP_COST = 0.4;
/** Frames above it, and not silent, are voiced. */
const VOICING_THRESHOLD = 0.73;
/** Mean power: 55 dB below full scale. */
const SILENCE = 10 ** -5.5;

/** Pitch, voicing, HNR and spectra of a mono clip. */
export function pitchFrames(samples: Samples, sampleRate: number): PitchFrames {
  const size = Math.round(0.06 * sampleRate);
  const hop = Math.round(0.01 * sampleRate);
  const frames = Math.max(1, 1 + Math.floor((samples.length - size) / hop));
  const fftSize = 2 ** Math.ceil(Math.log2(size));
  const bins = fftSize / 2 + 1;
  const hzPerBin = sampleRate / fftSize;
  const { hz, step, from, to, sum, mean, run } = subharmonicSums(bins, hzPerBin, F0_MIN, F0_MAX);

  const score = new Float64Array(frames * CANDIDATES);
  const octave = new Float64Array(frames * CANDIDATES);
  const level = new Float64Array(frames);
  const raw = new Float64Array(frames);
  const ratio = new Float64Array(frames * CANDIDATES);
  const spectrum = new Float32Array(frames * bins);
  const pick = (t: number, power: Float64Array, lane: number): void => {
    for (let k = 0, i = lane; k < bins; k++, i += LANES) spectrum[t * bins + k] = power[i]!;
    let peak = 0;
    for (let i = from; i <= to; i++) {
      const at = i * LANES + lane;
      const value = sum[at]!;
      if (value > peak) peak = value;
      if (value > sum[at - LANES]! && value >= sum[at + LANES]!) addCandidate(t, i, lane);
    }
    raw[t] = peak > 1e-9 ? 1 - mean[lane]! / hz.length / peak : 0;
    for (let c = t * CANDIDATES; c < (t + 1) * CANDIDATES; c++) score[c] = peak > 1e-9 ? score[c]! / peak : 0;
  };

  /** Keeps the strongest candidates of frame `t`, best first; the peak between two points by a parabola. */
  const addCandidate = (t: number, i: number, lane: number): void => {
    const [before, value, after] = [-1, 0, 1].map((d) => sum[(i + d) * LANES + lane]!) as [number, number, number];
    let c = (t + 1) * CANDIDATES - 1;
    if (score[c]! >= value) return;
    for (; c > t * CANDIDATES && score[c - 1]! < value; c--) {
      score[c] = score[c - 1]!;
      octave[c] = octave[c - 1]!;
    }
    const bend = before - 2 * value + after;
    const offset = bend < 0 ? Math.max(-0.5, Math.min(0.5, (0.5 * (before - after)) / bend)) : 0;
    score[c] = value;
    octave[c] = Math.log2(hz[i]!) + offset * step;
  };

  const window = sharedWindow("gauss", size, { periodic: false, sigma: 0.4 });
  const energyOfWindow = window.reduce((sum, w) => sum + w * w, 0);
  forEachSpectra(frames, fftSize, windowed(samples, window, hop), (first, count, plan) => {
    run(plan.re);
    for (let l = 0; l < count; l++) pick(first + l, plan.re, l);
    const acf = autocorrelate(plan);
    for (let l = 0; l < count; l++) {
      const t = first + l;
      level[t] = acf[l]! / fftSize / energyOfWindow;
      for (let c = t * CANDIDATES; c < (t + 1) * CANDIDATES; c++)
        ratio[c] = periodPeak(acf, l, sampleRate / 2 ** octave[c]!) / acf[l]!;
    }
  });
  const path = smoothestPath(octave, score, frames);
  const rawAt = (t: number): number => raw[Math.max(0, Math.min(frames - 1, t))]!;
  const voicing = raw.map((v, t) => (rawAt(t - 2) + 2 * rawAt(t - 1) + 3 * v + 2 * rawAt(t + 1) + rawAt(t + 2)) / 9);
  const f0 = new Float64Array(frames);
  const hnr = new Float64Array(frames);
  for (let t = 0; t < frames; t++) {
    const c = t * CANDIDATES + path[t]!;
    if (voicing[t]! <= VOICING_THRESHOLD || level[t]! < SILENCE || score[c]! <= 0) continue;
    f0[t] = 2 ** octave[c]!;
    hnr[t] = 10 * Math.log10(Math.max(1e-10, ratio[c]!) / Math.max(1e-10, 1 - ratio[c]!));
  }
  return { frames, f0, voicing, hnr, spectrum, bins, hzPerBin };
}

/** The candidate of each frame on the path with the best scores and the shortest leaps (the Viterbi algorithm). */
function smoothestPath(octave: Float64Array, score: Float64Array, frames: number): Uint8Array {
  const back = new Uint8Array(frames * CANDIDATES);
  let total = Array.from(score.subarray(0, CANDIDATES));
  for (let t = 1; t < frames; t++)
    total = total.map((_, c) => {
      const here = t * CANDIDATES + c;
      let best = -Infinity;
      total.forEach((before, b) => {
        const value = before - LEAP_COST * Math.abs(octave[here]! - octave[here - c - CANDIDATES + b]!);
        if (value > best) {
          best = value;
          back[here] = b;
        }
      });
      return best + score[here]!;
    });
  const path = new Uint8Array(frames);
  let state = total.indexOf(Math.max(...total));
  for (let t = frames - 1; t >= 0; t--) {
    path[t] = state;
    state = back[t * CANDIDATES + state]!;
  }
  return path;
}

/** The largest autocorrelation within 10 % of lag `period`. */
function periodPeak(acf: Float64Array, lane: number, period: number): number {
  const last = acf.length / LANES - 1;
  const high = Math.min(last, Math.ceil(1.1 * period));
  let best = -Infinity;
  for (let lag = Math.max(1, Math.floor(0.9 * period)); lag <= high; lag++)
    best = Math.max(best, acf[lag * LANES + lane]!);
  return best;
}
