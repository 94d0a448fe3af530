/** @file Tests of two systems on the same rows: McNemar (exact), permutation (exact or sampled), and Holm's correction for several tests. */
import type { MatrixStatistic } from "./bootstrap-matrix.ts";
import { checkCount, MetricsError } from "./errors.ts";
import { addAll, cellOf, difference, type PairedCounts } from "./paired.ts";
import { binomial, randomStream, stirlingError } from "./random.ts";

/** Result of {@link mcnemar}. */
export interface McNemarResult {
  /** Rows that only the first system got right. */
  readonly onlyFirst: number;
  /** Rows that only the second system got right. */
  readonly onlySecond: number;
  /** Two-sided. */
  readonly pValue: number;
}

/**
 * McNemar's exact test of equal accuracy: among the rows that one system got right and the other wrong, each is equally
 * likely to win. Two-sided binomial p-value, equal to `scipy.stats.binomtest(onlyFirst, onlyFirst + onlySecond).pvalue`.
 */
export function mcnemar(onlyFirst: number, onlySecond: number): McNemarResult {
  checkCount("onlyFirst", onlyFirst, 0);
  checkCount("onlySecond", onlySecond, 0);
  const pValue =
    onlyFirst === onlySecond ? 1 : Math.min(1, 2 * fairTail(Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond));
  return { onlyFirst, onlySecond, pValue };
}

/** {@link mcnemar} of paired counts (rows are taken as independent, also when clusters are given). */
export function mcnemarOf({ labels, clusters }: PairedCounts): McNemarResult {
  const cells = addAll(clusters);
  const k = labels.length;
  let [onlyFirst, onlySecond] = [0, 0];
  for (let t = 0; t < k; t++)
    for (let other = 0; other <= k; other++) {
      if (other === t) continue;
      onlyFirst += cells[cellOf(k, t, t, other)]!;
      onlySecond += cells[cellOf(k, t, other, t)]!;
    }
  return mcnemar(onlyFirst, onlySecond);
}

/** P(X <= k) for X ~ Binomial(n, 1/2), k < n/2; from k downwards, until terms no longer count. */
function fairTail(k: number, n: number): number {
  let term = fairMass(k, n);
  let sum = 0;
  for (let i = k; i >= 0 && term > sum * 1e-18; i--) {
    sum += term;
    term *= i / (n - i + 1);
  }
  return sum;
}

/** P(X = k) for a fair coin, by Loader's (2000) saddle-point form, which loses no digits for large n. */
function fairMass(k: number, n: number): number {
  if (k === 0 || k === n) return 2 ** -n;
  const log = stirlingError(n) - stirlingError(k) - stirlingError(n - k) - deviance(k, n / 2) - deviance(n - k, n / 2);
  return Math.exp(log) * Math.sqrt(n / (2 * Math.PI * k * (n - k)));
}

/** x log(x / m) + m - x, by its series where x is close to m. */
function deviance(x: number, m: number): number {
  if (Math.abs(x - m) >= 0.1 * (x + m)) return x * Math.log(x / m) + m - x;
  const v = (x - m) / (x + m);
  let sum = (x - m) * v;
  let term = 2 * x * v;
  for (let j = 1; ; j++) {
    term *= v * v;
    const next = sum + term / (2 * j + 1);
    if (next === sum) return next;
    sum = next;
  }
}

/** Options of {@link permutationTest}. */
export interface PermutationOptions {
  /** Random swaps when the exact test is too large; default 10000. */
  rounds?: number | undefined;
  /** Default 0. */
  seed?: number | undefined;
  /** Largest number of different swaps that are all tried (exact test); default 100000, 0 for never. */
  exactLimit?: number | undefined;
}

/** Result of {@link permutationTest}. */
export interface PermutationResult {
  /** first minus second. */
  readonly difference: number;
  /** Two-sided. */
  readonly pValue: number;
  /** All swaps were tried; otherwise the p-value is (hits + 1) / (rounds + 1). */
  readonly exact: boolean;
  /** Swaps tried. */
  readonly rounds: number;
}

/**
 * Paired permutation (approximate randomisation) test of any statistic: were both systems alike, swapping their answers
 * on any rows (or whole clusters) would change nothing. Two-sided: the share of swaps with a difference at least as large.
 * Equal to `scipy.stats.permutation_test(permutation_type="samples")`.
 */
