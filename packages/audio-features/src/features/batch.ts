/** @file Features of several clips side by side: padded with zeros, with a mask. */
import type { FeatureFrames } from "./feature-frames.ts";

/** Features of clips of different lengths. */
export interface FeatureBatch {
  /** `[clips, frames, features]`, zeros after a clip's end. */
  readonly data: Float32Array;
  /** `[clips, frames]`: 1 for a frame of the clip, 0 for padding. */
  readonly mask: Uint8Array;
  readonly clips: number;
  readonly frames: number;
  readonly features: number;
  readonly names: readonly string[];
}

/**
 * Pads `clips` to the longest (or to `frames`). A clip's numbers are those of the clip alone.
 * @throws RangeError for no clips, clips of different features, or a clip longer than `frames`.
 */
export function batchFeatures(clips: readonly FeatureFrames[], options: { frames?: number } = {}): FeatureBatch {
  const first = clips[0];
  if (first === undefined) throw new RangeError("a batch needs at least one clip");
  const { features, names } = first;
  const longest = clips.reduce((n, clip) => Math.max(n, clip.frames), 0);
  const { frames = longest } = options;
  if (longest > frames) throw new RangeError(`a clip has ${longest} frames, more than the ${frames} of the batch`);
  const data = new Float32Array(clips.length * frames * features);
  const mask = new Uint8Array(clips.length * frames);
  clips.forEach((clip, i) => {
    if (clip.features !== features)
      throw new RangeError(`clip ${i} has ${clip.features} features, clip 0 has ${features}`);
    data.set(clip.data, i * frames * features);
    mask.fill(1, i * frames, i * frames + clip.frames);
  });
  return { data, mask, clips: clips.length, frames, features, names };
}
