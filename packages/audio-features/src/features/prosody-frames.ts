/** @file Weight-free frames for small models: log-mel bands beside pitch, voicing and loudness, 100 frames per second. */
import { trackF0 } from "./f0.ts";
import { numbered, type FeatureFrames } from "./feature-frames.ts";
import { sharedFilterbank } from "./mel.ts";
import { LANES, assertSamples, forEachMel, type Samples } from "./spectra.ts";
import { sharedWindow } from "./window.ts";

/** Per column: `(x - mean) / std`. */
export interface ColumnStatistics {
  readonly mean: ArrayLike<number>;
  readonly std: ArrayLike<number>;
}

/** Options of {@link prosodyFrames}. */
export interface ProsodyFramesOptions {
  /** Default 40. */
  melBins?: number;
  /** Default 0.01. */
  hopSeconds?: number;
  /** Hz. Default 60. */
  fMin?: number;
  /** Hz. Default 500. */
  fMax?: number;
  /** Appends the slopes (per frame, over 5 frames) of pitch, voicing and loudness. Default true. */
  deltas?: boolean;
  /**
   * `none` (default); `clip`: each column to zero mean and unit variance over the clip (a speaker's level is lost with it);
   * statistics, e.g. of the training split: the same shift and scale for every clip.
   */
  normalise?: "none" | "clip" | ColumnStatistics;
}

/** `20 log10` of the RMS over `windowSeconds` around `t * hopSeconds`, floored at -100 dB re full scale. */
export function rmsLevel(samples: Samples, sampleRate: number, hopSeconds = 0.01, windowSeconds = 0.025): Float32Array {
  assertSamples(samples, sampleRate);
  const hop = hopSeconds * sampleRate;
  const half = Math.max(1, Math.round((windowSeconds * sampleRate) / 2));
  return Float32Array.from({ length: 1 + Math.floor(samples.length / hop) }, (_, t) => {
    const centre = Math.round(t * hop);
    const to = Math.min(samples.length, centre + half);
    let sum = 0;
    for (let i = Math.max(0, centre - half); i < to; i++) sum += samples[i]! * samples[i]!;
    return Math.max(-100, 10 * Math.log10(sum / (2 * half) + 1e-10));
  });
}

/** Regression slope over five frames (HTK's delta with a window of 2), edges repeated. */
export function delta(values: ArrayLike<number>): Float32Array {
  const last = values.length - 1;
  const at = (t: number): number => values[Math.max(0, Math.min(last, t))]!;
  return Float32Array.from(
    { length: values.length },
    (_, t) => (at(t + 1) - at(t - 1) + 2 * (at(t + 2) - at(t - 2))) / 10,
  );
}

/** Fills gaps of a pitch contour (0 = unvoiced): a straight line between voiced frames, the nearest value at the ends, `fallback` without any. */
function bridge(contour: Float32Array, fallback: number): Float32Array {
  const out = Float32Array.from(contour);
  let before = -1;
  for (let t = 0; t <= out.length; t++) {
    if (t < out.length && contour[t] === 0) continue;
    for (let g = before + 1; g < t; g++) {
      const share = (g - before) / (t - before);
      if (before >= 0 && t < out.length) out[g] = contour[before]! * (1 - share) + contour[t]! * share;
      else out[g] = before >= 0 ? contour[before]! : t < out.length ? contour[t]! : fallback;
    }
    before = t;
  }
  return out;
}

/** Octaves re 100 Hz of a clip without any voiced frame. */
const NO_PITCH = 0.5;

/**
 * `[frames, melBins + 3 (+ 3)]`: `log_mel_*` (natural logarithm, 20 Hz to 8 kHz or Nyquist), `log_f0` (octaves re 100 Hz, unvoiced gaps
 * bridged by straight lines), `voicing_probability`, `level` (units of 10 dB re full scale), then `delta_*` of these three.
 * Frame `t` is centred at `t * hopSeconds`; there are `1 + floor(duration / hop)`.
 * @throws RangeError for no samples, samples that are not finite, or statistics of another width.
 */
