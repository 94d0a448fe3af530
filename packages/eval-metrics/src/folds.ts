/** @file Numbers over the folds of a cross-validation. */
import { recordOf } from "./bootstrap.ts";
import type { MatrixStatistic } from "./bootstrap-matrix.ts";
import { addMatrices, type ConfusionMatrix } from "./confusion.ts";
import { standardDeviation } from "./intervals.ts";

/** A statistic over the folds of a cross-validation. */
export interface FoldSummary {
  /** The statistic of each fold. */
  readonly values: readonly number[];
  readonly mean: number;
  /** Between folds, with n - 1; 0 for a single fold. */
  readonly standardDeviation: number;
  readonly min: number;
  readonly max: number;
  /** The statistic of all folds' rows together; for UAR and F1 not the same number as the mean. */
  readonly pooled: number;
}

/** Each statistic by fold, its mean and standard deviation, and its value over the pooled matrix. */
export function aggregateFolds<Name extends string>(
  folds: readonly ConfusionMatrix[],
  statistics: Readonly<Record<Name, MatrixStatistic>>,
): Record<Name, FoldSummary> {
  const pooled = addMatrices(folds);
  return recordOf(Object.keys(statistics) as Name[], (name) => {
    const values = folds.map((fold) => statistics[name](fold));
    return {
      values,
      mean: values.reduce((a, b) => a + b, 0) / values.length,
      standardDeviation: standardDeviation(values),
      min: Math.min(...values),
      max: Math.max(...values),
      pooled: statistics[name](pooled),
    };
  });
}
