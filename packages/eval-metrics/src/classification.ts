/**
 * @file Metrics of class answers as functions of the confusion matrix, equal to scikit-learn's of the same meaning.
 * An invalid answer is wrong everywhere: it lowers accuracy and its true class' recall, and is nobody's false alarm.
 */
import { type ConfusionMatrix, margins } from "./confusion.ts";

/** Options of precision, recall and F1. */
export interface ZeroDivisionOptions {
  /** The value of 0/0: precision of a class never answered, recall of a class without rows. `NaN` leaves it out of averages. */
  zeroDivision?: 0 | 1 | number | undefined;
}

/** Precision, recall and F1 of one class or of an average. Shares, 0 to 1. */
export interface PrecisionRecallF1 {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** {@link PrecisionRecallF1} of one class, with its true rows (`support`) and its answers (`predicted`). */
export interface ClassReport extends PrecisionRecallF1 {
  readonly label: string;
  readonly support: number;
  readonly predicted: number;
}

/** Everything at once; see {@link classificationReport}. */
export interface ClassificationReport {
  readonly total: number;
  /** Weighted accuracy (WA) in the speech-emotion literature. */
  readonly accuracy: number;
  /** Unweighted accuracy (UA), unweighted average recall (UAR), balanced accuracy: three names of one number. */
  readonly unweightedAverageRecall: number;
  readonly macro: PrecisionRecallF1;
  readonly micro: PrecisionRecallF1;
  readonly weighted: PrecisionRecallF1;
  readonly cohenKappa: number;
  readonly matthews: number;
  readonly invalidRate: number;
  readonly classes: readonly ClassReport[];
}

/** Share of right answers (WA). `sklearn.metrics.accuracy_score` */
export function accuracy(matrix: ConfusionMatrix): number {
  const { correct, total } = margins(matrix);
  return sum(correct) / total;
}

/** Share of rows whose answer was none of the labels. */
export function invalidRate(matrix: ConfusionMatrix): number {
  return sum(matrix.invalid) / margins(matrix).total;
}

/**
 * Mean recall over the classes that have true rows (UA, UAR). A class without rows has no recall and is left out, as in
 * `sklearn.metrics.balanced_accuracy_score`.
 */
export function unweightedAverageRecall(matrix: ConfusionMatrix): number {
  const { support, correct } = margins(matrix);
  let total = 0;
  let present = 0;
  for (let i = 0; i < support.length; i++) {
    if (support[i] === 0) continue;
    total += correct[i]! / support[i]!;
    present++;
  }
  return total / present;
}

/** The same number as {@link unweightedAverageRecall}, under scikit-learn's name. */
export const balancedAccuracy: (matrix: ConfusionMatrix) => number = unweightedAverageRecall;

/** Precision, recall and F1 of each class. `sklearn.metrics.precision_recall_fscore_support(labels=...)` */
export function perClass(matrix: ConfusionMatrix, { zeroDivision = 0 }: ZeroDivisionOptions = {}): ClassReport[] {
  const { support, predicted, correct } = margins(matrix);
  return matrix.labels.map((label, i) => ({
    label,
    precision: ratio(correct[i]!, predicted[i]!, zeroDivision),
    recall: ratio(correct[i]!, support[i]!, zeroDivision),
    f1: ratio(2 * correct[i]!, support[i]! + predicted[i]!, zeroDivision),
    support: support[i]!,
    predicted: predicted[i]!,
  }));
}

/** Unweighted mean over the classes of the matrix. `average="macro"` */
export function macroAverage(matrix: ConfusionMatrix, options: ZeroDivisionOptions = {}): PrecisionRecallF1 {
  return average(perClass(matrix, options), () => 1);
}

/** Mean over the classes by true rows. `average="weighted"` */
export function weightedAverage(matrix: ConfusionMatrix, options: ZeroDivisionOptions = {}): PrecisionRecallF1 {
  return average(perClass(matrix, options), (c) => c.support);
}

/** Counts of all classes pooled. `average="micro"`; without invalid answers all three equal accuracy. */
export function microAverage(
  matrix: ConfusionMatrix,
  { zeroDivision = 0 }: ZeroDivisionOptions = {},
): PrecisionRecallF1 {
  const { predicted, correct, total } = margins(matrix);
  const right = sum(correct);
  const answered = sum(predicted);
  return {
    precision: ratio(right, answered, zeroDivision),
    recall: right / total,
    f1: ratio(2 * right, answered + total, zeroDivision),
  };
}

/** Macro F1: unweighted mean of the classes' F1. */
export const macroF1 = (matrix: ConfusionMatrix, options: ZeroDivisionOptions = {}): number =>
  macroAverage(matrix, options).f1;
/** Micro F1: F1 of the pooled counts. */
export const microF1 = (matrix: ConfusionMatrix, options: ZeroDivisionOptions = {}): number =>
  microAverage(matrix, options).f1;
/** Weighted F1: mean of the classes' F1 by true rows (the usual MELD figure). */
export const weightedF1 = (matrix: ConfusionMatrix, options: ZeroDivisionOptions = {}): number =>
  weightedAverage(matrix, options).f1;

/**
 * Matthews correlation coefficient for any number of classes (Gorodkin 2004); 0 when either side is constant, as in
 * `sklearn.metrics.matthews_corrcoef`. Invalid answers are a class of their own on the answer side.
 */
export function matthews(matrix: ConfusionMatrix): number {
  const { support, predicted, correct, total } = margins(matrix);
  const invalid = sum(matrix.invalid);
  let both = sum(correct) * total;
  let truthVariance = total * total;
  let answerVariance = total * total - invalid * invalid;
  for (let i = 0; i < support.length; i++) {
    both -= support[i]! * predicted[i]!;
    truthVariance -= support[i]! ** 2;
    answerVariance -= predicted[i]! ** 2;
  }
  return truthVariance * answerVariance === 0 ? 0 : both / Math.sqrt(truthVariance * answerVariance);
}

/** Every number of a matrix that people report, as one plain object. */
export function classificationReport(matrix: ConfusionMatrix, options: ZeroDivisionOptions = {}): ClassificationReport {
  return {
    total: margins(matrix).total,
    accuracy: accuracy(matrix),
    unweightedAverageRecall: unweightedAverageRecall(matrix),
    macro: macroAverage(matrix, options),
    micro: microAverage(matrix, options),
    weighted: weightedAverage(matrix, options),
    cohenKappa: cohenKappa(matrix),
    matthews: matthews(matrix),
    invalidRate: invalidRate(matrix),
    classes: perClass(matrix, options),
  };
}

/** What a disagreement costs by its distance in label order: 1, |i - j|, (i - j)^2. */
export type KappaWeights = "none" | "linear" | "quadratic";

/**
 * Cohen's kappa: agreement of truth and answer beyond chance. `NaN` when chance agreement is certain (one class on both sides),
 * as in `sklearn.metrics.cohen_kappa_score`. Invalid answers are a class of their own, after the last label.
 */
export function cohenKappa(matrix: ConfusionMatrix, { weights = "none" }: { weights?: KappaWeights } = {}): number {
  const { support, predicted, total } = margins(matrix);
  const k = support.length;
  const answers = [...predicted, sum(matrix.invalid)];
  const cost = (i: number, j: number): number =>
    weights === "none" ? (i === j ? 0 : 1) : weights === "linear" ? Math.abs(i - j) : (i - j) ** 2;
  let observed = 0;
  let expected = 0;
  for (let i = 0; i < k; i++)
    for (let j = 0; j <= k; j++) {
      observed += cost(i, j) * (j === k ? matrix.invalid[i]! : matrix.counts[i]![j]!);
      expected += (cost(i, j) * support[i]! * answers[j]!) / total;
    }
  return expected === 0 ? Number.NaN : 1 - observed / expected;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const ratio = (a: number, b: number, zeroDivision: number): number => (b === 0 ? zeroDivision : a / b);

/** Mean over the classes whose value is a number; of equal weight when the weights are all zero, as in scikit-learn. */
function average(classes: readonly ClassReport[], weight: (c: ClassReport) => number): PrecisionRecallF1 {
  const mean = (of: (c: ClassReport) => number): number => {
    const known = classes.filter((c) => !Number.isNaN(of(c)));
    const weights = sum(known.map(weight));
    return weights === 0 ? sum(known.map(of)) / known.length : sum(known.map((c) => of(c) * weight(c))) / weights;
  };
  return { precision: mean((c) => c.precision), recall: mean((c) => c.recall), f1: mean((c) => c.f1) };
}
