/**
 * @file Whisper's log-mel spectrogram (Radford et al. 2023; transformers' WhisperFeatureExtractor) as a part of the graph: a Hann window
 * and a Fourier transform as one convolution, Slaney's mel filters, 80 dB below the clip's loudest at most.
 */
import {
  type Dim,
  type Tensor,
  add,
  concat,
  constant,
  conv1d,
  gather,
  log,
  matmul,
  max,
  maximum,
  mul,
  reshape,
  slice,
  sub,
} from "@emosllm/graph";

/** Sizes of {@link logMel}. */
export interface LogMelConfig {
  readonly mels: number;
  /** Samples of a window. */
  readonly window: number;
  /** Samples from one frame to the next. */
  readonly hop: number;
  readonly sampleRate: number;
}

/** waveform `[rows, samples]` with a fixed number of samples -> `[rows, mels, samples / hop]`. */
export function logMel(waveform: Tensor, { mels, window, hop, sampleRate }: LogMelConfig): Tensor {
  const [rows, samples] = waveform.shape as [Dim, number];
  const side = Math.floor(window / 2);
  const mirrored = (from: number, step: number): Tensor =>
    gather(waveform, constant(BigInt64Array.from({ length: side }, (_, i) => BigInt(from + step * i))), 1);
  const wide = concat([mirrored(side, -1), waveform, mirrored(samples - 2, -1)], 1);
  const bins = side + 1;
  const spectrum = conv1d(reshape(wide, [rows, 1, samples + 2 * side]), fourierBasis(window), { stride: hop });
  const frames = slice(spectrum, 2, 0, Math.floor(samples / hop));
  const [re, im] = [slice(frames, 1, 0, bins), slice(frames, 1, bins)];
  const power = add(mul(re, re), mul(im, im));
  const mel = matmul(constant(melFilters(mels, bins, sampleRate), [mels, bins]), power);
  const log10 = mul(log(maximum(mel, 1e-10)), 1 / Math.LN10);
  const floor = sub(max(log10, [1, 2], { keepDims: true }), 8);
  return mul(add(maximum(log10, floor), 4), 0.25);
}

/** Windowed cosines, then sines: `[2 * (window/2 + 1), 1, window]`. */
function fourierBasis(window: number): Tensor {
  const bins = Math.floor(window / 2) + 1;
  const basis = new Float32Array(2 * bins * window);
  for (let n = 0; n < window; n++) {
    const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / window);
    for (let k = 0; k < bins; k++) {
      const angle = (2 * Math.PI * ((k * n) % window)) / window;
      basis[k * window + n] = hann * Math.cos(angle);
      basis[(bins + k) * window + n] = -hann * Math.sin(angle);
    }
  }
  return constant(basis, [2 * bins, 1, window]);
}

const toMel = (hz: number): number => (hz < 1000 ? (3 * hz) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4));
const toHz = (mel: number): number => (mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp((Math.log(6.4) * (mel - 15)) / 27));

/** Slaney's triangles from 0 Hz to half the rate, each of area 1: `[mels, bins]`. */
function melFilters(mels: number, bins: number, sampleRate: number): Float32Array {
  const top = toMel(sampleRate / 2);
  const edges = Array.from({ length: mels + 2 }, (_, i) => toHz((top * i) / (mels + 1)));
  const filters = new Float32Array(mels * bins);
  for (let m = 0; m < mels; m++) {
    const [low, centre, high] = edges.slice(m, m + 3) as [number, number, number];
    for (let k = 0; k < bins; k++) {
      const hz = (k * sampleRate) / 2 / (bins - 1);
      const height = Math.min((hz - low) / (centre - low), (high - hz) / (high - centre));
      filters[m * bins + k] = (Math.max(0, height) * 2) / (high - low);
    }
  }
  return filters;
}
