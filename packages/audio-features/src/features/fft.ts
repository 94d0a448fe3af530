/**
 * @file The fast Fourier transform of real signals of any length, several frames side by side.
 *
 * Stockham's self-sorting algorithm with mixed radices (Van Loan, Computational Frameworks for the Fast Fourier Transform,
 * 1992, section 1.7); a real transform of even length runs as a complex one of half the length (section 4.3). `lanes` frames
 * are interleaved, so that every inner loop runs over contiguous memory, whatever the stage. Everything is in double precision.
 */

/** A plan for real transforms of one length: fill `input`, call `run`, read `re` and `im`. Buffers are reused by each run. */
export interface RealFft {
  readonly size: number;
  /** Frames per run. */
  readonly lanes: number;
  /** `size / 2 + 1` (rounded down): bins 0 to Nyquist. */
  readonly bins: number;
  /** `[size, lanes]`. */
  readonly input: Float64Array;
  /** `[bins, lanes]`, valid after `run`. */
  readonly re: Float64Array;
  /** `[bins, lanes]`, valid after `run`; the sign is that of exp(-i 2 pi k n / size). */
  readonly im: Float64Array;
  run(): void;
}

type Buffers = readonly [Float64Array, Float64Array];

interface Stage {
  readonly radix: number;
  /** Sub-transforms of this stage. */
  readonly m: number;
  /** Distance between neighbours, in lanes included. */
  readonly s: number;
  /** `[m, radix]` twiddle factors. */
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

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

function stages(length: number, lanes: number): Stage[] {
  let n = length;
  let s = lanes;
  return factors(length).map((radix) => {
    const m = n / radix;
    const cos = new Float64Array(m * radix);
    const sin = new Float64Array(m * radix);
    for (let p = 0; p < m; p++)
      for (let k = 0; k < radix; k++) {
        const angle = (-2 * Math.PI * ((p * k) % n)) / n;
        cos[p * radix + k] = Math.cos(angle);
        sin[p * radix + k] = Math.sin(angle);
      }
    const stage = { radix, m, s, cos, sin };
    n = m;
    s *= radix;
    return stage;
  });
}

function radix2({ m, s, cos, sin }: Stage, [xr, xi]: Buffers, [yr, yi]: Buffers): void {
  for (let p = 0; p < m; p++) {
    const c = cos[2 * p + 1]!;
    const d = sin[2 * p + 1]!;
    for (let q = 0; q < s; q++) {
      const a = q + s * p;
      const b = a + s * m;
      const y = q + s * 2 * p;
      const tr = xr[a]! - xr[b]!;
      const ti = xi[a]! - xi[b]!;
      yr[y] = xr[a]! + xr[b]!;
      yi[y] = xi[a]! + xi[b]!;
      yr[y + s] = tr * c - ti * d;
      yi[y + s] = tr * d + ti * c;
    }
  }
}

function radix4({ m, s, cos, sin }: Stage, [xr, xi]: Buffers, [yr, yi]: Buffers): void {
  const sm = s * m;
  for (let p = 0; p < m; p++) {
    const c1 = cos[4 * p + 1]!;
    const d1 = sin[4 * p + 1]!;
    const c2 = cos[4 * p + 2]!;
    const d2 = sin[4 * p + 2]!;
    const c3 = cos[4 * p + 3]!;
    const d3 = sin[4 * p + 3]!;
    for (let q = 0; q < s; q++) {
      const a = q + s * p;
      const b = a + sm;
      const c = b + sm;
      const d = c + sm;
      const acr = xr[a]! + xr[c]!;
      const aci = xi[a]! + xi[c]!;
      const amr = xr[a]! - xr[c]!;
      const ami = xi[a]! - xi[c]!;
      const bdr = xr[b]! + xr[d]!;
      const bdi = xi[b]! + xi[d]!;
      // -i (b - d)
      const bmr = xi[b]! - xi[d]!;
      const bmi = xr[d]! - xr[b]!;
      let y = q + s * 4 * p;
      yr[y] = acr + bdr;
      yi[y] = aci + bdi;
      y += s;
      let tr = amr + bmr;
      let ti = ami + bmi;
      yr[y] = tr * c1 - ti * d1;
      yi[y] = tr * d1 + ti * c1;
      y += s;
      tr = acr - bdr;
      ti = aci - bdi;
      yr[y] = tr * c2 - ti * d2;
      yi[y] = tr * d2 + ti * c2;
      y += s;
      tr = amr - bmr;
      ti = ami - bmi;
      yr[y] = tr * c3 - ti * d3;
      yi[y] = tr * d3 + ti * c3;
    }
  }
}

/** Any radix by the definition: used for 3, 5 and the rarer primes. */
function radixAny({ radix, m, s, cos, sin }: Stage, [xr, xi]: Buffers, [yr, yi]: Buffers): void {
  const wr = new Float64Array(radix);
  const wi = new Float64Array(radix);
  for (let k = 0; k < radix; k++) {
    wr[k] = Math.cos((2 * Math.PI * k) / radix);
    wi[k] = -Math.sin((2 * Math.PI * k) / radix);
  }
  for (let p = 0; p < m; p++)
    for (let k = 0; k < radix; k++) {
      const c = cos[p * radix + k]!;
      const d = sin[p * radix + k]!;
      for (let q = 0; q < s; q++) {
        let tr = 0;
        let ti = 0;
        for (let j = 0, w = 0; j < radix; j++) {
          const x = q + s * (p + m * j);
          tr += xr[x]! * wr[w]! - xi[x]! * wi[w]!;
          ti += xr[x]! * wi[w]! + xi[x]! * wr[w]!;
          w += k;
          if (w >= radix) w -= radix;
        }
        const y = q + s * (radix * p + k);
        yr[y] = tr * c - ti * d;
        yi[y] = tr * d + ti * c;
      }
    }
}

const PASSES: Readonly<Record<number, typeof radixAny>> = { 2: radix2, 4: radix4 };

/**
 * A plan for real transforms of `size` samples, `lanes` frames per run.
 * @throws RangeError when `size` or `lanes` is not a positive integer.
 */
export function realFft(size: number, lanes = 1): RealFft {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`FFT size ${size} is not a positive integer`);
  if (!Number.isInteger(lanes) || lanes < 1) throw new RangeError(`FFT lanes ${lanes} is not a positive integer`);
  const even = size % 2 === 0;
  const length = even ? size / 2 : size;
  const plan = stages(length, lanes);
  const a: Buffers = [new Float64Array(length * lanes), new Float64Array(length * lanes)];
  const b: Buffers = [new Float64Array(length * lanes), new Float64Array(length * lanes)];
  const bins = Math.floor(size / 2) + 1;
  const input = new Float64Array(size * lanes);
  const re = new Float64Array(bins * lanes);
  const im = new Float64Array(bins * lanes);
  const twiddleCos = Float64Array.from({ length: bins }, (_, k) => Math.cos((2 * Math.PI * k) / size) / 2);
  const twiddleSin = Float64Array.from({ length: bins }, (_, k) => Math.sin((2 * Math.PI * k) / size) / 2);

