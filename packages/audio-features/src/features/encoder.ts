/** @file Features of a speech encoder: its frames, or their mean over the clip. The encoder is given; `frameEncoder` of `@emosllm/backbones` is one. */
import type { CacheableFeature } from "../cache/build.ts";
import type { FeatureFrames } from "./feature-frames.ts";

/** What is needed of an encoder. */
export interface FrameSource {
  /** Hash of its weights and configuration. */
  readonly fingerprint: string;
  /** Everything else that its numbers depend on, e.g. precision and windows. */
  readonly settings: Readonly<Record<string, number | string>>;
  /** Hidden states of which a frame is made, side by side. */
  readonly layers: readonly number[];
  /** Numbers of one layer. */
  readonly hiddenSize: number;
  /** Hz that clips must have. */
  readonly sampleRate: number;
  readonly startSeconds: number;
  readonly hopSeconds: number;
  encode(clips: readonly Float32Array[]): Promise<readonly { readonly data: Float32Array; readonly frames: number }[]>;
}

/** Options of {@link encoderFeature}. */
export interface EncoderFeatureOptions {
  /** `frames` (default), or `mean`: one row for the clip. */
  readonly pool?: "frames" | "mean";
  /** Sound that goes through the encoder together, in seconds. Default 40. */
  readonly batchSeconds?: number;
}

/**
 * The frames of `source` as a feature that can be cached: columns `layer<N>_<i>`, frame `t` centred at `startSeconds + t * hopSeconds`.
 * `mean` gives one row per clip, whose time is the clip's middle.
 */
export function encoderFeature(
  source: FrameSource,
  { pool = "frames", batchSeconds = 40 }: EncoderFeatureOptions = {},
): CacheableFeature {
  const { layers, hiddenSize, sampleRate, startSeconds, hopSeconds } = source;
  const features = layers.length * hiddenSize;
  const names = layers.flatMap((layer) => Array.from({ length: hiddenSize }, (_, i) => `layer${layer}_${i}`));
  const run = async (clips: readonly Float32Array[], rate: number): Promise<FeatureFrames[]> => {
    if (rate !== sampleRate) throw new RangeError(`the encoder takes ${sampleRate} Hz, not ${rate} Hz`);
    const encoded = await source.encode(clips);
    return encoded.map(({ data, frames }, i) => {
      if (pool === "frames") return { data, frames, features, names, startSeconds, hopSeconds };
      const seconds = (clips[i]?.length ?? 0) / rate;
      const mean = meanFrame(data, frames, features);
      return { data: mean, frames: 1, features, names, startSeconds: seconds / 2, hopSeconds: seconds };
    });
  };
  return {
    kind: pool === "frames" ? "encoder" : "encoder-mean",
    settings: { ...source.settings, layers, sampleRate },
    model: source.fingerprint,
    perClipTimes: pool === "mean",
    compute: async (samples, rate) => (await run([samples], rate))[0] as FeatureFrames,
    computeBatch: { seconds: batchSeconds, run },
  };
}

function meanFrame(data: Float32Array, frames: number, features: number): Float32Array {
  const sums = new Float64Array(features);
  for (let t = 0; t < frames; t++) for (let c = 0; c < features; c++) sums[c]! += data[t * features + c]!;
  return Float32Array.from(sums, (sum) => sum / frames);
}