export function prosodyFrames(samples: Samples, sampleRate: number, options: ProsodyFramesOptions = {}): FeatureFrames {
  const { melBins = 40, hopSeconds = 0.01, fMin = 60, fMax = 500, deltas = true, normalise = "none" } = options;
  const track = trackF0(samples, sampleRate, { hopSeconds, fMin, fMax });
  const octaves = track.f0.map((hz) => (hz > 0 ? Math.log2(hz / 100) || 1e-6 : 0));
  const prosody = [
    bridge(octaves, NO_PITCH),
    track.voicing,
    rmsLevel(samples, sampleRate, hopSeconds).map((db) => db / 10),
  ];
  const names = ["log_f0", "voicing_probability", "level"];
  if (deltas) {
    prosody.push(...prosody.map(delta));
    names.push(...names.map((name) => `delta_${name}`));
  }
  const { frames } = track;
  const features = melBins + prosody.length;
  const data = new Float32Array(frames * features);
  logMelBands(samples, sampleRate, hopSeconds, melBins, frames, features, data);
  prosody.forEach((values, c) => {
    for (let t = 0; t < frames; t++) data[t * features + melBins + c] = values[t]!;
  });
  if (normalise !== "none")
    normaliseColumns(data, features, normalise === "clip" ? columnStatistics([{ data, features }]) : normalise);
  return { data, frames, features, names: [...numbered("log_mel", melBins), ...names], startSeconds: 0, hopSeconds };
}

function logMelBands(
  samples: Samples,
  sampleRate: number,
  hopSeconds: number,
  melBins: number,
  frames: number,
  features: number,
  data: Float32Array,
): void {
  const size = Math.round(0.025 * sampleRate);
  const fftSize = 2 ** Math.ceil(Math.log2(size));
  const fMax = Math.min(8000, sampleRate / 2);
  const bank = sharedFilterbank({
    sampleRate,
    fftSize,
    melBins,
    fMin: 20,
    fMax,
    scale: "htk",
    linearIn: "mel",
    norm: "none",
  });
  const settings = {
    fftSize,
    window: sharedWindow("hann", size),
    hop: Math.round(hopSeconds * sampleRate),
    offset: -(size >> 1),
    bank,
    log: { floor: 1e-6, scale: 1 },
  };
  forEachMel(samples, frames, settings, (first, count, mel) => {
    for (let l = 0; l < count; l++)
      for (let m = 0; m < melBins; m++) data[(first + l) * features + m] = mel[m * LANES + l]!;
  });
}

/** Gathers mean and standard deviation of each column, clip after clip: none of them needs to stay. */
export interface ColumnAccumulator {
  /** Throws RangeError for a clip of another width. */
  add(clip: { readonly data: ArrayLike<number>; readonly features: number }): void;
  /** A constant column gets a deviation of 1. */
  result(): { mean: Float64Array; std: Float64Array };
}

/** Starts without any frame. */
export function columnAccumulator(): ColumnAccumulator {
  let mean = new Float64Array(0);
  let squares = new Float64Array(0);
  let rows = 0;
  return {
    add: ({ data, features }) => {
      if (rows === 0) [mean, squares] = [new Float64Array(features), new Float64Array(features)];
      if (features !== mean.length)
        throw new RangeError(`a clip has ${features} features, the first has ${mean.length}`);
      for (let i = 0; i < data.length; i += features) {
        const share = 1 / ++rows;
        // Welford's update: exact also for columns whose mean is far from 0
        for (let c = 0; c < features; c++) {
          const away = data[i + c]! - mean[c]!;
          mean[c]! += away * share;
          squares[c]! += away * (data[i + c]! - mean[c]!);
        }
      }
    },
    result: () => ({
      mean,
      std: squares.map((s) => {
        const deviation = Math.sqrt(s / Math.max(1, rows));
        return deviation > 1e-8 ? deviation : 1;
      }),
    }),
  };
}

/** Mean and standard deviation of each column over all frames of `clips`; a constant column gets a deviation of 1. */
export function columnStatistics(clips: Iterable<{ data: ArrayLike<number>; features: number }>): {
  mean: Float64Array;
  std: Float64Array;
} {
  const columns = columnAccumulator();
  for (const clip of clips) columns.add(clip);
  return columns.result();
}

/** `(x - mean) / std` per column, in place. Throws RangeError when the widths differ. */
export function normaliseColumns(data: Float32Array, features: number, { mean, std }: ColumnStatistics): void {
  if (mean.length !== features || std.length !== features)
    throw new RangeError(`statistics for ${mean.length} and ${std.length} columns, features have ${features}`);
  for (let i = 0; i < data.length; i++) data[i] = (data[i]! - mean[i % features]!) / std[i % features]!;
}