  const load = (): void => {
    const [xr, xi] = a;
    if (!even) {
      xr.set(input);
      xi.fill(0);
      return;
    }
    for (let n = 0; n < length; n++)
      for (let l = 0; l < lanes; l++) {
        xr[n * lanes + l] = input[2 * n * lanes + l]!;
        xi[n * lanes + l] = input[(2 * n + 1) * lanes + l]!;
      }
  };

  const unload = ([zr, zi]: Buffers): void => {
    if (!even) {
      re.set(zr.subarray(0, re.length));
      im.set(zi.subarray(0, im.length));
      return;
    }
    for (let k = 0; k < bins; k++) {
      const c = twiddleCos[k]!;
      const d = twiddleSin[k]!;
      const p = (k % length) * lanes;
      const r = ((length - k) % length) * lanes;
      for (let l = 0; l < lanes; l++) {
        // X = (Z[k] + conj Z[-k]) / 2 - i w (Z[k] - conj Z[-k]) / 2
        const sr = zr[p + l]! + zr[r + l]!;
        const si = zi[p + l]! - zi[r + l]!;
        const dr = zr[p + l]! - zr[r + l]!;
        const di = zi[p + l]! + zi[r + l]!;
        re[k * lanes + l] = sr / 2 + c * di - d * dr;
        im[k * lanes + l] = si / 2 - c * dr - d * di;
      }
    }
  };

  const run = (): void => {
    load();
    let from = a;
    let to = b;
    for (const stage of plan) {
      (PASSES[stage.radix] ?? radixAny)(stage, from, to);
      [from, to] = [to, from];
    }
    unload(from);
  };
  return { size, lanes, bins, input, re, im, run };
}
