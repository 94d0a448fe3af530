/** @file From a bootstrap distribution to an interval: percentile, and bias-corrected and accelerated (BCa; Efron 1987). */
import { MetricsError } from "./errors.ts";
import { normalCdf, normalQuantile } from "./normal.ts";

/** How the interval is read off the distribution. */
export type IntervalMethod = "percentile" | "bca";

/** An estimate with its bootstrap interval. Plain data. */
export interface Interval {
  /** The statistic of the data themselves. */
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  /** E.g. 0.95. */
  readonly level: number;
  /** `percentile` also when BCa was asked for but does not exist (every resample on one side of the estimate). */
  readonly method: IntervalMethod;
  /** Standard deviation of the bootstrap distribution. */
  readonly standardError: number;
  /** Resamples in which the statistic existed. */
  readonly rounds: number;
}

/** The q-quantile of ascending values by linear interpolation (numpy's default, Hyndman & Fan's type 7). */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) throw new MetricsError("empty_input", "quantile: no values; at least one is needed");
  const at = Math.min(1, Math.max(0, q)) * (sorted.length - 1);
  const low = Math.floor(at);
  const a = sorted[low]!;
  const b = sorted[Math.min(low + 1, sorted.length - 1)]!;
  return a === b ? a : a + (b - a) * (at - low);
}

/** Statistics with one unit left out; `multiplicity[i]` units share `values[i]`. */
export interface Jackknife {
  readonly values: ArrayLike<number>;
  readonly multiplicity?: ArrayLike<number> | undefined;
}

/** Efron's acceleration: skewness of the jackknife values over 6; 0 when they are all equal. */
export function acceleration({ values, multiplicity }: Jackknife): number {
  let [n, mean] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const m = multiplicity?.[i] ?? 1;
    n += m;
    mean += m * values[i]!;
  }
  mean /= n;
  let [squares, cubes] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const m = multiplicity?.[i] ?? 1;
    const d = mean - values[i]!;
    squares += m * d * d;
    cubes += m * d * d * d;
  }
  return squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
}

/** Options of {@link intervalOf}. */
export interface IntervalOptions {
  /** Default 0.95. */
  level?: number | undefined;
  /** Default `percentile`; `bca` needs the jackknife. */
  method?: IntervalMethod | undefined;
  jackknife?: Jackknife | undefined;
}

/**
 * The interval of a bootstrap distribution, equal to `scipy.stats.bootstrap` given the same distribution. Values that are not
 * a number (the statistic did not exist in that resample) are left out.
 */
export function intervalOf(
  distribution: ArrayLike<number>,
  estimate: number,
  { level = 0.95, method = "percentile", jackknife }: IntervalOptions = {},
): Interval {
  if (!(level > 0 && level < 1))
    throw new MetricsError("value_invalid", `level is ${level}; it must lie between 0 and 1, e.g. 0.95`);
  if (method !== "percentile" && method !== "bca")
    throw new MetricsError("value_invalid", `method "${String(method)}" is not one of percentile, bca`);
  const sorted = Float64Array.from(distribution)
    .filter((v) => !Number.isNaN(v))
    .sort();
  if (sorted.length === 0 || Number.isNaN(estimate))
    return { estimate, low: Number.NaN, high: Number.NaN, level, method, standardError: Number.NaN, rounds: 0 };
  let ends: [number, number] = [(1 - level) / 2, (1 + level) / 2];
  let used: IntervalMethod = "percentile";
  if (method === "bca") {
    if (!jackknife) throw new MetricsError("value_invalid", "method bca needs the jackknife values");
    const corrected = bcaEnds(sorted, estimate, acceleration(jackknife), ends);
    if (corrected) [ends, used] = [corrected, "bca"];
  }
  return {
    estimate,
    low: quantile(sorted, ends[0]),
    high: quantile(sorted, ends[1]),
    level,
    method: used,
    standardError: standardDeviation(sorted),
    rounds: sorted.length,
  };
}

/** The two corrected quantiles, or nothing where the correction is infinite. */
function bcaEnds(
  sorted: Float64Array,
  estimate: number,
  a: number,
  ends: readonly [number, number],
): [number, number] | undefined {
  // Resamples equal to the estimate count half, as in SciPy.
  let share = 0;
  for (const v of sorted) share += v < estimate ? 1 : v === estimate ? 0.5 : 0;
  const bias = normalQuantile(share / sorted.length);
  const end = (q: number): number => {
    const z = bias + normalQuantile(q);
    return normalCdf(bias + z / (1 - a * z));
  };
  const result: [number, number] = [end(ends[0]), end(ends[1])];
  return Number.isFinite(bias) && result.every((e) => !Number.isNaN(e)) ? result : undefined;
}

/** With n - 1; 0 for one value. */
export function standardDeviation(values: ArrayLike<number>): number {
  const n = values.length;
  if (n < 2) return 0;
  // Around the first value, so that equal values have a deviation of exactly 0.
  let mean = values[0]!;
  for (let i = 0; i < n; i++) mean += (values[i]! - values[0]!) / n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (values[i]! - mean) ** 2;
  return Math.sqrt(squares / (n - 1));
}
