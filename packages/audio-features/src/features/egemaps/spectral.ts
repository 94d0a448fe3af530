/**
 * @file The ten spectral descriptors of eGeMAPS from frames of 20 ms every 10 ms (Eyben et al., The Geneva Minimalistic Acoustic
 * Parameter Set, IEEE Trans. Affective Computing 7(2), 2016, section 3), before smoothing.
 *
 * What the paper leaves open (window, band edges, scale) was chosen so that values agree with published reference values: Hamming window,
 * 512 bins at 16 kHz, 26 mel bands from 20 Hz to 8 kHz.
 */
import { sharedFilterbank } from "../mel.ts";
import { LANES, forEachSpectra, windowed, type Samples } from "../spectra.ts";
import { sharedWindow } from "../window.ts";

/** One array of `frames` values per descriptor. */
export interface SpectralDescriptors {
  readonly frames: number;
  readonly loudness: Float64Array;
  readonly alphaRatio: Float64Array;
  readonly hammarbergIndex: Float64Array;
  readonly slope0to500: Float64Array;
  readonly slope500to1500: Float64Array;
  readonly spectralFlux: Float64Array;
  /** Coefficients 1 to 4. */
  readonly mfcc: readonly Float64Array[];
}

/** What the formants of a frame are made from. */
export type UsePower = (frame: number, power: Float64Array, lane: number) => void;

const BANDS = 26;
const CEPSTRA = 4;
const LIFTER = 22;

/**
 * Equal loudness at `hz` (Hermansky, Perceptual linear predictive analysis of speech, JASA 87, 1990, equation 5), with the steeper
 * roll-off above 5 kHz for wide bands.
 */
function equalLoudness(hz: number): number {
  const w2 = (2 * Math.PI * hz) ** 2;
  const base = (w2 * w2 * (w2 + 56.8e6)) / ((w2 + 6.3e6) ** 2 * (w2 + 0.38e9));
  return base / (1 + (hz / 4605.88) ** 7);
}

/** Regression weights over the bins from `low` to `high` Hz; their count enters as the width of the band in bins. */
function slopeWeights(low: number, high: number, hzPerBin: number): { first: number; weights: Float64Array } {
  const first = Math.ceil(low / hzPerBin);
  const last = Math.floor(high / hzPerBin);
  const count = (high - low) / hzPerBin;
  let sum = 0;
  let squares = 0;
  for (let k = first; k <= last; k++) {
    sum += k * hzPerBin;
    squares += (k * hzPerBin) ** 2;
  }
  const scale = 1 / (count * squares - sum * sum);
  const weights = Float64Array.from(
    { length: last - first + 1 },
    (_, i) => (count * (first + i) * hzPerBin - sum) * scale,
  );
  return { first, weights };
}

