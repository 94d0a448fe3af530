/** @file The Kaiser window and the low-pass filter made with it: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function" (1974). */

/** The modified Bessel function of the first kind and order 0, by its power series. */
export function besselI0(x: number): number {
  const quarter = (x * x) / 4;
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= quarter / (k * k);
    sum += term;
  }
  return sum;
}

/** The window's shape for a stop band `attenuation` dB down (Kaiser's formula for more than 50 dB). */
export const kaiserBeta = (attenuation: number): number => 0.1102 * (attenuation - 8.7);

/** Taps that a transition band of `width` (as a share of the sample rate) needs for `attenuation` dB. */
export const kaiserTaps = (attenuation: number, width: number): number =>
  Math.ceil((attenuation - 7.95) / (14.36 * width)) + 1;

/**
 * The impulse response of an ideal low pass at `cutoff` (as a share of the sample rate, at most 0.5), windowed to
 * ±`half` samples; a function of time in samples.
 */
export function windowedSinc(cutoff: number, half: number, beta: number): (t: number) => number {
  const atCentre = besselI0(beta);
  return (t) => {
    const u = t / half;
    if (u <= -1 || u >= 1) return 0;
    const angle = 2 * Math.PI * cutoff * t;
    const sinc = Math.abs(angle) < 1e-12 ? 1 : Math.sin(angle) / angle;
    return (2 * cutoff * sinc * besselI0(beta * Math.sqrt(1 - u * u))) / atCentre;
  };
}
