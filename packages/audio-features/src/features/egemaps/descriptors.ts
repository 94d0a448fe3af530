/**
 * @file The 25 low-level descriptors of eGeMAPS: Eyben, Scherer, Schuller et al., The Geneva Minimalistic Acoustic Parameter Set
 * (GeMAPS) for Voice Research and Affective Computing, IEEE Transactions on Affective Computing 7(2), 2016. Implemented from the
 * paper; column names are those that users of the set know.
 */
import type { FeatureFrames } from "../feature-frames.ts";
import { assertSamples, type Samples } from "../spectra.ts";
import { formantTracker, type Formants } from "./formants.ts";
import { perturbation, type Perturbation } from "./perturbation.ts";
import { pitchFrames, type PitchFrames } from "./pitch.ts";
import { spectralDescriptors, type SpectralDescriptors } from "./spectral.ts";

/** Everything eGeMAPS measures, before smoothing. Frame `t` of every array starts at `t * 10` ms. */
export interface RawDescriptors {
  readonly spectral: SpectralDescriptors;
  readonly pitch: PitchFrames;
  readonly perturbation: Perturbation;
  readonly formants: Formants;
  /** dB: first over second overtone, first overtone over the strongest harmonic near the third formant; 0 where unvoiced. */
  readonly h1h2: Float64Array;
  readonly h1a3: Float64Array;
  /** dB re the fundamental, {@link NO_HARMONIC} where there is none. */
  readonly amplitude: readonly [Float64Array, Float64Array, Float64Array];
  /** Semitones above 27.5 Hz, 0 where unvoiced. */
  readonly semitone: Float64Array;
}

/** Relative amplitude of a formant in a frame without harmonics, as the reference values have it. */
export const NO_HARMONIC = -201;

/** Column names of {@link egemapsLld}, in the order of the reference implementation's output. */
export const EGEMAPS_LLD_NAMES: readonly string[] = [
  "Loudness_sma3",
  "alphaRatio_sma3",
  "hammarbergIndex_sma3",
  "slope0-500_sma3",
  "slope500-1500_sma3",
  "spectralFlux_sma3",
  "mfcc1_sma3",
  "mfcc2_sma3",
  "mfcc3_sma3",
  "mfcc4_sma3",
  "F0semitoneFrom27.5Hz_sma3nz",
  "jitterLocal_sma3nz",
  "shimmerLocaldB_sma3nz",
  "HNRdBACF_sma3nz",
  "logRelF0-H1-H2_sma3nz",
  "logRelF0-H1-A3_sma3nz",
  ...[1, 2, 3].flatMap((f) => [`F${f}frequency_sma3nz`, `F${f}bandwidth_sma3nz`, `F${f}amplitudeLogRelF0_sma3nz`]),
];

/** Moving average over three frames, edges repeated. */
export function smooth(values: Float64Array): Float64Array {
  const last = values.length - 1;
  return values.map((v, t) => (values[Math.max(0, t - 1)]! + v + values[Math.min(last, t + 1)]!) / 3);
}

/** Moving average over those of three frames that are not 0; a 0 stays 0. */
export function smoothNonZero(values: Float64Array): Float64Array {
  return values.map((v, t) => {
    if (v === 0) return 0;
    const before = values[t - 1] ?? 0;
    const after = values[t + 1] ?? 0;
    return (before + v + after) / (1 + (before !== 0 ? 1 : 0) + (after !== 0 ? 1 : 0));
  });
}

/** The strongest bin within a quarter of the pitch around harmonic `n`, dB. */
function harmonic(pitch: PitchFrames, t: number, n: number): number {
  const { spectrum, bins, hzPerBin } = pitch;
  const f0 = pitch.f0[t]!;
  const reach = Math.max(hzPerBin, f0 / 4);
  const from = Math.max(1, Math.ceil((n * f0 - reach) / hzPerBin));
  const to = Math.min(bins - 1, Math.floor((n * f0 + reach) / hzPerBin));
  let best = 0;
  for (let k = from; k <= to; k++) best = Math.max(best, spectrum[t * bins + k]!);
  return 10 * Math.log10(best + 1e-20);
}

/** The stronger of the two harmonics that enclose `hz`, dB. */
function harmonicNear(pitch: PitchFrames, t: number, hz: number): number {
  const below = Math.max(1, Math.floor(hz / pitch.f0[t]!));
  return Math.max(harmonic(pitch, t, below), harmonic(pitch, t, below + 1));
}

