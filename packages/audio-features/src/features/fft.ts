/**
 * @file The fast Fourier transform of real signals of any length, several frames side by side.
 *
 * Stockham's self-sorting algorithm with mixed radices (Van Loan, Computational Frameworks for the Fast Fourier Transform,
 * 1992, section 1.7); a real transform of even length runs as a complex one of half the length (section 4.3). `lanes` frames
 * are interleaved, so that every inner loop runs over contiguous memory, whatever the stage, and two frames share one vector
 * register. Everything is in double precision.
 */
import { createKernel, type Kernel } from "./kernel.ts";

/** A plan for real transforms of one length: fill `input`, call `run`, read `re` and `im`. Buffers are reused by each run. */
export interface RealFft {
  readonly size: number;
  /** Frames per run. */
  readonly lanes: number;
  /** `size / 2 + 1` (rounded down): bins 0 to Nyquist. */
  readonly bins: number;
  /** `[size, lanes]`. */
  readonly input: Float64Array;
  /** `[bins, lanes]`, valid after `run`; |X|^2 after `runPower`. */
  readonly re: Float64Array;
  /** `[bins, lanes]`, valid after `run`; the sign is that of exp(-i 2 pi k n / size). */
  readonly im: Float64Array;
  run(): void;
  /** As `run`, but `re` becomes the power spectrum and `im` is left alone. */
  runPower(): void;
  /** The memory that the plan lives in, with `extraBytes` of room. */
  readonly kernel: Kernel;
}

const RADICES = { 2: "pass2", 3: "pass3", 4: "pass4", 5: "pass5" } as const;

function factors(n: number): number[] {
  const out: number[] = [];
  const candidates = [4, 2, 3, 5];
  let rest = n;
  for (let i = 0; rest > 1; i++) {
    const p = candidates[i] ?? 2 * i - 1;
    for (; rest % p === 0; rest /= p) out.push(p);
  }
  return out;
}

/** `count` pairs of cos and sin, times `scale`, of `sign * 2 pi * index(i) / n`. */
function fillRoots(out: Float64Array, n: number, index: (i: number) => number, sign = -1, scale = 1): Float64Array {
  for (let i = 0; 2 * i < out.length; i++) {
    const angle = (2 * Math.PI * (index(i) % n)) / n;
    out[2 * i] = scale * Math.cos(angle);
    out[2 * i + 1] = sign * scale * Math.sin(angle);
  }
  return out;
}

/**
 * A plan for real transforms of `size` samples, `lanes` (even) frames per run; `extraBytes` more memory stay free in its kernel.
 * @throws RangeError when `size` is not a positive integer or `lanes` not a positive even one.
 */
export function realFft(size: number, lanes = 4, extraBytes = 0): RealFft {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`FFT size ${size} is not a positive integer`);
  if (!Number.isInteger(lanes) || lanes < 2 || lanes % 2 !== 0)
    throw new RangeError(`FFT lanes ${lanes} is not a positive even integer`);
  const even = size % 2 === 0;
  const length = even ? size / 2 : size;
  const bins = Math.floor(size / 2) + 1;
  const radices = factors(length);
  const kernel = createKernel(
    8 * lanes * (size + 4 * length + 2 * bins) +
      32 * length +
      16 * bins +
      64 * radices.length +
      16 * size +
      extraBytes +
      4096,
  );
  const { run: wasm } = kernel;
  const input = kernel.f64(size * lanes);
  const a = [kernel.f64(length * lanes), kernel.f64(length * lanes)] as const;
  const b = [kernel.f64(length * lanes), kernel.f64(length * lanes)] as const;
  const re = kernel.f64(bins * lanes);
  const im = kernel.f64(bins * lanes);
  const halves = fillRoots(kernel.f64(2 * bins), size, (k) => k, 1, 0.5).byteOffset;

  let n = length;
  let s = lanes;
  let flip = false;
  const passes = radices.map((radix) => {
    const m = n / radix;
    const period = n;
    const twiddles = fillRoots(kernel.f64(2 * n), period, (i) => Math.floor(i / radix) * (i % radix)).byteOffset;
    const [x, y] = flip ? [b, a] : [a, b];
    const buffers = [x[0].byteOffset, x[1].byteOffset, y[0].byteOffset, y[1].byteOffset] as const;
    const stride = s;
    n = m;
    s *= radix;
    flip = !flip;
    const name = (RADICES as Readonly<Record<number, (typeof RADICES)[2 | 3 | 4 | 5]>>)[radix];
    if (name !== undefined) {
      const pass = wasm[name];
      return () => pass(m, stride, twiddles, ...buffers);
    }
    const roots = fillRoots(kernel.f64(2 * radix), radix, (i) => i).byteOffset;
    return () => wasm.passAny(radix, m, stride, twiddles, roots, ...buffers);
  });
  const [zr, zi] = flip ? b : a;

  const transform = (power: boolean): void => {
    if (even) wasm.pack(input.byteOffset, a[0].byteOffset, a[1].byteOffset, length, lanes);
    else {
      a[0].set(input);
      a[1].fill(0);
    }
    for (const pass of passes) pass();
    if (even)
      wasm.unpack(zr.byteOffset, zi.byteOffset, re.byteOffset, im.byteOffset, halves, length, lanes, power ? 1 : 0);
    else {
      re.set(zr.subarray(0, re.length));
      im.set(zi.subarray(0, im.length));
      if (power) for (let i = 0; i < re.length; i++) re[i] = re[i]! * re[i]! + im[i]! * im[i]!;
    }
  };
  return { size, lanes, bins, input, re, im, run: () => transform(false), runPower: () => transform(true), kernel };
}
