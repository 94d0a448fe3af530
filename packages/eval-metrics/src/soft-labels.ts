/** @file How close a predicted distribution is to the raters' one. Natural logarithms; both sides are scaled to sum 1, as scipy.stats.entropy does. */
import { checkPairs, MetricsError } from "./errors.ts";
import type { Probabilities } from "./probabilities.ts";

/** Values of both sides over the union of their labels, each scaled to sum 1. */
function aligned(truth: Probabilities, predicted: Probabilities): [p: number[], q: number[]] {
  const labels = [...new Set([...Object.keys(truth), ...Object.keys(predicted)])];
  return [scaled("truth", truth, labels), scaled("prediction", predicted, labels)];
}

function scaled(side: string, values: Probabilities, labels: readonly string[]): number[] {
  let sum = 0;
  for (const label of labels) {
    const v = at(values, label);
    if (!(v >= 0 && Number.isFinite(v)))
      throw new MetricsError(
        "value_invalid",
        `soft label (${side}): "${label}" is ${v}; it must be a finite number, not below 0`,
      );
    sum += v;
  }
  if (!(sum > 0))
    throw new MetricsError(
      "value_invalid",
      `soft label (${side}): the values sum to ${sum}; at least one must be above 0`,
    );
  return labels.map((label) => at(values, label) / sum);
}

/** Own properties only: a label may be called `constructor`. */
const at = (values: Probabilities, label: string): number => (Object.hasOwn(values, label) ? values[label]! : 0);

const relativeEntropy = (p: readonly number[], q: readonly number[]): number =>
  p.reduce((d, pi, i) => (pi === 0 ? d : d + pi * Math.log(pi / q[i]!)), 0);

/** Kullback-Leibler divergence KL(truth || predicted) in nats; `Infinity` when the prediction gives 0 to a label that raters chose. */
export function klDivergence(truth: Probabilities, predicted: Probabilities): number {
  return relativeEntropy(...aligned(truth, predicted));
}

/** Jensen-Shannon divergence in nats, 0 to ln 2; the square of `scipy.spatial.distance.jensenshannon`. */
export function jensenShannonDivergence(truth: Probabilities, predicted: Probabilities): number {
  const [p, q] = aligned(truth, predicted);
  const m = p.map((pi, i) => (pi + q[i]!) / 2);
  return Math.max(0, (relativeEntropy(p, m) + relativeEntropy(q, m)) / 2);
}

/** Cosine of the angle between the two distributions, 0 to 1. */
export function cosineSimilarity(truth: Probabilities, predicted: Probabilities): number {
  const [p, q] = aligned(truth, predicted);
  let [dot, pp, qq] = [0, 0, 0];
  for (let i = 0; i < p.length; i++) {
    dot += p[i]! * q[i]!;
    pp += p[i]! ** 2;
    qq += q[i]! ** 2;
  }
  return dot / Math.sqrt(pp * qq);
}

/** How the predicted top label fares with the raters. */
export interface AnnotatorMatch {
  /** Share of the raters who chose the predicted top label: the chance that a random rater agrees. */
  readonly random: number;
  /** 1 when at least one rater chose it. */
  readonly any: number;
  /** 1 when no label was chosen by more raters. */
  readonly majority: number;
}

/** {@link AnnotatorMatch} of one pair; among equal predicted labels the first of the record counts. */
export function annotatorMatch(truth: Probabilities, predicted: Probabilities): AnnotatorMatch {
  const [p, q] = aligned(truth, predicted);
  const labels = [...new Set([...Object.keys(truth), ...Object.keys(predicted)])];
  const named = Object.keys(predicted);
  let top = named[0] as string;
  for (const label of named) if (q[labels.indexOf(label)]! > q[labels.indexOf(top)]!) top = label;
  const share = p[labels.indexOf(top)]!;
  return { random: share, any: share > 0 ? 1 : 0, majority: share === Math.max(...p) ? 1 : 0 };
}

/** Means over rows; see {@link softLabelReport}. */
export interface SoftLabelReport {
  readonly total: number;
  readonly kl: number;
  /** Rows whose KL divergence is infinite; any makes the mean infinite. */
  readonly klInfinite: number;
  readonly jensenShannon: number;
  readonly cosine: number;
  readonly annotatorMatch: AnnotatorMatch;
}

/** All soft-label metrics as means over rows. */
export function softLabelReport(truth: readonly Probabilities[], predicted: readonly Probabilities[]): SoftLabelReport {
  checkPairs("softLabelReport(truth, predicted)", truth, predicted);
  const n = truth.length;
  const sums = { kl: 0, klInfinite: 0, jensenShannon: 0, cosine: 0, random: 0, any: 0, majority: 0 };
  for (let row = 0; row < n; row++) {
    const [t, p] = [truth[row]!, predicted[row]!];
    const kl = klDivergence(t, p);
    const match = annotatorMatch(t, p);
    sums.kl += kl;
    if (kl === Infinity) sums.klInfinite++;
    sums.jensenShannon += jensenShannonDivergence(t, p);
    sums.cosine += cosineSimilarity(t, p);
    sums.random += match.random;
    sums.any += match.any;
    sums.majority += match.majority;
  }
  return {
    total: n,
    kl: sums.kl / n,
    klInfinite: sums.klInfinite,
    jensenShannon: sums.jensenShannon / n,
    cosine: sums.cosine / n,
    annotatorMatch: { random: sums.random / n, any: sums.any / n, majority: sums.majority / n },
  };
}
