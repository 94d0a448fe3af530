/** @file Seeded random numbers: xoshiro128** (Blackman & Vigna 2018) and exact binomial draws. Same seed, same numbers, on every machine. */

/** A stream of random numbers. */
export interface Random {
  /** Uniform in [0, 1) with 53 random bits. */
  uniform(): number;
  /** Uniform integer in [0, bound), without bias; `bound` up to 2^32. */
  below(bound: number): number;
}

/** A stream that depends on nothing but its seed (any integer). */
export function randomStream(seed: number): Random {
  let s = seed | 0;
  // splitmix32 spreads nearby seeds over the whole state.
  const mix = (): number => {
    s = (s + 0x9e3779b9) | 0;
    let z = s ^ (s >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let [a, b, c, d] = [mix(), mix(), mix(), mix() | 1];
  const next = (): number => {
    const x = Math.imul(b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  return {
    uniform: () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992,
    below: (bound) => {
      // Rejection: the last, incomplete round of `bound` values is drawn again.
      const limit = 4294967296 - (4294967296 % bound);
      let r = next();
      while (r >= limit) r = next();
      return r % bound;
    },
  };
}

/** log(k!) minus Stirling's k log k - k + log(2 pi k) / 2, to full float64 precision. */
export function stirlingError(k: number): number {
  if (k < SMALL.length) return SMALL[k]!;
  const kk = k * k;
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * kk)) / kk) / kk) / kk) / k;
}
/** Below 16 the series is not exact enough. */
const SMALL: readonly number[] = Array.from({ length: 16 }, (_, k) =>
  k === 0 ? 0 : logProduct(k) - (k * Math.log(k) - k + 0.5 * Math.log(2 * Math.PI * k)),
);

function logProduct(k: number): number {
  let product = 1;
  for (let i = 2; i <= k; i++) product *= i;
  return Math.log(product);
}

const logFactorial = (k: number): number =>
  k === 0 ? 0 : k * Math.log(k) - k + 0.5 * Math.log(2 * Math.PI * k) + stirlingError(k);

/**
 * A draw from Binomial(n, p), exact in distribution for any n: by inversion while n p is small, else by transformed rejection
 * (BTRS, Hörmann 1993, "The generation of binomial random variates").
 */
export function binomial(random: Random, n: number, p: number): number {
  if (n <= 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomial(random, n, 1 - p);
  return n * p < 10 ? inversion(random, n, p) : transformedRejection(random, n, p);
}

function inversion(random: Random, n: number, p: number): number {
  // Sums the gaps between successes, each geometric (Devroye 1986, X.4.3).
  const logFailure = Math.log1p(-p);
  let trials = 0;
  for (let successes = 0; ; successes++) {
    trials += Math.floor(Math.log(1 - random.uniform()) / logFailure) + 1;
    if (trials > n) return successes;
  }
}

function transformedRejection(random: Random, n: number, p: number): number {
  const deviation = Math.sqrt(n * p * (1 - p));
  const b = 1.15 + 2.53 * deviation;
  const a = -0.0873 + 0.0248 * b + 0.01 * p;
  const c = n * p + 0.5;
  const vr = 0.92 - 4.2 / b;
  const alpha = (2.83 + 5.1 / b) * deviation;
  const logRatio = Math.log(p / (1 - p));
  const mode = Math.floor((n + 1) * p);
  const atMode = logFactorial(mode) + logFactorial(n - mode);
  for (;;) {
    const u = random.uniform() - 0.5;
    let v = 1 - random.uniform(); // above 0
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + c);
    if (k < 0 || k > n) continue;
    if (us >= 0.07 && v <= vr) return k;
    v = Math.log((v * alpha) / (a / (us * us) + b));
    if (v <= atMode - logFactorial(k) - logFactorial(n - k) + (k - mode) * logRatio) return k;
  }
}