/** Measures a mono clip; one shorter than a frame of 60 ms is padded with zeros. */
export function rawDescriptors(samples: Samples, sampleRate: number): RawDescriptors {
  assertSamples(samples, sampleRate);
  if (sampleRate < 8000) throw new RangeError(`eGeMAPS needs at least 8000 Hz, not ${sampleRate} Hz`);
  const least = Math.round(0.06 * sampleRate);
  const clip = samples.length >= least ? samples : new Float32Array(least);
  if (clip !== samples) clip.set(samples);
  const frames20 = 1 + Math.floor((clip.length - Math.round(0.02 * sampleRate)) / Math.round(0.01 * sampleRate));
  const fftSize = 2 ** Math.ceil(Math.log2(Math.round(0.02 * sampleRate)));
  const tracker = formantTracker(frames20, sampleRate, fftSize);
  const spectral = spectralDescriptors(clip, sampleRate, tracker.add);
  const { formants } = tracker;
  const pitch = pitchFrames(clip, sampleRate);
  const { frames, f0 } = pitch;
  const make = (): Float64Array => new Float64Array(frames);
  const [h1h2, h1a3] = [make(), make()];
  const amplitude = [make(), make(), make()] as const;
  for (let t = 0; t < frames; t++) {
    if (f0[t] === 0) {
      for (const a of amplitude) a[t] = NO_HARMONIC;
      continue;
    }
    // the reference counts from the fundamental as H0: its H1 lies at twice the pitch
    const h0 = harmonic(pitch, t, 1);
    const h1 = harmonic(pitch, t, 2);
    h1h2[t] = h1 - harmonic(pitch, t, 3);
    amplitude.forEach((a, f) => {
      const hz = formants.frequency[f]![t]!;
      a[t] = hz > 0 ? harmonicNear(pitch, t, hz) - h0 : NO_HARMONIC;
    });
    h1a3[t] = amplitude[2][t] === NO_HARMONIC ? 0 : h1 - h0 - amplitude[2][t]!;
  }
  return {
    spectral,
    pitch,
    perturbation: perturbation(clip, sampleRate, pitch),
    formants,
    h1h2,
    h1a3,
    amplitude,
    semitone: f0.map((hz) => (hz > 0 ? 12 * Math.log2(hz / 27.5) : 0)),
  };
}

/** The 25 smoothed descriptors, one array each, keyed by {@link EGEMAPS_LLD_NAMES}. */
export function smoothedDescriptors(raw: RawDescriptors): Map<string, Float64Array> {
  const { spectral, pitch, formants } = raw;
  const values = [
    spectral.loudness,
    spectral.alphaRatio,
    spectral.hammarbergIndex,
    spectral.slope0to500,
    spectral.slope500to1500,
    spectral.spectralFlux,
    ...spectral.mfcc,
  ].map(smooth);
  const voiced = [raw.semitone, raw.perturbation.jitter, raw.perturbation.shimmer, pitch.hnr, raw.h1h2, raw.h1a3];
  for (const f of [0, 1, 2] as const) voiced.push(formants.frequency[f], formants.bandwidth[f], raw.amplitude[f]);
  values.push(...voiced.map(smoothNonZero));
  return new Map(EGEMAPS_LLD_NAMES.map((name, i) => [name, values[i]!]));
}

/**
 * `[frames, 25]`: the smoothed low-level descriptors, 100 frames per second; frame `t` starts at `t * 10` ms, spectral descriptors cover
 * 20 ms from there, pitch and voice quality 60 ms. Pitch in semitones above 27.5 Hz, frequencies and bandwidths in Hz, ratios in dB,
 * slopes in dB/Hz; 0 means not measurable (unvoiced).
 * @param samples Mono; 16 kHz gives the numbers of the reference.
 * @throws RangeError for no samples, samples that are not finite, a rate below 8 kHz.
 */
export function egemapsLld(samples: Samples, sampleRate: number): FeatureFrames {
  const raw = rawDescriptors(samples, sampleRate);
  const { frames } = raw.pitch;
  const features = EGEMAPS_LLD_NAMES.length;
  const data = new Float32Array(frames * features);
  let c = 0;
  for (const values of smoothedDescriptors(raw).values()) {
    for (let t = 0; t < frames; t++) data[t * features + c] = values[t]!;
    c++;
  }
  return { data, frames, features, names: EGEMAPS_LLD_NAMES, startSeconds: 0.01, hopSeconds: 0.01 };
}
