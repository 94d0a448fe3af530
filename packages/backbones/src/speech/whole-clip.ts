/**
 * @file What encoders take from a whole clip before its frames: the scaling of the sound, and the statistics of the group norm. Computed
 * over all of a long clip in double precision and fed to each window, so that windows see the very numbers that the whole clip would.
 */

/** Mean 0 and variance 1 over the clip (transformers' `zero_mean_unit_var_norm`, which adds 1e-7 to the variance). */
export function scaledClip(samples: Float32Array): Float32Array {
  let sum = 0;
  for (const v of samples) sum += v;
  const mean = sum / samples.length;
  let squares = 0;
  for (const v of samples) squares += (v - mean) ** 2;
  const scale = 1 / Math.sqrt(squares / samples.length + 1e-7);
  return samples.map((v) => (v - mean) * scale);
}

/** The clip without its mean: a first convolution without bias then has less to round, and the group norm takes offsets away anyway. */
export function centredClip(samples: Float32Array): Float32Array {
  let sum = 0;
  for (const v of samples) sum += v;
  const mean = sum / samples.length;
  return samples.map((v) => v - mean);
}

/** A convolution over one channel followed by a group norm with one group per channel. */
export interface NormedConvolution {
  /** `[channels, kernel]` */
  readonly weight: Float32Array;
  /** Of the norm, `[channels]` each. */
  readonly gain: Float32Array;
  readonly shift: Float32Array;
  readonly channels: number;
  readonly kernel: number;
  readonly stride: number;
}

/**
 * What the norm does to each channel of the clip: it multiplies by `scale` and adds `offset`, `[channels]` each. The channels' means and
 * variances follow from the sound's own means and products at the kernel's places, which are summed over all of the clip's frames. A bias
 * of the convolution changes nothing, so it is left out on both sides.
 */
export function groupNormOf(
  samples: Float32Array,
  { weight, gain, shift, channels, kernel, stride }: NormedConvolution,
): { scale: Float32Array; offset: Float32Array } {
  const frames = Math.floor((samples.length - kernel) / stride) + 1;
  const means = new Float64Array(kernel);
  const products = new Float64Array(kernel * kernel);
  for (let t = 0; t < frames; t++) {
    const at = t * stride;
    for (let i = 0; i < kernel; i++) {
      const v = samples[at + i] as number;
      means[i]! += v;
      for (let j = 0; j <= i; j++) products[i * kernel + j]! += v * (samples[at + j] as number);
    }
  }
  const covariance = (i: number, j: number): number =>
    (products[Math.max(i, j) * kernel + Math.min(i, j)] as number) / frames -
    ((means[i] as number) / frames) * ((means[j] as number) / frames);
  const scale = new Float32Array(channels);
  const offset = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    const w = weight.subarray(c * kernel, (c + 1) * kernel);
    let [mean, variance] = [0, 0];
    w.forEach((wi, i) => {
      mean += (wi * (means[i] as number)) / frames;
      w.forEach((wj, j) => (variance += wi * wj * covariance(i, j)));
    });
    const factor = (gain[c] as number) / Math.sqrt(Math.max(0, variance) + 1e-5);
    scale[c] = factor;
    offset[c] = (shift[c] as number) - mean * factor;
  }
  return { scale, offset };
}
