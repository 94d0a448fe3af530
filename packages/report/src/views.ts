/** @file What the metrics read, made from the columns: labels in order, confusion matrices by group, probabilities. */
import type { ConfusionMatrix, ScoreTable } from "@emosllm/eval-metrics";
import { INVALID, NO_CLASS, type PredictionTable } from "./prediction-table.ts";

/** Classes in reporting order, and the place of each interned name in it. */
export interface LabelOrder {
  readonly labels: readonly string[];
  readonly place: Int32Array;
}

/** The given label list, or every name that occurs, sorted by code unit. */
export function labelOrder({ names, options }: PredictionTable): LabelOrder {
  const labels = options.labels ?? [...names.list].sort();
  const at = new Map(labels.map((label, i) => [label, i]));
  return { labels, place: Int32Array.from(names.list, (name) => at.get(name)!) };
}

/** Whether the row has a true label and an answer. */
export const hasClass = (table: PredictionTable, row: number): boolean => table.truth.at(row) !== NO_CLASS;

/** One matrix per group; `groupOf` gives a group's number per row, below 0 for none. */
export function matricesBy(
  table: PredictionTable,
  { labels, place }: LabelOrder,
  groups: number,
  groupOf: (row: number) => number,
): ConfusionMatrix[] {
  const k = labels.length;
  const width = k + 1;
  const cells = new Float64Array(groups * k * width);
  for (let row = 0; row < table.rows; row++) {
    const truth = table.truth.at(row);
    const group = truth === NO_CLASS ? -1 : groupOf(row);
    if (group < 0) continue;
    const answer = table.answer.at(row);
    cells[(group * k + place[truth]!) * width + (answer === INVALID ? k : place[answer]!)]!++;
  }
  return Array.from({ length: groups }, (_, g) => {
    const row = (i: number): Float64Array => cells.subarray((g * k + i) * width, (g * k + i + 1) * width);
    return {
      labels,
      counts: labels.map((_, i) => Array.from(row(i).subarray(0, k))),
      invalid: labels.map((_, i) => row(i)[k]!),
    };
  });
}

/** Rows of a matrix. */
export const rowsOf = (matrix: ConfusionMatrix): number =>
  matrix.counts.flat().reduce((a, b) => a + b, 0) + matrix.invalid.reduce((a, b) => a + b, 0);

/** The probabilities of the rows that have them, in label order; nothing when no row has. */
export function scoreTableOf(table: PredictionTable, { labels, place }: LabelOrder): ScoreTable | undefined {
  const { rows, values } = table.scored;
  const n = rows.length;
  if (n === 0) return undefined;
  const k = labels.length;
  const names = values.labels.list;
  const target = names.map((label) => labels.indexOf(label));
  const packed = values.values();
  const truth = new Int32Array(n);
  const probabilities = new Float64Array(n * k);
  for (let i = 0; i < n; i++) {
    truth[i] = place[table.truth.at(rows.at(i))]!;
    for (let column = 0; column < names.length; column++)
      probabilities[i * k + target[column]!] = packed[i * names.length + column]!;
  }
  return { labels, truth, probabilities };
}
