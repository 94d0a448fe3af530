/** @file Power spectra and mel bands of many frames, several frames side by side. */
import { allFinite } from "./_blocks32.ts";
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
 * Power spectra of `frames` frames, `LANES` at a time: calls `use(first, count, plan)` with the power of frames
 * `first` to `first + count - 1` in `plan.re`.
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
    plan.runPower();
    use(first, count, plan);
  }
}

/** What {@link forEachMel} computes. */
export interface MelFrames {
  readonly fftSize: number;
  /** At most `fftSize` samples; the rest of the transform is zeros. */
  readonly window: Float64Array;
  /** Samples between frames. */
  readonly hop: number;
  /** Frame `t` starts at sample `t * hop + offset`; outside the clip there are zeros. */
  readonly offset: number;
  readonly bank: Filterbank;
  /** Replaces each band by `scale * ln(max(floor, band))`. */
  readonly log?: { readonly floor: number; readonly scale: number };
}

/** Frames per copy of the signal into the kernel's memory. */
const CHUNK = 64;

interface MelPlan {
  readonly key: string;
  readonly window: Float64Array;
  readonly chunk: Float32Array;
  /** Bands of the four frames that start at frame `first` of the chunk. */
  readonly run: (first: number) => Float64Array;
}

/** The last plan of each filterbank: filterbanks are shared by their settings (see `melFilterbank`). */
const melPlans = new WeakMap<Filterbank, MelPlan>();

function melPlanOf({ fftSize, window, hop, bank, log }: MelFrames): MelPlan {
  const key = `${fftSize} ${hop} ${log?.floor} ${log?.scale}`;
  const known = melPlans.get(bank);
  if (known?.key === key && known.window === window) return known;
  const bands = bank.filters.length;
  const flat = bank.filters.flatMap(({ weights }) => [...weights]);
  const room = CHUNK * hop + fftSize;
  const plan = realFft(fftSize, LANES, 8 * (window.length + bands * (LANES + 1) + flat.length) + 4 * room + 1024);
  const { f64, f32, i32, run: wasm } = plan.kernel;
  const chunk = f32(room);
  const shape = f64(window.length);
  shape.set(window);
  const weights = f64(flat.length);
  weights.set(flat);
  const spans = i32(2 * bands);
  spans.set(bank.filters.flatMap((f) => [f.first, f.weights.length]));
  const mel = f64(bands * LANES);
  const run = (first: number): Float64Array => {
    wasm.frames(chunk.byteOffset + 4 * hop * first, hop, shape.byteOffset, window.length, plan.input.byteOffset);
    plan.runPower();
    wasm.filterbank(plan.re.byteOffset, spans.byteOffset, weights.byteOffset, bands, mel.byteOffset);
    if (log !== undefined) wasm.logarithm(mel.byteOffset, bands * LANES, log.floor, log.scale);
    return mel;
  };
  const made = { key, window, chunk, run };
  melPlans.set(bank, made);
  return made;
}

/** Calls `use(first, count, mel)` with the mel bands `[bands, LANES]` of frames `first` to `first + count - 1`. */
export function forEachMel(
  signal: Samples,
  frames: number,
  settings: MelFrames,
  use: (first: number, count: number, mel: Float64Array) => void,
): void {
  const { hop, offset } = settings;
  const { chunk, run } = melPlanOf(settings);
  const room = chunk.length;
  for (let begin = 0; begin < frames; begin += CHUNK) {
    const start = begin * hop + offset;
    const from = Math.min(room, Math.max(0, -start));
    const to = Math.max(from, Math.min(room, signal.length - start));
    chunk.fill(0, 0, from);
    if (to > from) chunk.set(signal.subarray(start + from, start + to), from);
    chunk.fill(0, to);
    const end = Math.min(frames, begin + CHUNK);
    for (let first = begin; first < end; first += LANES) use(first, Math.min(LANES, end - first), run(first - begin));
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

/** Turns the plan's power spectra into autocorrelations, lag 0 up, in its `re` `[bins, LANES]` (times `size`). */
export function autocorrelate(plan: RealFft): Float64Array {
  plan.kernel.run.mirror(plan.re.byteOffset, plan.input.byteOffset, plan.bins, plan.size);
  plan.run();
  return plan.re;
}

/** Throws RangeError unless there is at least one sample and every sample is finite. */
export function assertSamples(signal: Samples, sampleRate: number): void {
  if (!(sampleRate > 0) || !Number.isFinite(sampleRate))
    throw new RangeError(`sample rate ${sampleRate} Hz is not a positive number`);
  if (signal.length === 0) throw new RangeError("the clip has no samples");
  if (signal instanceof Float32Array && allFinite(signal)) return;
  for (let i = 0; i < signal.length; i++)
    if (!Number.isFinite(signal[i])) throw new RangeError(`sample ${i} is ${signal[i]}, not a finite number`);
}
