/** @file Rows of log-mel bands in single precision: the fast path of Whisper's log-mel, 5e-5 from double precision at its worst. */
import { realFft32 } from "./fft.ts";
import type { Filterbank } from "./mel.ts";
import { LANES, type MelFrames, type Samples } from "./spectra.ts";

/** Frames per copy of the signal into the kernel's memory; a multiple of `LANES`. */
const CHUNK = 64;

interface RowsPlan {
  readonly key: string;
  readonly window: Float64Array;
  /** Samples of a chunk's frames. */
  readonly chunk: Float32Array;
  /** `[CHUNK, bands]`, written by `run`. */
  readonly rows: Float32Array;
  /** The largest values of each lane since they were set. */
  readonly most: Float32Array;
  /** Computes the frames of the chunk from `first` (a multiple of `LANES`) to before `end`, and up to `LANES - 1` more. */
  readonly run: (first: number, end: number) => void;
}

/** The last plan of each filterbank: filterbanks are shared by their settings (see `melFilterbank`). */
const plans = new WeakMap<Filterbank, RowsPlan>();

function planOf({ fftSize, window, hop, bank, log }: Required<MelFrames>): RowsPlan {
  const key = `${fftSize} ${hop} ${log.floor} ${log.scale}`;
  const known = plans.get(bank);
  if (known?.key === key && known.window === window) return known;
  const bands = bank.filters.length;
  const flat = bank.filters.flatMap(({ weights }) => [...weights]);
  const room = CHUNK * hop + fftSize;
  const floats = room + CHUNK * bands + window.length + flat.length + bands * (LANES + 2);
  const plan = realFft32(fftSize, LANES, 4 * floats + 1024);
  const { f32, i32, run: wasm } = plan.kernel;
  const put = (values: ArrayLike<number>): number => {
    const at = f32(values.length);
    at.set(values);
    return at.byteOffset;
  };
  const [shape, weights] = [put(window), put(flat)];
  const spans = i32(2 * bands);
  spans.set(bank.filters.flatMap((f) => [f.first, f.weights.length]));
  const [chunk, rows, mel, most] = [f32(room), f32(CHUNK * bands), f32(bands * LANES), f32(LANES)];
  const { even, odd, re } = plan;
  const padded = window.length < fftSize;
  const run = (begin: number, end: number): void => {
    for (let t = begin; t < end; t += LANES) {
      // the transform leaves its work behind where a short window leaves zeros
      if (padded) {
        even.fill(0, Math.ceil(window.length / 2) * LANES);
        odd.fill(0, Math.floor(window.length / 2) * LANES);
      }
      const first = chunk.byteOffset + 4 * hop * t;
      wasm.frames32(first, hop, shape, window.length, even.byteOffset, odd.byteOffset);
      plan.runPowerPacked();
      wasm.filterbank32(re.byteOffset, spans.byteOffset, weights, bands, mel.byteOffset);
      wasm.logarithm32(mel.byteOffset, bands * LANES, log.floor, log.scale);
      wasm.rows32(mel.byteOffset, bands, rows.byteOffset + 4 * bands * t, most.byteOffset);
    }
  };
  const made = { key, window, chunk, rows, most, run };
  plans.set(bank, made);
  return made;
}

/**
 * Writes `frames` rows of `log.scale * ln(max(log.floor, band))` to `out` `[frames, bands]`; `fftSize` is even. Beyond its ends the
 * signal is mirrored, the edge itself not repeated, as numpy's `reflect`. Returns the largest value.
 */
export function logMelRows(signal: Samples, frames: number, settings: Required<MelFrames>, out: Float32Array): number {
  const { hop, offset, bank, fftSize } = settings;
  const bands = bank.filters.length;
  const { chunk, rows, most, run } = planOf(settings);
  most.fill(-Infinity);
  for (let begin = 0; begin < frames; begin += CHUNK) {
    const start = begin * hop + offset;
    const count = Math.min(CHUNK, frames - begin);
    const needed = (count - 1) * hop + fftSize;
    const from = Math.min(needed, Math.max(0, -start));
    const to = Math.max(from, Math.min(needed, signal.length - start));
    for (let i = 0; i < from; i++) chunk[i] = signal[mirrored(start + i, signal.length)]!;
    if (to > from) chunk.set(signal.subarray(start + from, start + to), from);
    for (let i = to; i < needed; i++) chunk[i] = signal[mirrored(start + i, signal.length)]!;
    const whole = count - (count % LANES);
    run(0, whole);
    if (whole < count) {
      // the last vector holds frames that nobody asked for: they must not count
      const before = most.slice(count - whole);
      run(whole, count);
      most.set(before, count - whole);
    }
    out.set(count === CHUNK ? rows : rows.subarray(0, count * bands), begin * bands);
  }
  return Math.max(...most);
}

/** The sample of a clip of `n` that stands at position `i` of its reflection without end. */
function mirrored(i: number, n: number): number {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const p = ((i % period) + period) % period;
  return p < n ? p : period - p;
}
