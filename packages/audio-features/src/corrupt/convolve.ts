/** @file Convolution of long signals by the fast Fourier transform (overlap-add). */

/** In-place complex FFT of a power of two (Cooley and Tukey 1965). */
function fft(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    const cos = Float64Array.from({ length: half }, (_, k) => Math.cos((-2 * Math.PI * k) / size));
    const sin = Float64Array.from({ length: half }, (_, k) => Math.sin((-2 * Math.PI * k) / size));
    for (let at = 0; at < n; at += size)
      for (let k = 0; k < half; k++) {
        const [a, b] = [at + k, at + k + half];
        const tr = re[b]! * cos[k]! - im[b]! * sin[k]!;
        const ti = re[b]! * sin[k]! + im[b]! * cos[k]!;
        re[b] = re[a]! - tr;
        im[b] = im[a]! - ti;
        re[a]! += tr;
        im[a]! += ti;
      }
  }
}

/** The full convolution of `signal` and `response`: signal + response - 1 samples. */
export function convolve(signal: Float32Array, response: Float32Array | Float64Array): Float32Array {
  if (signal.length === 0 || response.length === 0) return new Float32Array(0);
  const out = new Float64Array(signal.length + response.length - 1);
  const size = Math.max(1024, 2 ** Math.ceil(Math.log2(2 * response.length)));
  const step = size - response.length + 1;
  const hr = new Float64Array(size);
  const hi = new Float64Array(size);
  hr.set(response);
  fft(hr, hi);
  // Two blocks at a time, one as the real and one as the imaginary part; the response is real, so they stay apart.
  for (let at = 0; at < signal.length; at += 2 * step) {
    const re = new Float64Array(size);
    const im = new Float64Array(size);
    re.set(signal.subarray(at, at + step));
    im.set(signal.subarray(at + step, at + 2 * step));
    fft(re, im);
    for (let k = 0; k < size; k++) {
      const r = re[k]! * hr[k]! - im[k]! * hi[k]!;
      // Conjugated: a forward transform of the conjugate is the conjugate of the inverse, times the size.
      im[k] = -(re[k]! * hi[k]! + im[k]! * hr[k]!);
      re[k] = r;
    }
    fft(re, im);
    for (let i = 0; i < size; i++) {
      if (at + i < out.length) out[at + i]! += re[i]! / size;
      if (at + step + i < out.length) out[at + step + i]! -= im[i]! / size;
    }
  }
  return Float32Array.from(out);
}
