/** @file The same statistic on parts of the data (by speaker, gender, length, signal-to-noise ratio), and how far apart the parts are. */
import { type BootstrapOptions } from "./bootstrap.ts";
import { bootstrapMatrix, type MatrixStatistic, resampleMatrix } from "./bootstrap-matrix.ts";
import { addMatrices, type ConfusionMatrix, margins } from "./confusion.ts";
import { MetricsError } from "./errors.ts";
import { type Interval, intervalOf, quantile } from "./intervals.ts";

/** One slice with its interval. */
export interface Slice {
  /** The value of the key, e.g. `F`. */
  readonly value: string;
  readonly rows: number;
  readonly score: Interval;
}

/** Slices from worst to best, and the gap between those two. */
export interface SliceReport {
  readonly slices: readonly Slice[];
  readonly best: string;
  readonly worst: string;
  /** Statistic of `best` minus statistic of `worst`, with the interval of this difference (percentile, slices drawn on their own). */
  readonly gap: Interval;
}

/**
 * A statistic per slice with bootstrap intervals, and the gap between best and worst.
 *
 * @param matrices by value of the key: one matrix (rows are drawn), or a list of one matrix per cluster (clusters are drawn)
 * @throws MetricsError `empty_input` without slices
 */
export function sliceReport(
  matrices: ReadonlyMap<string, ConfusionMatrix | readonly ConfusionMatrix[]>,
  statistic: MatrixStatistic,
  options: BootstrapOptions = {},
): SliceReport {
  const slices = [...matrices].map(([value, data]): Slice => {
    const whole = "labels" in data ? data : addMatrices(data);
    return { value, rows: margins(whole).total, score: bootstrapMatrix(data, { score: statistic }, options).score };
  });
  slices.sort((a, b) => a.score.estimate - b.score.estimate || (a.value < b.value ? -1 : 1));
  const [worst, best] = [slices[0], slices.at(-1)];
  if (!worst || !best) throw new MetricsError("empty_input", "sliceReport: no slices; at least one is needed");
  const seed = options.seed ?? 0;
  const drawn = [best, worst].map(
    ({ value }, i) =>
      resampleMatrix(matrices.get(value)!, { score: statistic }, { ...options, seed: seed + i }).distributions.score,
  ) as [Float64Array, Float64Array];
  const differences = best === worst ? drawn[0].map(() => 0) : drawn[0].map((b, i) => b - drawn[1][i]!);
  const gap = intervalOf(differences, best.score.estimate - worst.score.estimate, { level: options.level });
  return { slices, best: best.value, worst: worst.value, gap };
}

/**
 * Names of `parts` slices of about equal size for a number per row (seconds, dB), e.g. `1.2 to 3.4`; a missing number is
 * `unknown`. Equal numbers are always in one slice, so there may be fewer.
 */
export function quantileSlices(values: readonly (number | null | undefined)[], parts = 4): string[] {
  const known = Float64Array.from(
    values.filter((v): v is number => typeof v === "number" && Number.isFinite(v)),
  ).sort();
  if (known.length === 0) return values.map(() => "unknown");
  const edges = [...new Set(Array.from({ length: parts + 1 }, (_, i) => quantile(known, i / parts)))];
  const print = (v: number): string => {
    const short = v.toPrecision(3);
    return Number.isFinite(Number(short)) ? String(Number(short)) : short; // rounding up the largest numbers
  };
  const name = (v: number): string => {
    let i = 0;
    while (i + 2 < edges.length && v >= edges[i + 1]!) i++;
    return edges.length === 1 ? print(edges[0]!) : `${print(edges[i]!)} to ${print(edges[i + 1]!)}`;
  };
  return values.map((v) => (typeof v === "number" && Number.isFinite(v) ? name(v) : "unknown"));
}