/** The descriptors of a mono clip of at least one frame; `usePower` sees each frame's power spectrum `[257, LANES]` at 16 kHz. */
export function spectralDescriptors(samples: Samples, sampleRate: number, usePower: UsePower): SpectralDescriptors {
  const size = Math.round(0.02 * sampleRate);
  const hop = Math.round(0.01 * sampleRate);
  const frames = Math.max(1, 1 + Math.floor((samples.length - size) / hop));
  const fftSize = 2 ** Math.ceil(Math.log2(size));
  const hzPerBin = sampleRate / fftSize;
  const bin = (hz: number): number => Math.min(fftSize / 2, Math.ceil(hz / hzPerBin));
  const [b1000, b2000, b5000] = [bin(1000), bin(2000), bin(5000)];
  const lastBin = Math.min(fftSize / 2, Math.floor(5000 / hzPerBin));

  const fMax = Math.min(8000, sampleRate / 2);
  const settings = {
    sampleRate,
    fftSize,
    melBins: BANDS,
    fMin: 20,
    fMax,
    scale: "kaldi",
    linearIn: "mel",
    norm: "none",
  } as const;
  const { filters } = sharedFilterbank(settings);
  const step = (Math.log1p(fMax / 700) - Math.log1p(20 / 700)) / (BANDS + 1);
  const loud = Float64Array.from(
    { length: BANDS },
    (_, m) => equalLoudness(700 * Math.expm1(Math.log1p(20 / 700) + (m + 1) * step)) ** 0.33,
  );
  // 3.032351e-4: full-scale samples count as 16-bit ones do in the reference values
  const loudnessScale = 3.032351e-4 ** 0.33;
  const cosines = Array.from({ length: CEPSTRA }, (_, k) =>
    Float64Array.from(
      { length: BANDS },
      (_, m) =>
        Math.sqrt(2 / BANDS) *
        (1 + (LIFTER / 2) * Math.sin((Math.PI * (k + 1)) / LIFTER)) *
        Math.cos((Math.PI * (k + 1) * (m + 0.5)) / BANDS),
    ),
  );
  const low = slopeWeights(0, 500, hzPerBin);
  const mid = slopeWeights(500, 1500, hzPerBin);

  const make = (): Float64Array => new Float64Array(frames);
  const out = {
    frames,
    loudness: make(),
    alphaRatio: make(),
    hammarbergIndex: make(),
    slope0to500: make(),
    slope500to1500: make(),
    spectralFlux: make(),
    mfcc: Array.from({ length: CEPSTRA }, make),
  };
  let before = new Float64Array(b5000);
  let now = new Float64Array(b5000);
  const slope = ({ first, weights }: typeof low, db: Float64Array): number => {
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += weights[i]! * db[first + i]!;
    return sum;
  };
  const db = new Float64Array(Math.floor(1500 / hzPerBin) + 1);
  const bands = new Float64Array(BANDS);
  const one = (t: number, power: Float64Array, lane: number): void => {
    let below = 1e-20;
    let above = 1e-20;
    let peakLow = 1e-20;
    let peakHigh = 1e-20;
    for (let k = 0; k <= lastBin; k++) {
      const p = power[k * LANES + lane]!;
      if (k < b1000) below += p;
      else above += p;
      if (k <= b2000 && p > peakLow) peakLow = p;
      if (k >= b2000 && p > peakHigh) peakHigh = p;
    }
    out.alphaRatio[t] = 10 * Math.log10(above / below);
    out.hammarbergIndex[t] = 10 * Math.log10(peakLow / peakHigh);
    for (let k = 0; k < db.length; k++) db[k] = 10 * Math.log10(power[k * LANES + lane]! + 1e-20);
    out.slope0to500[t] = slope(low, db);
    out.slope500to1500[t] = slope(mid, db);
    let flux = 0;
    for (let k = 0; k < b5000; k++) {
      now[k] = Math.sqrt(power[k * LANES + lane]!);
      flux += (now[k]! - before[k]!) ** 2;
    }
    out.spectralFlux[t] = t === 0 ? 0 : Math.sqrt(flux / b5000);
    [before, now] = [now, before];
    let loudness = 0;
    for (let m = 0; m < BANDS; m++) {
      const { first, weights } = filters[m]!;
      let energy = 0;
      // the reference leaves the first band's first bin out
      for (let i = m === 0 ? 1 : 0; i < weights.length; i++) energy += weights[i]! * power[(first + i) * LANES + lane]!;
      const log = Math.log(Math.max(1e-20, energy));
      loudness += Math.exp(0.33 * log) * loud[m]!;
      bands[m] = log;
    }
    out.loudness[t] = loudness * loudnessScale;
    for (let k = 0; k < CEPSTRA; k++) {
      let sum = 0;
      for (let m = 0; m < BANDS; m++) sum += cosines[k]![m]! * bands[m]!;
      out.mfcc[k]![t] = sum;
    }
  };
  const window = sharedWindow("hamming", size, { periodic: false });
  forEachSpectra(frames, fftSize, windowed(samples, window, hop), (first, count, { re }) => {
    for (let l = 0; l < count; l++) {
      one(first + l, re, l);
      usePower(first + l, re, l);
    }
  });
  return out;
}
