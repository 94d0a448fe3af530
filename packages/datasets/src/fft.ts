/** @file A power spectrum for fingerprints: radix-2 FFT of a fixed size, with its tables made once. */

/** Power at the first half of the bins of real frames of `size` samples (a power of two). */
export function powerSpectrum(size: number): (frame: Float32Array, power: Float32Array) => void {
  const half = size / 2;
  const cos = Float64Array.from({ length: half }, (_, k) => Math.cos((2 * Math.PI * k) / size));
  const sin = Float64Array.from({ length: half }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
  const reversed = new Uint32Array(size);
  for (let i = 1; i < size; i++) reversed[i] = ((reversed[i >> 1] as number) >> 1) | (i & 1 ? half : 0);
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  return (frame, power) => {
    for (let i = 0; i < size; i++) {
      re[reversed[i] as number] = frame[i] as number;
      im[i] = 0;
    }
    for (let span = 1; span < size; span *= 2) {
      const step = half / span;
      for (let start = 0; start < size; start += 2 * span)
        for (let k = 0; k < span; k++) {
          const c = cos[k * step] as number;
          const s = sin[k * step] as number;
          const a = start + k;
          const b = a + span;
          const xr = (re[b] as number) * c - (im[b] as number) * s;
          const xi = (re[b] as number) * s + (im[b] as number) * c;
          re[b] = (re[a] as number) - xr;
          im[b] = (im[a] as number) - xi;
          re[a] = (re[a] as number) + xr;
          im[a] = (im[a] as number) + xi;
        }
    }
    for (let k = 0; k < power.length; k++) power[k] = (re[k] as number) ** 2 + (im[k] as number) ** 2;
  };
}
