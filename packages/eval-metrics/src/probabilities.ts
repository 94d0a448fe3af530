/** @file A table of probabilities by class: checked once, then read by every metric that needs more than the answer. */
import { type Answer, labelIndex, truthIndex } from "./confusion.ts";
import { checkPairs, MetricsError } from "./errors.ts";

/** Probability of each label name; a label that is not named has probability 0. */
export type Probabilities = Readonly<Record<string, number>>;

/** True class and probabilities of `N` rows over `K` labels. */
export interface ScoreTable {
  /** `[K]` */
  readonly labels: readonly string[];
  /** Position of the true label in `labels`. `[N]` */
  readonly truth: Int32Array;
  /** Row-major. `[N * K]` */
  readonly probabilities: Float64Array;
}

/** Options of {@link scoreTable}. */
export interface ScoreTableOptions {
  /** Class order. Default: every label that occurs in truth or probabilities, sorted by code unit. */
  labels?: readonly string[] | undefined;
  /** How far a row's sum may be from 1 (printed probabilities are rounded). Rows are used as given, not rescaled. Default 1e-3. */
  tolerance?: number | undefined;
}

/**
 * Checks and packs probabilities by label name.
 *
 * @throws MetricsError `empty_input`, `length_mismatch`, `label_unknown` (names row and label), `value_invalid` (names row, label and value)
 */
export function scoreTable(
  truth: readonly string[],
  probabilities: readonly Probabilities[],
  { labels, tolerance = 1e-3 }: ScoreTableOptions = {},
): ScoreTable {
  checkPairs("scoreTable(truth, probabilities)", truth, probabilities);
  const names = labels ?? occurringLabels(truth, probabilities);
  const index = labelIndex(names);
  const k = names.length;
  const packed = new Float64Array(truth.length * k);
  const places = new Int32Array(truth.length);
  for (let row = 0; row < truth.length; row++) {
    places[row] = truthIndex(index, truth[row] as string, row);
    packRow(index, probabilities[row] as Probabilities, packed.subarray(row * k, row * k + k), tolerance, `row ${row}`);
  }
  return { labels: [...names], truth: places, probabilities: packed };
}

/** Writes one row of probabilities in label order into `into` (zeros, `[K]`), or says what is wrong with it at `place`. */
export function packRow(
  index: ReadonlyMap<string, number>,
  row: Probabilities,
  into: Float64Array,
  tolerance: number,
  place: string,
): void {
  let sum = 0;
  for (const label in row) {
    const p = row[label];
    const j = index.get(label);
    if (j === undefined)
      throw new MetricsError(
        "label_unknown",
        `${place}: probability of "${label}", which is not one of ${[...index.keys()].join(", ")}`,
      );
    if (typeof p !== "number" || !(p >= 0 && p <= 1 + tolerance))
      throw new MetricsError("value_invalid", `${place}: probability of "${label}" is ${p}; it must lie in 0 to 1`);
    into[j] = p;
    sum += p;
  }
  if (!(Math.abs(sum - 1) <= tolerance))
    throw new MetricsError(
      "value_invalid",
      `${place}: probabilities sum to ${sum}; they must sum to 1 (within ${tolerance})`,
    );
}

function occurringLabels(truth: readonly string[], probabilities: readonly Probabilities[]): string[] {
  const seen = new Set<string>(truth);
  for (const row of probabilities) for (const label in row) seen.add(label);
  return [...seen].sort();
}

/** How sure each row's answer was, and whether it was right. */
export interface Confidences {
  /** `[N]` */
  readonly confidence: Float64Array;
  /** 1 right, 0 wrong. `[N]` */
  readonly correct: Uint8Array;
}

/** The most probable label of each row with its probability; the first of equals in label order. */
export function topAnswers({
  labels,
  truth,
  probabilities,
}: ScoreTable): Confidences & { readonly answer: Int32Array } {
  const k = labels.length;
  const n = truth.length;
  const confidence = new Float64Array(n);
  const correct = new Uint8Array(n);
  const answer = new Int32Array(n);
  for (let row = 0; row < n; row++) {
    let best = 0;
    for (let j = 1; j < k; j++) if (probabilities[row * k + j]! > probabilities[row * k + best]!) best = j;
    answer[row] = best;
    confidence[row] = probabilities[row * k + best]!;
    correct[row] = best === truth[row] ? 1 : 0;
  }
  return { confidence, correct, answer };
}

/** The answers of {@link topAnswers} by name. */
export function answersOf(table: ScoreTable): Answer[] {
  return Array.from(topAnswers(table).answer, (j) => table.labels[j]);
}

/** Confidences of either form; used by every metric that takes both. */
export function confidencesOf(rows: ScoreTable | Confidences): Confidences {
  if ("probabilities" in rows) return topAnswers(rows);
  checkPairs("confidence and correct", rows.confidence, rows.correct);
  return rows;
}