export function permutationTest(
  paired: PairedCounts,
  statistic: MatrixStatistic,
  { rounds = 10_000, seed = 0, exactLimit = 100_000 }: PermutationOptions = {},
): PermutationResult {
  checkCount("rounds", rounds, 1);
  const { labels } = paired;
  const whole = addAll(paired.clusters);
  const observed = difference(whole, labels, statistic);
  if (Number.isNaN(observed))
    throw new MetricsError("undefined_metric", "permutationTest: the statistic does not exist for one of the systems");
  const swaps = swapUnits(paired);
  const ways = swaps.reduce((n, s) => n * (s.count + 1), 1);
  // Rounding must not push an equal difference below the observed one.
  const reaches = (cells: Float64Array): boolean =>
    Math.abs(difference(cells, labels, statistic)) >= Math.abs(observed) * (1 - 1e-12) - 1e-15;
  if (ways <= exactLimit)
    return { difference: observed, pValue: exactShare(whole, swaps, reaches), exact: true, rounds: ways };
  const random = randomStream(seed);
  let hits = 0;
  for (let round = 0; round < rounds; round++) {
    const cells = whole.slice();
    for (const s of swaps) s.swap(cells, binomial(random, s.count, 0.5));
    if (reaches(cells)) hits++;
  }
  return { difference: observed, pValue: (hits + 1) / (rounds + 1), exact: false, rounds };
}

/** `count` alike rows (or one cluster), of which any number can be swapped. */
interface SwapUnit {
  readonly count: number;
  /** Swaps `times` of them in `cells`. */
  swap(cells: Float64Array, times: number): void;
}

function swapUnits({ labels, clusters, clustered }: PairedCounts): SwapUnit[] {
  const k = labels.length;
  const mirror = (cell: number): number => {
    const second = cell % (k + 1);
    const first = Math.floor(cell / (k + 1)) % (k + 1);
    return cell + (second - first) * (k + 1) + (first - second);
  };
  const units: SwapUnit[] = [];
  for (const table of clustered ? clusters : [addAll(clusters)]) {
    const moved = Array.from(table.keys()).filter((i) => table[i]! > 0 && mirror(i) !== i);
    if (clustered && moved.length > 0)
      units.push({
        count: 1,
        swap: (cells, times) => {
          for (const i of moved) {
            cells[i]! -= times * table[i]!;
            cells[mirror(i)]! += times * table[i]!;
          }
        },
      });
    if (!clustered)
      for (const i of moved)
        units.push({
          count: table[i]!,
          swap: (cells, times) => {
            cells[i]! -= times;
            cells[mirror(i)]! += times;
          },
        });
  }
  return units;
}

/** Share of all 2^rows swaps that reach the observed difference: every count of swapped rows per unit, weighted by its binomial. */
function exactShare(
  cells: Float64Array,
  swaps: readonly SwapUnit[],
  reaches: (cells: Float64Array) => boolean,
): number {
  const visit = (depth: number, weight: number): number => {
    const unit = swaps[depth];
    if (!unit) return reaches(cells) ? weight : 0;
    let share = 0;
    for (let times = 0; times <= unit.count; times++) {
      share += visit(depth + 1, weight * fairMass(times, unit.count));
      unit.swap(cells, 1);
    }
    unit.swap(cells, -(unit.count + 1));
    return share;
  };
  return Math.min(1, visit(0, 1));
}

/** Holm's (1979) step-down correction: adjusted p-values in the given order, each to be compared with the overall level. */
export function holm(pValues: readonly number[]): number[] {
  if (pValues.length === 0) throw new MetricsError("empty_input", "holm: no p-values; at least one is needed");
  pValues.forEach((p, i) => {
    if (!(p >= 0 && p <= 1))
      throw new MetricsError("value_invalid", `holm: p-value ${i} is ${p}; it must lie in 0 to 1`);
  });
  const order = [...pValues.keys()].sort((a, b) => pValues[a]! - pValues[b]!);
  const adjusted = Array.from<number>({ length: pValues.length });
  let running = 0;
  order.forEach((i, rank) => {
    running = Math.max(running, Math.min(1, pValues[i]! * (pValues.length - rank)));
    adjusted[i] = running;
  });
  return adjusted;
}
