/** @file Power spectra and mel bands of many frames, several frames side by side. */
import { realFft, type RealFft } from "./fft.ts";
import type { Filterbank } from "./mel.ts";

/** Mono samples at full scale -1 to 1; anything indexable by position. */
export type Samples = Float32Array | Float64Array;

/** Frames that one run of a plan holds. */
export const LANES = 4;

/** Keeps plans: making one costs more than a hundred runs of it. */
const plans = new Map<number, RealFft>();

/** The shared plan of `LANES` frames of `size` samples. Its buffers are valid until the next use of the same size. */
export function planOf(size: number): RealFft {
  let plan = plans.get(size);
  if (plan === undefined) {
    if (plans.size >= 32) plans.clear();
    plans.set(size, (plan = realFft(size, LANES)));
  }
  return plan;
}

/** Writes frame `frame`, windowed, to `out[offset + n * LANES]`; positions it leaves alone stay 0. */
export type FillFrame = (frame: number, out: Float64Array, offset: number) => void;

/**
 * Transforms `frames` frames, `LANES` at a time, and calls `use(first, count, plan)` with frames `first` to `first + count - 1` in the
 * lanes of `plan`.
 */
export function forEachSpectra(
  frames: number,
  size: number,
  fill: FillFrame,
  use: (first: number, count: number, plan: RealFft) => void,
): void {
  const plan = planOf(size);
  for (let first = 0; first < frames; first += LANES) {
    const count = Math.min(LANES, frames - first);
    plan.input.fill(0);
    for (let l = 0; l < count; l++) fill(first + l, plan.input, l);
    plan.run();
    use(first, count, plan);
  }
}

/** `fill` for plain framing: frame `t` starts at sample `t * hop + offset` of `signal`, zeros outside it, times `window`. */
export function windowed(signal: Samples, window: Float64Array, hop: number, offset = 0): FillFrame {
  return (frame, out, lane) => {
    const start = frame * hop + offset;
    const from = Math.max(0, -start);
    const to = Math.min(window.length, signal.length - start);
    for (let n = from; n < to; n++) out[lane + n * LANES] = signal[start + n]! * window[n]!;
  };
}

/** |X|^2 in place of `plan.re`. */
export function toPower({ re, im }: RealFft): Float64Array {
  for (let i = 0; i < re.length; i++) re[i] = re[i]! * re[i]! + im[i]! * im[i]!;
  return re;
}

/** `[bands, LANES]` = filterbank x `spectrum` `[bins, LANES]`. */
export function applyFilterbank({ filters }: Filterbank, spectrum: Float64Array, out: Float64Array): void {
  for (let m = 0; m < filters.length; m++) {
    const { first, weights } = filters[m]!;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let k = 0, i = first * LANES; k < weights.length; k++, i += LANES) {
      const w = weights[k]!;
      a += w * spectrum[i]!;
      b += w * spectrum[i + 1]!;
      c += w * spectrum[i + 2]!;
      d += w * spectrum[i + 3]!;
    }
    out[m * LANES] = a;
    out[m * LANES + 1] = b;
    out[m * LANES + 2] = c;
    out[m * LANES + 3] = d;
  }
}

/** `signal` with `pad` samples mirrored at both ends (the edge itself not repeated), as numpy's `reflect`, for any length. */
export function reflectPad(signal: Samples, pad: number): Float32Array {
  const n = signal.length;
  const out = new Float32Array(n + 2 * pad);
  out.set(signal, pad);
  const period = Math.max(1, 2 * (n - 1));
  const mirror = (i: number): number => {
    const p = ((i % period) + period) % period;
    return n === 1 ? 0 : p < n ? p : period - p;
  };
  for (let i = 0; i < pad; i++) {
    out[i] = signal[mirror(i - pad)] ?? 0;
    out[pad + n + i] = signal[mirror(n + i)] ?? 0;
  }
  return out;
}

/** Throws RangeError unless there is at least one sample and every sample is finite. */
export function assertSamples(signal: Samples, sampleRate: number): void {
  if (!(sampleRate > 0) || !Number.isFinite(sampleRate))
    throw new RangeError(`sample rate ${sampleRate} Hz is not a positive number`);
  if (signal.length === 0) throw new RangeError("the clip has no samples");
  for (let i = 0; i < signal.length; i++)
    if (!Number.isFinite(signal[i])) throw new RangeError(`sample ${i} is ${signal[i]}, not a finite number`);
}
