/** @file Normalisation of raw samples as transformers' Wav2Vec2FeatureExtractor does it, for one clip or a padded batch. */
import { assertSamples, type Samples } from "./spectra.ts";

/** Zero mean and unit variance over the clip: `(x - mean) / sqrt(variance + 1e-7)`. Throws RangeError for no samples. */
export function wav2vec2Normalise(samples: Samples): Float32Array {
  assertSamples(samples, 16000);
  let mean = 0;
  for (let i = 0; i < samples.length; i++) mean += samples[i]!;
  mean /= samples.length;
  let variance = 0;
  for (let i = 0; i < samples.length; i++) variance += (samples[i]! - mean) ** 2;
  const scale = 1 / Math.sqrt(variance / samples.length + 1e-7);
  return Float32Array.from(samples, (x) => (x - mean) * scale);
}

/** Clips side by side with zeros after their ends. */
export interface PaddedBatch {
  /** `[clips, length]`. */
  readonly data: Float32Array;
  /** `[clips, length]`: 1 for a sample of the clip, 0 for padding. */
  readonly mask: Uint8Array;
  readonly clips: number;
  readonly length: number;
}

/** Each clip normalised by itself, then padded with zeros to the longest: a clip's numbers do not depend on its neighbours. */
export function wav2vec2Batch(clips: readonly Samples[]): PaddedBatch {
  const length = clips.reduce((longest, clip) => Math.max(longest, clip.length), 0);
  const data = new Float32Array(clips.length * length);
  const mask = new Uint8Array(clips.length * length);
  clips.forEach((clip, c) => {
    data.set(wav2vec2Normalise(clip), c * length);
    mask.fill(1, c * length, c * length + clip.length);
  });
  return { data, mask, clips: clips.length, length };
}
