/** @file Mel spectrogram and MFCC as `librosa.feature.melspectrogram` and `librosa.feature.mfcc` compute them (librosa 0.11). */
import { numbered, type FeatureFrames } from "./feature-frames.ts";
import { sharedFilterbank } from "./mel.ts";
import {
  LANES,
  applyFilterbank,
  assertSamples,
  forEachMel,
  forEachSpectra,
  windowed,
  type Samples,
} from "./spectra.ts";
import { sharedWindow, type WindowName } from "./window.ts";

/** Options of {@link librosaMel}: librosa's names in camel case, and its defaults. */
export interface LibrosaMelOptions {
  /** Samples. Default 2048. */
  nFft?: number;
  /** Samples. Default 512. */
  hopLength?: number;
  /** Samples, at most `nFft`, centred in it. Default `nFft`. */
  winLength?: number;
  window?: WindowName;
  /** Frame `t` is centred at sample `t * hopLength`, zeros beyond the ends. False: it starts there. Default true. */
  center?: boolean;
  /** Exponent of the magnitude. Default 2. */
  power?: number;
  /** Default 128. */
  nMels?: number;
  /** Hz. Default 0. */
  fMin?: number;
  /** Hz. Default half the sample rate. */
  fMax?: number;
  /** Default false (Slaney's scale). */
  htk?: boolean;
  norm?: "slaney" | "none";
}

/** Options of {@link librosaMfcc}. */
export interface LibrosaMfccOptions extends LibrosaMelOptions {
  /** Default 20. */
  nMfcc?: number;
  /** Sinusoidal liftering; 0 (default) for none. */
  lifter?: number;
  /** Floor below the loudest value, dB; `null` for none. Default 80. */
  topDb?: number | null;
}

/**
 * `[frames, nMels]` mel energies, linear.
 * @throws RangeError for no samples, sizes or band edges out of range.
 */
export function librosaMel(samples: Samples, sampleRate: number, options: LibrosaMelOptions = {}): FeatureFrames {
  const { nFft = 2048, hopLength = 512, winLength = nFft, window = "hann", center = true, power = 2 } = options;
  const { nMels = 128, fMin = 0, fMax = sampleRate / 2, htk = false, norm = "slaney" } = options;
  assertSamples(samples, sampleRate);
  if (!Number.isInteger(hopLength) || hopLength < 1) throw new RangeError(`hopLength ${hopLength} is not positive`);
  if (winLength > nFft) throw new RangeError(`winLength ${winLength} is longer than nFft ${nFft}`);
  if (!center && samples.length < nFft)
    throw new RangeError(`the clip has ${samples.length} samples, fewer than one frame of ${nFft}`);
  let shape = sharedWindow(window, winLength);
  if (winLength < nFft) {
    shape = new Float64Array(nFft);
    shape.set(sharedWindow(window, winLength), Math.floor((nFft - winLength) / 2));
  }
  const offset = center ? -Math.floor(nFft / 2) : 0;
  const frames = 1 + Math.floor((samples.length + (center ? 2 * Math.floor(nFft / 2) : 0) - nFft) / hopLength);
  const scale = htk ? "htk" : "slaney";
  const bank = sharedFilterbank({ sampleRate, fftSize: nFft, melBins: nMels, fMin, fMax, scale, linearIn: "hz", norm });
  const data = new Float32Array(frames * nMels);
  const store = (first: number, count: number, mel: Float64Array): void => {
    for (let l = 0; l < count; l++) for (let m = 0; m < nMels; m++) data[(first + l) * nMels + m] = mel[m * LANES + l]!;
  };
  if (power === 2) forEachMel(samples, frames, { fftSize: nFft, window: shape, hop: hopLength, offset, bank }, store);
  else {
    const mel = new Float64Array(nMels * LANES);
    forEachSpectra(frames, nFft, windowed(samples, shape, hopLength, offset), (first, count, { re }) => {
      for (let i = 0; i < re.length; i++) re[i] = re[i]! ** (power / 2);
      applyFilterbank(bank, re, mel);
      store(first, count, mel);
    });
  }
  return {
    data,
    frames,
    features: nMels,
    names: numbered("mel", nMels),
    startSeconds: center ? 0 : nFft / 2 / sampleRate,
    hopSeconds: hopLength / sampleRate,
  };
}

/** Power to dB re 1, floored `topDb` below the loudest value, as `librosa.power_to_db`. In place. */
export function powerToDb(data: Float32Array, topDb: number | null = 80): Float32Array {
  let loudest = -Infinity;
  for (let i = 0; i < data.length; i++) {
    const value = 10 * Math.log10(Math.max(1e-10, data[i]!));
    data[i] = value;
    if (value > loudest) loudest = value;
  }
  if (topDb !== null) for (let i = 0; i < data.length; i++) data[i] = Math.max(data[i]!, loudest - topDb);
  return data;
}

/** `[rows, columns]` orthonormal DCT-II. */
export function dctMatrix(rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let k = 0; k < rows; k++)
    for (let n = 0; n < columns; n++)
      out[k * columns + n] =
        Math.sqrt((k === 0 ? 1 : 2) / columns) * Math.cos((Math.PI * k * (2 * n + 1)) / (2 * columns));
  return out;
}

/**
 * `[frames, nMfcc]` cepstral coefficients of the mel spectrogram in dB.
 * @throws RangeError as {@link librosaMel}, and for more coefficients than bands.
 */
export function librosaMfcc(samples: Samples, sampleRate: number, options: LibrosaMfccOptions = {}): FeatureFrames {
  const { nMfcc = 20, lifter = 0, topDb = 80, ...melOptions } = options;
  const mel = librosaMel(samples, sampleRate, melOptions);
  if (nMfcc > mel.features) throw new RangeError(`nMfcc ${nMfcc} exceeds the ${mel.features} mel bands`);
  const db = powerToDb(mel.data, topDb);
  const dct = dctMatrix(nMfcc, mel.features);
  const data = new Float32Array(mel.frames * nMfcc);
  for (let t = 0; t < mel.frames; t++)
    for (let k = 0; k < nMfcc; k++) {
      let sum = 0;
      for (let m = 0; m < mel.features; m++) sum += dct[k * mel.features + m]! * db[t * mel.features + m]!;
      data[t * nMfcc + k] = lifter > 0 ? sum * (1 + (lifter / 2) * Math.sin((Math.PI * (k + 1)) / lifter)) : sum;
    }
  return { ...mel, data, features: nMfcc, names: numbered("mfcc", nMfcc) };
}
