/**
 * @file The fast Fourier transform of real signals of any length, several frames side by side.
 *
 * Stockham's self-sorting algorithm with mixed radices (Van Loan, Computational Frameworks for the Fast Fourier Transform,
 * 1992, section 1.7); a real transform of even length runs as a complex one of half the length (section 4.3). `lanes` frames
 * are interleaved, so that every inner loop runs over contiguous memory, whatever the stage, and two frames share one vector
 * register. In double precision, or in single, at twice the speed.
 */
import { createKernel, type Kernel } from "./kernel.ts";

/** A plan for real transforms of one length: fill `input`, call `run`, read `re` and `im`. Buffers are reused by each run. */
export interface RealFft<A extends Float64Array | Float32Array = Float64Array> {
  readonly size: number;
  /** Frames per run. */
  readonly lanes: number;
  /** `size / 2 + 1` (rounded down): bins 0 to Nyquist. */
  readonly bins: number;
  /** `[size, lanes]`. */
  readonly input: A;
  /** `[bins, lanes]`, valid after `run`; |X|^2 after `runPower`. */
  readonly re: A;
  /** `[bins, lanes]`, valid after `run`; the sign is that of exp(-i 2 pi k n / size). */
  readonly im: A;
  run(): void;
  /** As `runPower`, but from even samples in `even` and odd ones in `odd` `[size / 2, lanes]`; only for an even size. */
  runPowerPacked(): void;
  readonly even: A;
  readonly odd: A;
  /** As `run`, but `re` becomes the power spectrum and `im` is left alone. */
  runPower(): void;
  /** The memory that the plan lives in, with `extraBytes` of room. */
  readonly kernel: Kernel;
}

type FastRadix = 2 | 3 | 4 | 5 | 8;
/** The kernel's name of each pass. */
const PASSES = {
  double: { 2: "pass2", 3: "pass3", 4: "pass4", 5: "pass5", 8: "pass8" },
  single: { 2: "pass232", 3: "pass332", 4: "pass432", 5: "pass532", 8: "pass832" },
} as const;

function factors(n: number): number[] {
  const out: number[] = [];
  const candidates = [8, 4, 2, 3, 5];
  let rest = n;
  for (let i = 0; rest > 1; i++) {
    const p = candidates[i] ?? 2 * i - 3;
    for (; rest % p === 0; rest /= p) out.push(p);
  }
  return out;
}

/** `count` pairs of cos and sin, times `scale`, of `sign * 2 pi * index(i) / n`. */
function fillRoots<A extends Float64Array | Float32Array>(
  out: A,
  n: number,
  index: (i: number) => number,
  sign = -1,
  scale = 1,
): A {
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
  return plan(size, lanes, extraBytes, "double", (kernel, length) => kernel.f64(length));
}

/** {@link realFft} in single precision; `lanes` is a multiple of 4. */
export function realFft32(size: number, lanes = 4, extraBytes = 0): RealFft<Float32Array> {
  if (lanes % 4 !== 0) throw new RangeError(`FFT lanes ${lanes} is not a multiple of 4`);
  return plan(size, lanes, extraBytes, "single", (kernel, length) => kernel.f32(length));
}

function plan<A extends Float64Array | Float32Array>(
  size: number,
  lanes: number,
  extraBytes: number,
  precision: keyof typeof PASSES,
  take: (kernel: Kernel, length: number) => A,
): RealFft<A> {
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
  const values = (count: number): A => take(kernel, count);
  const input = values(size * lanes);
  const a = [values(length * lanes), values(length * lanes)] as const;
  const b = [values(length * lanes), values(length * lanes)] as const;
  const re = values(bins * lanes);
  const im = values(bins * lanes);
  const halves = fillRoots(values(2 * bins), size, (k) => k, 1, 0.5).byteOffset;
  const single = precision === "single";
  const [pack, unpack] = single ? [wasm.pack32, wasm.unpack32] : [wasm.pack, wasm.unpack];
  const passAny = single ? wasm.passAny32 : wasm.passAny;

  let n = length;
  let s = lanes;
  let flip = false;
  const passes = radices.map((radix) => {
    const m = n / radix;
    const period = n;
    const twiddles = fillRoots(values(2 * n), period, (i) => Math.floor(i / radix) * (i % radix)).byteOffset;
    const [x, y] = flip ? [b, a] : [a, b];
    const buffers = [x[0].byteOffset, x[1].byteOffset, y[0].byteOffset, y[1].byteOffset] as const;
    const stride = s;
    n = m;
    s *= radix;
    flip = !flip;
    if (radix in PASSES[precision]) {
      const pass = wasm[PASSES[precision][radix as FastRadix]];
      return () => pass(m, stride, twiddles, ...buffers);
    }
    const roots = fillRoots(values(2 * radix), radix, (i) => i).byteOffset;
    return () => passAny(radix, m, stride, twiddles, roots, ...buffers);
  });
  const [zr, zi] = flip ? b : a;

  const rest = (power: boolean): void => {
    for (const pass of passes) pass();
    if (even) unpack(zr.byteOffset, zi.byteOffset, re.byteOffset, im.byteOffset, halves, length, lanes, power ? 1 : 0);
    else {
      re.set(zr.subarray(0, re.length));
      im.set(zi.subarray(0, im.length));
      if (power) for (let i = 0; i < re.length; i++) re[i] = re[i]! * re[i]! + im[i]! * im[i]!;
    }
  };
  const transform = (power: boolean): void => {
    if (even) pack(input.byteOffset, a[0].byteOffset, a[1].byteOffset, length, lanes);
    else {
      a[0].set(input);
      a[1].fill(0);
    }
    rest(power);
  };
  return {
    size,
    lanes,
    bins,
    input,
    re,
    im,
    even: a[0],
    odd: a[1],
    run: () => transform(false),
    runPower: () => transform(true),
    runPowerPacked: () => rest(true),
    kernel,
  };
}
