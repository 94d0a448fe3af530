/** @file Kaldi filterbanks of sound that arrives in blocks: the same frames as all at once. */
import type { FeatureFrames } from "./feature-frames.ts";
import { kaldiFbank, type KaldiFbankOptions } from "./kaldi.ts";
import type { Samples } from "./spectra.ts";

/** Options that need no look at the whole clip. */
export type StreamFbankOptions = Omit<KaldiFbankOptions, "snipEdges" | "subtractMean">;

/** Takes blocks of any size and gives the frames that they complete. */
export interface FbankStream {
  /** New frames, or `undefined` when the block completes none; `startSeconds` counts from the stream's beginning. */
  push(block: Samples): FeatureFrames | undefined;
  /** Frames given so far. */
  readonly frames: number;
}

/**
 * A stream of {@link kaldiFbank} frames; samples after the last whole frame are never given, as with `snipEdges`.
 * @throws RangeError as {@link kaldiFbank}, from `push`.
 */
export function streamKaldiFbank(sampleRate: number, options: StreamFbankOptions = {}): FbankStream {
  const { frameLength = 25, frameShift = 10 } = options;
  const size = Math.floor((sampleRate * frameLength) / 1000);
  const shift = Math.floor((sampleRate * frameShift) / 1000);
  let rest = new Float32Array(0);
  let frames = 0;
  return {
    get frames() {
      return frames;
    },
    push(block) {
      const joined = new Float32Array(rest.length + block.length);
      joined.set(rest);
      joined.set(block, rest.length);
      if (joined.length < size) {
        rest = joined;
        return undefined;
      }
      const out = kaldiFbank(joined, sampleRate, options);
      const before = frames;
      frames += out.frames;
      rest = joined.slice(out.frames * shift);
      return { ...out, startSeconds: out.startSeconds + before * out.hopSeconds };
    },
  };
}
