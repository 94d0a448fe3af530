/** @file Proper scores of probabilities, and top-k accuracy. Equal to scikit-learn's. */
import { checkCount } from "./errors.ts";
import type { ScoreTable } from "./probabilities.ts";

/** The smallest probability that a logarithm sees: float64's epsilon, as in scikit-learn. */
export const PROBABILITY_FLOOR: number = 2 ** -52;

/** Negative log of the true class' probability, clipped to [2^-52, 1 - 2^-52]. Nats. */
export const rowLogLoss = (p: number): number =>
  -Math.log(Math.min(Math.max(p, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR));

/** Mean negative log-likelihood of the true class, in nats. `sklearn.metrics.log_loss` */
export function logLoss({ labels, truth, probabilities }: ScoreTable): number {
  const k = labels.length;
  let sum = 0;
  for (let row = 0; row < truth.length; row++) sum += rowLogLoss(probabilities[row * k + truth[row]!]!);
  return sum / truth.length;
}

/** Sum over classes of the squared difference to the one-hot truth, 0 to 2. */
export function rowBrier({ labels, truth, probabilities }: ScoreTable, row: number): number {
  const k = labels.length;
  let sum = 0;
  for (let j = 0; j < k; j++) sum += (probabilities[row * k + j]! - (truth[row] === j ? 1 : 0)) ** 2;
  return sum;
}

/** Options of {@link brierScore}. */
export interface BrierOptions {
  /** Halve the sum over classes: 0 to 1 instead of 0 to 2. Default `auto`: only for one or two classes, as in scikit-learn. */
  scaleByHalf?: boolean | "auto";
}

/** Brier (1950) score: mean squared distance between probabilities and the one-hot truth. `sklearn.metrics.brier_score_loss` */
export function brierScore(table: ScoreTable, { scaleByHalf = "auto" }: BrierOptions = {}): number {
  let sum = 0;
  for (let row = 0; row < table.truth.length; row++) sum += rowBrier(table, row);
  const half = scaleByHalf === "auto" ? table.labels.length < 3 : scaleByHalf;
  return (half ? 0.5 : 1) * (sum / table.truth.length);
}

/**
 * Share of rows whose true label is among the `k` most probable. Equal probabilities: the label later in the list is taken
 * first, as in `sklearn.metrics.top_k_accuracy_score`.
 */
export function topKAccuracy({ labels, truth, probabilities }: ScoreTable, k: number): number {
  checkCount("k", k, 1);
  const width = labels.length;
  let hits = 0;
  for (let row = 0; row < truth.length; row++) {
    const own = truth[row]!;
    const p = probabilities[row * width + own]!;
    let ahead = 0;
    for (let j = 0; j < width; j++) {
      const other = probabilities[row * width + j]!;
      if (other > p || (other === p && j > own)) ahead++;
    }
    if (ahead < k) hits++;
  }
  return hits / truth.length;
}
