/** @file Kaldi's filterbank features as `torchaudio.compliance.kaldi.fbank` computes them (no vocal tract length warping). */
import { numbered, type FeatureFrames } from "./feature-frames.ts";
import { sharedFilterbank } from "./mel.ts";
import { LANES, applyFilterbank, assertSamples, forEachSpectra, type FillFrame, type Samples } from "./spectra.ts";
import { sharedWindow, type WindowName } from "./window.ts";

/** Options of {@link kaldiFbank}: torchaudio's names in camel case, and its defaults. */
export interface KaldiFbankOptions {
  /** Ms. Default 25. */
  frameLength?: number;
  /** Ms. Default 10. */
  frameShift?: number;
  numMelBins?: number;
  /** Hz. Default 20. */
  lowFreq?: number;
  /** Hz; zero or less counts from Nyquist. Default 0. */
  highFreq?: number;
  preemphasisCoefficient?: number;
  removeDcOffset?: boolean;
  /** Default `povey`. */
  windowType?: Exclude<WindowName, "gauss"> | "hanning";
  blackmanCoeff?: number;
  /** Next power of two for the FFT. Default true. */
  roundToPowerOfTwo?: boolean;
  /** Frames lie wholly inside the clip. False: the clip is mirrored at its ends. Default true. */
  snipEdges?: boolean;
  /** Power (default) or magnitude. */
  usePower?: boolean;
  /** Natural logarithm (default). */
  useLogFbank?: boolean;
  /** Adds the log energy as a first column. Default false. */
  useEnergy?: boolean;
  /** Energy of the raw frame (default), or after pre-emphasis and window. */
  rawEnergy?: boolean;
  /** Default 1, as in torchaudio. */
  energyFloor?: number;
  /** Subtracts each column's mean over the clip. Default false. */
  subtractMean?: boolean;
  /** Standard deviation of Gaussian noise added to each sample; only 0 (the default) gives reproducible features. */
  dither?: 0;
}

/** torch.finfo(torch.float).eps, the floor under the logarithm. */
const EPSILON = 2 ** -23;

/**
 * `[frames, numMelBins]` (one more column first with `useEnergy`).
 * @param samples Mono; torchaudio users pass -1 to 1, Kaldi itself 16-bit integers.
 * @throws RangeError for no samples, a clip shorter than one frame, band edges out of range.
 */
export function kaldiFbank(samples: Samples, sampleRate: number, options: KaldiFbankOptions = {}): FeatureFrames {
  const {
    frameLength = 25,
    frameShift = 10,
    numMelBins = 23,
    lowFreq = 20,
    highFreq = 0,
    preemphasisCoefficient: preemphasis = 0.97,
    removeDcOffset = true,
    windowType = "povey",
    blackmanCoeff = 0.42,
    roundToPowerOfTwo = true,
    snipEdges = true,
    usePower = true,
    useLogFbank = true,
    useEnergy = false,
    rawEnergy = true,
    energyFloor = 1,
    subtractMean = false,
  } = options;
  assertSamples(samples, sampleRate);
  const shift = Math.floor((sampleRate * frameShift) / 1000);
  const size = Math.floor((sampleRate * frameLength) / 1000);
  if (shift < 1 || size < 2) throw new RangeError(`frames of ${size} samples every ${shift}: both must be larger`);
  if (samples.length < size && snipEdges)
    throw new RangeError(`the clip has ${samples.length} samples, fewer than one frame of ${size}`);
  const frames = snipEdges
    ? 1 + Math.floor((samples.length - size) / shift)
    : Math.floor((samples.length + Math.floor(shift / 2)) / shift);
  const fftSize = roundToPowerOfTwo ? 2 ** Math.ceil(Math.log2(size)) : size;
  const window = sharedWindow(windowType === "hanning" ? "hann" : windowType, size, {
    periodic: false,
    blackmanCoefficient: blackmanCoeff,
  });
  const bank = sharedFilterbank({
    sampleRate,
    fftSize,
    melBins: numMelBins,
    fMin: lowFreq,
    fMax: highFreq > 0 ? highFreq : highFreq + sampleRate / 2,
    scale: "kaldi",
    linearIn: "mel",
    norm: "none",
  });

  const frame = new Float64Array(size);
  const energies = new Float64Array(LANES);
  const start = snipEdges ? 0 : Math.floor(shift / 2) - Math.floor(size / 2);
  const n = samples.length;
  // beyond the ends Kaldi mirrors with the edge sample repeated
  const mirror = (i: number): number => {
    const p = ((i % (2 * n)) + 2 * n) % (2 * n);
    return p < n ? p : 2 * n - 1 - p;
  };
  const energyOf = (): number =>
    Math.log(
      Math.max(
        EPSILON,
        frame.reduce((sum, x) => sum + x * x, 0),
      ),
    );
  const fill: FillFrame = (t, out, lane) => {
    const first = start + t * shift;
    const inside = first >= 0 && first + size <= n;
    let mean = 0;
    for (let i = 0; i < size; i++) mean += frame[i] = samples[inside ? first + i : mirror(first + i)]!;
    if (removeDcOffset) {
      mean /= size;
      for (let i = 0; i < size; i++) frame[i]! -= mean;
    }
    if (useEnergy && rawEnergy) energies[lane] = energyOf();
    for (let i = size - 1; i > 0; i--) frame[i]! -= preemphasis * frame[i - 1]!;
    frame[0]! *= 1 - preemphasis;
    for (let i = 0; i < size; i++) frame[i]! *= window[i]!;
    if (useEnergy && !rawEnergy) energies[lane] = energyOf();
    for (let i = 0; i < size; i++) out[lane + i * LANES] = frame[i]!;
  };

  const extra = useEnergy ? 1 : 0;
  const features = numMelBins + extra;
  const data = new Float32Array(frames * features);
  const mel = new Float64Array(numMelBins * LANES);
  const logFloor = energyFloor > 0 ? Math.log(energyFloor) : -Infinity;
  forEachSpectra(frames, fftSize, fill, (first, count, plan) => {
    const power = plan.re;
    if (!usePower) for (let i = 0; i < power.length; i++) power[i] = Math.sqrt(power[i]!);
    applyFilterbank(bank, power, mel);
    for (let l = 0; l < count; l++) {
      const row = (first + l) * features;
      if (useEnergy) data[row] = Math.max(energies[l]!, logFloor);
      for (let m = 0; m < numMelBins; m++) {
        const value = mel[m * LANES + l]!;
        data[row + extra + m] = useLogFbank ? Math.log(Math.max(EPSILON, value)) : value;
      }
    }
  });
  if (subtractMean) subtractColumnMeans(data, frames, features);
  return {
    data,
    frames,
    features,
    names: [...(useEnergy ? ["log_energy"] : []), ...numbered("fbank", numMelBins)],
    startSeconds: (start + size / 2) / sampleRate,
    hopSeconds: shift / sampleRate,
  };
}

function subtractColumnMeans(data: Float32Array, frames: number, features: number): void {
  for (let c = 0; c < features; c++) {
    let sum = 0;
    for (let t = 0; t < frames; t++) sum += data[t * features + c]!;
    for (let t = 0; t < frames; t++) data[t * features + c]! -= sum / frames;
  }
}
