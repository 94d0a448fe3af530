import type { FeatureFrames } from "../src/features/feature-frames.ts";

/** A real, cheap feature for the cache's tests: mean and mean square of every 10 ms. */
export const levels = {
  kind: "levels",
  settings: { hop: 0.01 },
  compute: (samples: Float32Array, sampleRate: number): FeatureFrames => {
    const hop = Math.round(sampleRate * 0.01);
    const frames = Math.ceil(samples.length / hop);
    const data = new Float32Array(frames * 2);
    samples.forEach((value, i) => {
      data[2 * Math.floor(i / hop)]! += value / hop;
      data[2 * Math.floor(i / hop) + 1]! += value ** 2 / hop;
    });
    return { data, frames, features: 2, names: ["mean", "mean_square"], startSeconds: 0.005, hopSeconds: 0.01 };
  },
};
