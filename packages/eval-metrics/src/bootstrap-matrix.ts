/** @file Bootstrap of confusion matrices: by row (as cells), or by cluster (one matrix each). */
import { type Additive, bootstrap, type BootstrapOptions, recordOf, resample, type Resamples } from "./bootstrap.ts";
import { type Answer, type ConfusionMatrix, confusionMatrix, labelsOf } from "./confusion.ts";
import { checkPairs, MetricsError } from "./errors.ts";
import type { Interval } from "./intervals.ts";

/** A number read from a matrix, e.g. `accuracy`, `macroF1`. */
export type MatrixStatistic = (matrix: ConfusionMatrix) => number;

/**
 * Intervals of statistics of a confusion matrix. A single matrix draws its rows; a list draws whole matrices (one per speaker or
 * dialogue, see {@link confusionByCluster}), which is right when rows of one speaker are alike.
 *
 * @example
 * bootstrapMatrix(matrix, { uar: unweightedAverageRecall, f1: macroF1 }, { rounds: 1000, method: "bca" }).uar.low
 */
export function bootstrapMatrix<Name extends string>(
  data: ConfusionMatrix | readonly ConfusionMatrix[],
  statistics: Readonly<Record<Name, MatrixStatistic>>,
  options: BootstrapOptions = {},
): Record<Name, Interval> {
  const { labels, additive } = matrixUnits(data);
  return bootstrap(additive, (sums) => readAll(statistics, unpackMatrix(sums, labels)), options);
}

/** The resamples themselves, for statistics across several matrices. */
export function resampleMatrix<Name extends string>(
  data: ConfusionMatrix | readonly ConfusionMatrix[],
  statistics: Readonly<Record<Name, MatrixStatistic>>,
  options: Pick<BootstrapOptions, "rounds" | "seed"> = {},
): Resamples<Name> {
  const { labels, additive } = matrixUnits(data);
  return resample(additive, (sums) => readAll(statistics, unpackMatrix(sums, labels)), options);
}

const readAll = <Name extends string>(
  statistics: Readonly<Record<Name, MatrixStatistic>>,
  matrix: ConfusionMatrix,
): Record<Name, number> => recordOf(Object.keys(statistics) as Name[], (name) => orNaN(() => statistics[name](matrix)));

/** One matrix per cluster (speaker, dialogue, ...), all over the same labels, in order of first occurrence. */
export function confusionByCluster(
  truth: readonly string[],
  prediction: readonly Answer[],
  clusters: readonly string[],
  { labels = labelsOf(truth, prediction) }: { labels?: readonly string[] | undefined } = {},
): Map<string, ConfusionMatrix> {
  checkPairs("confusionByCluster(truth, prediction)", truth, prediction);
  checkPairs("confusionByCluster(truth, clusters)", truth, clusters);
  const rows = new Map<string, [string[], Answer[]]>();
  for (const [i, key] of clusters.entries()) {
    const own = rows.get(key) ?? [[], []];
    own[0].push(truth[i]!);
    own[1].push(prediction[i]);
    rows.set(key, own);
  }
  return new Map([...rows].map(([key, [t, p]]) => [key, confusionMatrix(t, p, { labels })]));
}

/** A matrix as one row of sums: counts, then invalid answers. `[K * K + K]` */
export function packMatrix({ labels, counts, invalid }: ConfusionMatrix): Float64Array {
  const k = labels.length;
  const packed = new Float64Array(k * k + k);
  counts.forEach((row, i) => packed.set(row, i * k));
  packed.set(invalid, k * k);
  return packed;
}

/** The inverse of {@link packMatrix}. */
export function unpackMatrix(packed: Float64Array, labels: readonly string[]): ConfusionMatrix {
  const k = labels.length;
  return {
    labels,
    counts: labels.map((_, i) => Array.from(packed.subarray(i * k, i * k + k))),
    invalid: Array.from(packed.subarray(k * k)),
  };
}

function matrixUnits(data: ConfusionMatrix | readonly ConfusionMatrix[]): {
  labels: readonly string[];
  additive: Additive;
} {
  if (!isList(data)) {
    const multiplicity = packMatrix(data);
    const add = (sums: Float64Array, unit: number, times: number): void => {
      sums[unit]! += times;
    };
    return {
      labels: data.labels,
      additive: { units: multiplicity.length, size: multiplicity.length, multiplicity, add },
    };
  }
  const labels = data[0]?.labels;
  if (!labels) throw new MetricsError("empty_input", "bootstrapMatrix: no matrix; at least one cluster is needed");
  const different = data.find((m) => m.labels.join("\0") !== labels.join("\0"));
  if (different)
    throw new MetricsError(
      "label_unknown",
      `bootstrapMatrix: labels ${different.labels.join(", ")} differ from ${labels.join(", ")}`,
    );
  return { labels, additive: vectorUnits(data.map(packMatrix)) };
}

/** One unit per vector; used for clusters. */
export function vectorUnits(vectors: readonly Float64Array[]): Additive {
  return {
    units: vectors.length,
    size: vectors[0]?.length ?? 0,
    add: (sums, unit, times) => {
      const own = vectors[unit]!;
      for (let i = 0; i < own.length; i++) sums[i]! += times * own[i]!;
    },
  };
}

const isList = (data: ConfusionMatrix | readonly ConfusionMatrix[]): data is readonly ConfusionMatrix[] =>
  Array.isArray(data);

/** A statistic that does not exist in a resample (a class vanished) is left out of the interval, not fatal. */
export function orNaN(statistic: () => number): number {
  try {
    return statistic();
  } catch (error) {
    if (error instanceof MetricsError) return Number.NaN;
    throw error;
  }
}
