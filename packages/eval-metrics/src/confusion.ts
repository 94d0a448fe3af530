/**
 * @file The confusion matrix: every metric of class answers is a function of it, so that a million rows are read once and
 * resampled as a few cells.
 */
import { checkPairs, MetricsError } from "./errors.ts";

/** How often each true label got each answer. Plain data; safe to store as JSON. */
export interface ConfusionMatrix {
  /** Class order of every other field. */
  readonly labels: readonly string[];
  /** `counts[i][j]`: rows whose true label is `labels[i]` and whose answer is `labels[j]`. `[K][K]` */
  readonly counts: readonly (readonly number[])[];
  /** `invalid[i]`: rows whose true label is `labels[i]` and whose answer is none of the labels (or `null`). `[K]` */
  readonly invalid: readonly number[];
}

/** Options of {@link confusionMatrix}. */
export interface ConfusionOptions {
  /**
   * The classes, in the order to report them. Without it: every label and every answer that occurs, sorted by code unit.
   * With it, an answer outside the list is *invalid* (an error of its own), and a true label outside it is refused.
   */
  labels?: readonly string[] | undefined;
}

/** An answer: a label name; `null`, `undefined` or a name outside the label list is an invalid answer. */
export type Answer = string | null | undefined;

/** The labels that occur in either list, sorted by UTF-16 code unit (as Python and scikit-learn sort ASCII names). */
export function labelsOf(truth: readonly string[], prediction: readonly Answer[] = []): string[] {
  const seen = new Set<string>(truth);
  for (const p of prediction) if (p !== null && p !== undefined) seen.add(p);
  return [...seen].sort();
}

/** Position of each label; refuses an empty or repeated list. */
export function labelIndex(labels: readonly string[]): Map<string, number> {
  if (labels.length === 0) throw new MetricsError("empty_input", "labels: the list is empty; name at least one class");
  const index = new Map<string, number>();
  for (const [i, label] of labels.entries()) {
    if (index.has(label)) throw new MetricsError("value_invalid", `labels: "${label}" is listed twice`);
    index.set(label, i);
  }
  return index;
}

/** Position of a true label, or an error that names it, its row and the accepted names. */
export function truthIndex(index: ReadonlyMap<string, number>, label: string, row: number): number {
  const i = index.get(label);
  if (i === undefined)
    throw new MetricsError(
      "label_unknown",
      `row ${row}: true label "${label}" is not one of ${[...index.keys()].join(", ")}`,
    );
  return i;
}

/**
 * Counts answers by true label, as `sklearn.metrics.confusion_matrix` does, and keeps invalid answers in a column of their own.
 *
 * @throws MetricsError `empty_input`, `length_mismatch`, `label_unknown`
 * @example
 * confusionMatrix(["happy", "sad"], ["happy", null]).invalid // [0, 1]
 */
export function confusionMatrix(
  truth: readonly string[],
  prediction: readonly Answer[],
  { labels = labelsOf(truth, prediction) }: ConfusionOptions = {},
): ConfusionMatrix {
  checkPairs("confusionMatrix(truth, prediction)", truth, prediction);
  const index = labelIndex(labels);
  const counts = labels.map(() => Array.from<number>({ length: labels.length }).fill(0));
  const invalid = Array.from<number>({ length: labels.length }).fill(0);
  for (let row = 0; row < truth.length; row++) {
    const i = truthIndex(index, truth[row] as string, row);
    const answer = prediction[row];
    const j = answer === null || answer === undefined ? undefined : index.get(answer);
    if (j === undefined) invalid[i]!++;
    else (counts[i] as number[])[j]!++;
  }
  return { labels: [...labels], counts, invalid };
}

/** Row sums (true rows per class, invalid answers included), column sums (answers per class), diagonal and total. */
export interface Margins {
  readonly support: readonly number[];
  readonly predicted: readonly number[];
  readonly correct: readonly number[];
  readonly total: number;
}

/** The margins of a matrix; an empty or malformed matrix is refused. */
export function margins({ labels, counts, invalid }: ConfusionMatrix): Margins {
  const k = labels.length;
  if (counts.length !== k || invalid.length !== k)
    throw new MetricsError("length_mismatch", `confusion matrix: ${k} labels but ${counts.length} rows of counts`);
  const support = [...invalid];
  const predicted = Array.from<number>({ length: k }).fill(0);
  const correct = Array.from<number>({ length: k }).fill(0);
  let total = 0;
  for (let i = 0; i < k; i++) {
    const row = counts[i] as readonly number[];
    for (let j = 0; j < k; j++) {
      support[i]! += row[j]!;
      predicted[j]! += row[j]!;
    }
    correct[i] = row[i]!;
    total += support[i]!;
  }
  if (!(total > 0)) throw new MetricsError("empty_input", "confusion matrix: no rows were counted");
  return { support, predicted, correct, total };
}

/** What a cell is divided by: nothing, its row (recall on the diagonal), its column (precision), or all rows. */
export type Normalization = "none" | "row" | "column" | "all";

/** The cells as shares; a row or column without rows gives zeros, as in scikit-learn. Invalid answers count in row and total. `[K][K]` */
export function normalizedCounts(matrix: ConfusionMatrix, by: Normalization): number[][] {
  const { support, predicted, total } = margins(matrix);
  const divisor: { readonly [N in Normalization]: (i: number, j: number) => number } = {
    none: () => 1,
    row: (i) => support[i]!,
    column: (_, j) => predicted[j]!,
    all: () => total,
  };
  const of = divisor[by];
  if (!of) throw new MetricsError("value_invalid", `normalization "${by}" is not one of none, row, column, all`);
  return matrix.counts.map((row, i) => row.map((n, j) => (of(i, j) === 0 ? 0 : n / of(i, j))));
}

/** Adds matrices of the same labels cell by cell: the pooled matrix of folds or slices. */
export function addMatrices(matrices: readonly ConfusionMatrix[]): ConfusionMatrix {
  const first = matrices[0];
  if (!first) throw new MetricsError("empty_input", "addMatrices: no matrix; at least one is needed");
  const counts = first.counts.map((row) => [...row]);
  const invalid = [...first.invalid];
  for (const m of matrices.slice(1)) {
    if (m.labels.join("\0") !== first.labels.join("\0"))
      throw new MetricsError(
        "label_unknown",
        `addMatrices: labels ${m.labels.join(", ")} differ from ${first.labels.join(", ")}`,
      );
    m.counts.forEach((row, i) => row.forEach((n, j) => (counts[i]![j]! += n)));
    m.invalid.forEach((n, i) => (invalid[i]! += n));
  }
  return { labels: [...first.labels], counts, invalid };
}
