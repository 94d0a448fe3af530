/** @file What every feature function gives: one row per frame, with its names and its times. */

/** Features of one clip, row by row. */
export interface FeatureFrames {
  /** `[frames, features]`, row-major. */
  readonly data: Float32Array;
  readonly frames: number;
  readonly features: number;
  /** One name per column. */
  readonly names: readonly string[];
  /** The centre of frame `t` lies at `startSeconds + t * hopSeconds`. */
  readonly startSeconds: number;
  readonly hopSeconds: number;
}

/** Row `t` of `frames`, as a view. */
export const frameAt = ({ data, features }: FeatureFrames, t: number): Float32Array =>
  data.subarray(t * features, (t + 1) * features);

/** Column `name` of `frames`, as a copy. Throws RangeError, listing the names, when there is none. */
export function column(frames: FeatureFrames, name: string): Float32Array {
  const c = frames.names.indexOf(name);
  if (c < 0) throw new RangeError(`no feature named ${name}; there are: ${frames.names.join(", ")}`);
  return Float32Array.from({ length: frames.frames }, (_, t) => frames.data[t * frames.features + c]!);
}

/** Names `prefix_0 ... prefix_(n-1)`. */
export const numbered = (prefix: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${prefix}_${i}`);
