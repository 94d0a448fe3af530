/**
 * @file Pitch by subharmonic summation (Hermes, Measurement of pitch by subharmonic summation, JASA 83, 1988) over frames of 60 ms, and
 * what eGeMAPS reads off the same spectra: the harmonics-to-noise ratio and the amplitudes of harmonics.
 */
import { LANES, autocorrelate, forEachSpectra, windowed, type Samples } from "../spectra.ts";
import { sharedWindow } from "../window.ts";

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

const POINTS = 512;
const LOWEST_HZ = 20;
const HARMONICS = 15;
const COMPRESSION = 0.85;
const F0_MIN = 55;
const F0_MAX = 1000;
/** Peaks of the subharmonic sum that are kept, and the cost of a leap of one octave between frames. */
const CANDIDATES = 3;
const LEAP_COST = 0.4;
/** Frames above it, and not silent, are voiced. */
const VOICING_THRESHOLD = 0.73;
/** Mean power: 55 dB below full scale. */
const SILENCE = 10 ** -5.5;

/** Four-point cubic (Catmull-Rom) weights that read a spectrum of `bins` at `POINTS` frequencies, even on a log scale. */
function logAxis(bins: number, hzPerBin: number): { hz: Float64Array; at: Int32Array; weights: Float64Array } {
  const octaves = Math.log2(((bins - 1) * hzPerBin) / LOWEST_HZ);
  const hz = Float64Array.from({ length: POINTS }, (_, i) => LOWEST_HZ * 2 ** ((octaves * i) / (POINTS - 1)));
  const at = new Int32Array(POINTS);
  const weights = new Float64Array(4 * POINTS);
  hz.forEach((f, i) => {
    const k = Math.min(bins - 3, Math.max(1, Math.floor(f / hzPerBin)));
    const u = f / hzPerBin - k;
    at[i] = k - 1;
    weights.set(
      [
        (-u + 2 * u * u - u ** 3) / 2,
        (2 - 5 * u * u + 3 * u ** 3) / 2,
        (u + 4 * u * u - 3 * u ** 3) / 2,
        (-u * u + u ** 3) / 2,
      ],
      4 * i,
    );
  });
  return { hz, at, weights };
}

/** Pitch, voicing, HNR and spectra of a mono clip. */
export function pitchFrames(samples: Samples, sampleRate: number): PitchFrames {
  const size = Math.round(0.06 * sampleRate);
  const hop = Math.round(0.01 * sampleRate);
  const frames = Math.max(1, 1 + Math.floor((samples.length - size) / hop));
  const fftSize = 2 ** Math.ceil(Math.log2(size));
  const bins = fftSize / 2 + 1;
  const hzPerBin = sampleRate / fftSize;
  const { hz, at, weights } = logAxis(bins, hzPerBin);
  const step = Math.log2(hz[1]! / hz[0]!);
  const shifts = Int32Array.from({ length: HARMONICS }, (_, n) => Math.round(Math.log2(n + 1) / step));
  const gains = Float64Array.from({ length: HARMONICS }, (_, n) => COMPRESSION ** n);
  const from = hz.findIndex((f) => f >= F0_MIN);
  const to = hz.findLastIndex((f) => f <= F0_MAX);

  const score = new Float64Array(frames * CANDIDATES);
  const octave = new Float64Array(frames * CANDIDATES);
  const level = new Float64Array(frames);
  const raw = new Float64Array(frames);
  const ratio = new Float64Array(frames * CANDIDATES);
  const spectrum = new Float32Array(frames * bins);
  const magnitude = new Float64Array(bins);
  const peaks = new Float64Array(bins);
  const smooth = new Float64Array(bins);
  const line = new Float64Array(POINTS);
  const sum = new Float64Array(POINTS);

  const subharmonics = (t: number, power: Float64Array, lane: number): void => {
    for (let k = 0; k < bins; k++) {
      const p = power[k * LANES + lane]!;
      magnitude[k] = Math.sqrt(p);
      spectrum[t * bins + k] = p;
    }
    // Hermes' enhancement: only local maxima and their neighbours stay, then a light smoothing
    peaks.fill(0);
    for (let k = 1; k < bins - 1; k++)
      if (magnitude[k]! > magnitude[k - 1]! && magnitude[k]! >= magnitude[k + 1]!) {
        peaks[k - 1] = magnitude[k - 1]!;
        peaks[k] = magnitude[k]!;
        peaks[k + 1] = magnitude[k + 1]!;
      }
    for (let k = 1; k < bins - 1; k++) smooth[k] = 0.25 * (peaks[k - 1]! + peaks[k + 1]!) + 0.5 * peaks[k]!;
    for (let i = 0; i < POINTS; i++) {
      const k = at[i]!;
      const value =
        weights[4 * i]! * smooth[k]! +
        weights[4 * i + 1]! * smooth[k + 1]! +
        weights[4 * i + 2]! * smooth[k + 2]! +
        weights[4 * i + 3]! * smooth[k + 3]!;
      line[i] = value > 0 ? value : 0;
    }
    sum.set(line);
    for (let n = 1; n < HARMONICS; n++) {
      const shift = shifts[n]!;
      const gain = gains[n]!;
      const end = Math.min(to + 2, POINTS - shift);
      for (let i = from - 1; i < end; i++) sum[i]! += gain * line[i + shift]!;
    }
    // the mean over all points needs no sums: harmonic n adds what lies above its shift
    let above = 0;
    let mean = 0;
    for (let i = POINTS - 1, n = HARMONICS - 1; i >= 0; i--) {
      above += line[i]!;
      while (n >= 0 && shifts[n] === i) mean += gains[n--]! * above;
    }
    let peak = 0;
    for (let i = from; i <= to; i++) {
      const value = sum[i]!;
      if (value > peak) peak = value;
      if (value > sum[i - 1]! && value >= sum[i + 1]!) addCandidate(t, i);
    }
    raw[t] = peak > 1e-9 ? 1 - mean / POINTS / peak : 0;
    for (let c = t * CANDIDATES; c < (t + 1) * CANDIDATES; c++) score[c] = peak > 1e-9 ? score[c]! / peak : 0;
  };

  /** Keeps the strongest candidates of frame `t`, best first; the peak between two points by a parabola. */
  const addCandidate = (t: number, i: number): void => {
    const value = sum[i]!;
    let c = (t + 1) * CANDIDATES - 1;
    if (score[c]! >= value) return;
    for (; c > t * CANDIDATES && score[c - 1]! < value; c--) {
      score[c] = score[c - 1]!;
      octave[c] = octave[c - 1]!;
    }
    const bend = sum[i - 1]! - 2 * value + sum[i + 1]!;
    const offset = bend < 0 ? Math.max(-0.5, Math.min(0.5, (0.5 * (sum[i - 1]! - sum[i + 1]!)) / bend)) : 0;
    score[c] = value;
    octave[c] = Math.log2(hz[i]!) + offset * step;
  };

  const window = sharedWindow("gauss", size, { periodic: false, sigma: 0.4 });
  const energyOfWindow = window.reduce((sum, w) => sum + w * w, 0);
  forEachSpectra(frames, fftSize, windowed(samples, window, hop), (first, count, plan) => {
    for (let l = 0; l < count; l++) subharmonics(first + l, plan.re, l);
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
