/**
 * @file Formants as the roots of a linear prediction polynomial (Markel & Gray, Linear Prediction of Speech, 1976, chapter 7): the
 * autocorrelation of the pre-emphasised spectrum below 5.5 kHz, Levinson's recursion, all roots by Aberth's iteration.
 */
import { LANES } from "../spectra.ts";

/** Centre frequencies and bandwidths in Hz of formants 1 to 3, 0 where there is none. */
export interface Formants {
  readonly frequency: readonly [Float64Array, Float64Array, Float64Array];
  readonly bandwidth: readonly [Float64Array, Float64Array, Float64Array];
}

const ORDER = 11;
const TOP = 5500;
const PREEMPHASIS = 0.97;
/** Roots below this, or broader than that, shape the tilt rather than a resonance. */
const LEAST_HZ = 90;
const BROADEST_HZ = 1500;

/** Prediction polynomial `[1, a1, ..., a_order]` from autocorrelations 0 to `order`. */
export function levinson(r: ArrayLike<number>, order: number): Float64Array {
  const a = new Float64Array(order + 1);
  const b = new Float64Array(order + 1);
  a[0] = 1;
  let error = r[0]!;
  for (let i = 1; i <= order && error > 0; i++) {
    let sum = 0;
    for (let j = 0; j < i; j++) sum += a[j]! * r[i - j]!;
    const k = -sum / error;
    b.set(a);
    for (let j = 1; j <= i; j++) a[j] = b[j]! + k * b[i - j]!;
    error *= 1 - k * k;
  }
  return a;
}

/** Finds formants frame after frame; each frame's roots start the search for the next one's. */
export function formantTracker(
  frames: number,
  sampleRate: number,
  fftSize: number,
): {
  readonly formants: Formants;
  add(frame: number, power: Float64Array, lane: number): void;
} {
  const top = Math.min(TOP, sampleRate / 2);
  const bins = Math.floor((top * fftSize) / sampleRate) + 1;
  const make = (): Float64Array => new Float64Array(frames);
  const formants: Formants = { frequency: [make(), make(), make()], bandwidth: [make(), make(), make()] };
  const cosines = new Float64Array((ORDER + 1) * bins);
  for (let k = 0; k < bins; k++) {
    const hz = (k * sampleRate) / fftSize;
    const gain = 1 + PREEMPHASIS ** 2 - 2 * PREEMPHASIS * Math.cos((2 * Math.PI * hz) / sampleRate);
    for (let n = 0; n <= ORDER; n++)
      cosines[n * bins + k] = (k === 0 ? 1 : 2) * gain * Math.cos((Math.PI * hz * n) / top);
  }
  const zr = new Float64Array(ORDER);
  const zi = new Float64Array(ORDER);
  const restart = (): void => {
    for (let i = 0; i < ORDER; i++) {
      zr[i] = 0.9 * Math.cos((2 * Math.PI * (i + 0.25)) / ORDER);
      zi[i] = 0.9 * Math.sin((2 * Math.PI * (i + 0.25)) / ORDER);
    }
  };
  restart();
  const r = new Float64Array(ORDER + 1);
  const row = new Float64Array(bins);
  const found: { hz: number; width: number }[] = [];

  const add = (t: number, power: Float64Array, lane: number): void => {
    for (let k = 0; k < bins; k++) row[k] = power[k * LANES + lane]!;
    // four lags at once: a single sum would wait for each addition
    for (let n = 0; n <= ORDER; n += 4) {
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let k = 0, i = n * bins; k < bins; k++, i++) {
        const x = row[k]!;
        a += cosines[i]! * x;
        b += cosines[i + bins]! * x;
        c += cosines[i + 2 * bins]! * x;
        d += cosines[i + 3 * bins]! * x;
      }
      r[n] = a;
      r[n + 1] = b;
      r[n + 2] = c;
      r[n + 3] = d;
    }
    if (!(r[0]! > 1e-20)) return;
    // a white floor 90 dB below the signal keeps the recursion stable
    r[0]! *= 1 + 1e-9;
    const a = levinson(r, ORDER);
    if (!aberth(a, zr, zi)) {
      restart();
      if (!aberth(a, zr, zi)) return;
    }
    found.length = 0;
    for (let i = 0; i < ORDER; i++) {
      if (zi[i]! <= 1e-9) continue;
      const hz = (Math.atan2(zi[i]!, zr[i]!) * top) / Math.PI;
      const width = (-Math.log(Math.hypot(zr[i]!, zi[i]!)) * 2 * top) / Math.PI;
      if (hz > LEAST_HZ && width < BROADEST_HZ && hz < top - LEAST_HZ) found.push({ hz, width });
    }
    found.sort((x, y) => x.hz - y.hz);
    for (let f = 0; f < 3 && f < found.length; f++) {
      formants.frequency[f]![t] = found[f]!.hz;
      formants.bandwidth[f]![t] = found[f]!.width;
    }
  };
  return { formants, add };
}

/** Refines all roots of the monic polynomial `a` (highest power first) at once; false without convergence. */
function aberth(a: Float64Array, zr: Float64Array, zi: Float64Array): boolean {
  const n = zr.length;
  for (let round = 0; round < 60; round++) {
    let moved = 0;
    for (let i = 0; i < n; i++) {
      const x = zr[i]!;
      const y = zi[i]!;
      let pr = 1;
      let pi = 0;
      let dr = 0;
      let di = 0;
      for (let k = 1; k <= n; k++) {
        const er = dr * x - di * y + pr;
        di = dr * y + di * x + pi;
        dr = er;
        const qr = pr * x - pi * y + a[k]!;
        pi = pr * y + pi * x;
        pr = qr;
      }
      // Newton's step p / p', then Aberth's correction for the other roots
      const d2 = dr * dr + di * di;
      if (d2 < 1e-300) {
        zr[i] = x + 1e-3;
        moved = 1;
        continue;
      }
      const nr = (pr * dr + pi * di) / d2;
      const ni = (pi * dr - pr * di) / d2;
      let sr = 0;
      let si = 0;
      for (let j = 0; j < n; j++) {
        if (j === i) continue;
        const ux = x - zr[j]!;
        const uy = y - zi[j]!;
        const u2 = ux * ux + uy * uy + 1e-300;
        sr += ux / u2;
        si -= uy / u2;
      }
      const cr = 1 - (nr * sr - ni * si);
      const ci = -(nr * si + ni * sr);
      const c2 = cr * cr + ci * ci + 1e-300;
      const wr = (nr * cr + ni * ci) / c2;
      const wi = (ni * cr - nr * ci) / c2;
      zr[i] = x - wr;
      zi[i] = y - wi;
      moved = Math.max(moved, Math.abs(wr) + Math.abs(wi));
    }
    if (!(moved < 1e3)) return false;
    // convergence is cubic: after a step this small the next one is below 1e-10
    if (moved < 1e-4) return true;
  }
  return false;
}
