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
  /** 1 - mean / peak of the subharmonic sum, averaged over three frames. */
  readonly voicing: Float64Array;
  /** dB, from the autocorrelation at the pitch period; 0 where unvoiced. */
  readonly hnr: Float64Array;
  /** `[frames, bins]` magnitudes in dB. */
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
/** Frames above it are voiced. */
const VOICING_THRESHOLD = 0.73;

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

  const f0 = new Float64Array(frames);
  const raw = new Float64Array(frames);
  const hnr = new Float64Array(frames);
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
      for (let i = 0; i < POINTS - shift; i++) sum[i]! += gain * line[i + shift]!;
    }
    let best = from;
    let mean = 0;
    for (let i = 0; i < POINTS; i++) mean += sum[i]!;
    for (let i = from + 1; i <= to; i++) if (sum[i]! > sum[best]!) best = i;
    const peak = sum[best]!;
    raw[t] = peak > 1e-9 ? 1 - mean / POINTS / peak : 0;
    const before = sum[best - 1]!;
    const after = sum[best + 1]!;
    const bend = before - 2 * peak + after;
    const offset = bend < 0 ? Math.max(-0.5, Math.min(0.5, (0.5 * (before - after)) / bend)) : 0;
    f0[t] = hz[best]! * 2 ** (offset * step);
  };

  const window = sharedWindow("gauss", size, { periodic: false, sigma: 0.4 });
  forEachSpectra(frames, fftSize, windowed(samples, window, hop), (first, count, plan) => {
    for (let l = 0; l < count; l++) subharmonics(first + l, plan.re, l);
    const acf = autocorrelate(plan);
    for (let l = 0; l < count; l++) {
      const t = first + l;
      const ratio = periodPeak(acf, l, sampleRate / f0[t]!) / acf[l]!;
      hnr[t] = acf[l]! > 0 ? 10 * Math.log10(Math.max(1e-10, ratio) / Math.max(1e-10, 1 - ratio)) : 0;
    }
  });
  for (let i = 0; i < spectrum.length; i++) spectrum[i] = 10 * Math.log10(spectrum[i]! + 1e-20);

  const voicing = raw.map((v, t) => {
    const before = raw[Math.max(0, t - 1)]!;
    const after = raw[Math.min(frames - 1, t + 1)]!;
    return (before + v + after) / 3;
  });
  for (let t = 0; t < frames; t++) {
    if (voicing[t]! > VOICING_THRESHOLD) continue;
    f0[t] = 0;
    hnr[t] = 0;
  }
  return { frames, f0, voicing, hnr, spectrum, bins, hzPerBin };
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
