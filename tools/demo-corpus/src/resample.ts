/** @file Band-limited resampling by a rational factor: windowed sinc, one filter per output phase. */

/** Modified Bessel function of the first kind, order 0 (power series), for the Kaiser window. */
function besselI0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** A function that resamples from `from` Hz to `to` Hz; stop band 80 dB down (Kaiser, beta 8) from 3 % above the lower Nyquist, pass band to 81 % of it. */
export function resampler(from: number, to: number): (samples: Float32Array) => Float32Array {
  const divisor = gcd(from, to);
  const up = to / divisor;
  const down = from / divisor;
  const cutoff = (0.92 * Math.min(from, to)) / from; // of the input's Nyquist
  const half = Math.ceil(22 / cutoff);
  const taps = 2 * half;
  const filters = new Float64Array(up * taps);
  for (let phase = 0; phase < up; phase++) {
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const t = k - half + 1 - phase / up;
      const window = Math.abs(t) >= half ? 0 : besselI0(8 * Math.sqrt(1 - (t / half) ** 2)) / besselI0(8);
      const sinc = t === 0 ? 1 : Math.sin(Math.PI * cutoff * t) / (Math.PI * cutoff * t);
      sum += filters[phase * taps + k] = cutoff * sinc * window;
    }
    for (let k = 0; k < taps; k++) filters[phase * taps + k]! /= sum;
  }
  return (samples) => {
    const out = new Float32Array(Math.ceil((samples.length * up) / down));
    for (let n = 0; n < out.length; n++) {
      const first = Math.floor((n * down) / up) - half + 1;
      const phase = (n * down) % up;
      let sum = 0;
      const end = Math.min(taps, samples.length - first);
      for (let k = Math.max(0, -first), at = phase * taps + k; k < end; k++, at++)
        sum += filters[at]! * samples[first + k]!;
      out[n] = sum;
    }
    return out;
  };
}
