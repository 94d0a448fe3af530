/** @file The rows of a predictions file as columns, filled line by line; what every summary is computed from. */
import {
  annotatorMatch,
  type AnnotatorMatch,
  cosineSimilarity,
  jensenShannonDivergence,
  klDivergence,
  normalizeTranscript,
  type Probabilities,
  transcriptCounts,
  type TranscriptionUnit,
} from "@emosllm/eval-metrics";
import { EmosllmError } from "@emosllm/interfaces";
import { floats, integers, NamedRows, type Names, names, type NumberColumn } from "./columns.ts";
import type { Line } from "./read-lines.ts";

/** What is read from each line besides the fields of the tasks. */
export interface TableOptions {
  /** The classes in order; without it every label, answer and probability name that occurs, sorted. */
  labels?: readonly string[] | undefined;
  /** Keys to slice by. Default {@link DEFAULT_SLICES}. */
  slices?: readonly string[] | undefined;
  /** Key whose rows belong together. */
  cluster?: string | undefined;
  /** Texts go through `normalizeTranscript` before they are compared. Default true. */
  normalize?: boolean | undefined;
  /** Ids are only kept when another file is compared. */
  keepIds?: boolean | undefined;
}

/** Keys that are sliced by when lines have them. */
export const DEFAULT_SLICES: readonly string[] = [
  "speaker",
  "gender",
  "session",
  "language",
  "corpus",
  "duration",
  "snr",
];
/** Dimensional tasks: true value under this key, prediction under `KEY_prediction`. */
export const DIMENSIONS = ["valence", "activation", "dominance"] as const;
const PREDICTED: Readonly<Record<(typeof DIMENSIONS)[number], string>> = {
  valence: "valence_prediction",
  activation: "activation_prediction",
  dominance: "dominance_prediction",
};
const UNITS: readonly TranscriptionUnit[] = ["word", "character"];

/** An answer that is none of the labels. */
export const INVALID = -1;
/** The row has no class answer (a line of another task). */
export const NO_CLASS = -2;

/** A key's value per row: names, or numbers (`NaN` when missing). */
export interface KeyColumn {
  readonly values: Names;
  /** Position in `values`; -1 when missing or a number. */
  readonly ids: NumberColumn<Int32Array>;
  readonly numbers: NumberColumn<Float64Array>;
  /** Rows whose value is a number. */
  numeric: number;
}

/** Columns of all rows; see {@link addLine} for how a line becomes a row. */
export interface PredictionTable {
  readonly options: TableOptions;
  rows: number;
  readonly names: Names;
  /** Position of the true label in `names`, or NO_CLASS. */
  readonly truth: NumberColumn<Int32Array>;
  /** Position of the answer in `names`, INVALID or NO_CLASS. */
  readonly answer: NumberColumn<Int32Array>;
  /** Rows with probabilities, and their values. */
  readonly scored: { readonly rows: NumberColumn<Int32Array>; readonly values: NamedRows };
  readonly keys: ReadonlyMap<string, KeyColumn>;
  readonly soft: {
    rows: number;
    kl: number;
    klInfinite: number;
    jensenShannon: number;
    cosine: number;
    match: AnnotatorMatch;
  };
  /** Hits, substitutions, deletions, insertions of each row that has a transcript, by unit. */
  readonly transcripts: {
    readonly rows: NumberColumn<Int32Array>;
    readonly counts: Record<TranscriptionUnit, NumberColumn<Int32Array>>;
  };
  readonly dimensions: Record<(typeof DIMENSIONS)[number], { truth: number[]; predicted: number[] }>;
  readonly ids: string[];
}

/** A table without rows. */
export function predictionTable(options: TableOptions = {}): PredictionTable {
  const labelNames = names();
  for (const label of options.labels ?? []) labelNames.id(label);
  const keys = new Set([...(options.slices ?? DEFAULT_SLICES), "fold"]);
  if (options.cluster) keys.add(options.cluster);
  const key = (): KeyColumn => ({ values: names(), ids: integers(), numbers: floats(), numeric: 0 });
  return {
    options,
    rows: 0,
    names: labelNames,
    truth: integers(),
    answer: integers(),
    scored: { rows: integers(), values: new NamedRows() },
    keys: new Map([...keys].map((name) => [name, key()])),
    soft: { rows: 0, kl: 0, klInfinite: 0, jensenShannon: 0, cosine: 0, match: { random: 0, any: 0, majority: 0 } },
    transcripts: { rows: integers(), counts: { word: integers(), character: integers() } },
    dimensions: {
      valence: { truth: [], predicted: [] },
      activation: { truth: [], predicted: [] },
      dominance: { truth: [], predicted: [] },
    },
    ids: [],
  };
}

const fail = (place: string, message: string): never => {
  throw new EmosllmError("corpus_invalid", `${place}: ${message}`);
};

const show = (value: unknown): string => JSON.stringify(value)?.slice(0, 60) ?? String(value);

/** A string, or an error that names key and value. `undefined` when the line has no such key (or `null`). */
function text(line: Line, key: string, place: string): string | undefined {
  const value = line[key];
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? value : fail(place, `"${key}" is ${show(value)}; it must be a string`);
}

/** Name to number, checked. */
function distribution(line: Line, key: string, place: string): Probabilities | undefined {
  const value = line[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value))
    fail(place, `"${key}" is ${show(value)}; it must be an object from label to number`);
  let sum = 0;
  for (const label in value as Probabilities) {
    const p = (value as Probabilities)[label];
    if (typeof p !== "number" || !(p >= 0 && p <= 1.001))
      fail(place, `"${key}" of "${label}" is ${show(p)}; it must be a number from 0 to 1`);
    sum += p!;
  }
  if (!(Math.abs(sum - 1) <= 1e-3)) fail(place, `"${key}" sums to ${sum}; it must sum to 1 (within 0.001)`);
  return value as Probabilities;
}

/** Adds a line as a row. Errors name the place, the key, the value and what is accepted. */
export function addLine(table: PredictionTable, line: Line, place: string): void {
  const id = text(line, "id", place);
  if (id === undefined) fail(place, `"id" is missing; every line needs one`);
  const label = text(line, "label", place);
  const probabilities = distribution(line, "probabilities", place);
  const prediction = text(line, "prediction", place);
  const row = table.rows++;
  if (table.options.keepIds) table.ids.push(id!);

  const other = addTranscript(table, line, row, place) + addDimensions(table, line, place);
  const soft = distribution(line, "soft_label", place);
  if (soft && probabilities) addSoft(table, soft, probabilities);
  const answered = "prediction" in line || probabilities !== undefined;
  if (label !== undefined && !answered && other === 0)
    fail(
      place,
      `has a "label" but neither "prediction" nor "probabilities"; an answer that is no label is written as null`,
    );

  if (label === undefined || !answered) {
    table.truth.push(NO_CLASS);
    table.answer.push(NO_CLASS);
  } else {
    table.truth.push(known(table, label, place, true));
    const answer = prediction ?? ("prediction" in line ? undefined : top(probabilities!));
    table.answer.push(answer === undefined ? INVALID : known(table, answer, place, false));
    if (probabilities) addScores(table, probabilities, row, place);
  }
  addKeys(table, line, place);
}

/** Position of a label; outside a given label list an answer is invalid and a true label refused. */
function known(table: PredictionTable, label: string, place: string, isTruth: boolean): number {
  const { labels } = table.options;
  if (!labels || labels.includes(label)) return table.names.id(label);
  return isTruth ? fail(place, `label "${label}" is not one of ${labels.join(", ")}`) : INVALID;
}

function top(probabilities: Probabilities): string {
  // The first of equals in sorted order, so that the order of keys in a line means nothing.
  return Object.keys(probabilities)
    .sort()
    .reduce((best, label) => (probabilities[label]! > probabilities[best]! ? label : best));
}

function addScores(table: PredictionTable, probabilities: Probabilities, row: number, place: string): void {
  for (const label in probabilities) known(table, label, place, true);
  table.scored.rows.push(row);
  table.scored.values.push(probabilities);
}

function addSoft({ soft }: PredictionTable, truth: Probabilities, predicted: Probabilities): void {
  const kl = klDivergence(truth, predicted);
  const match = annotatorMatch(truth, predicted);
  soft.rows++;
  soft.kl += kl;
  if (kl === Infinity) soft.klInfinite++;
  soft.jensenShannon += jensenShannonDivergence(truth, predicted);
  soft.cosine += cosineSimilarity(truth, predicted);
  soft.match = {
    random: soft.match.random + match.random,
    any: soft.match.any + match.any,
    majority: soft.match.majority + match.majority,
  };
}

function addTranscript(table: PredictionTable, line: Line, row: number, place: string): 0 | 1 {
  const reference = text(line, "reference", place);
  const hypothesis = text(line, "hypothesis", place);
  if (reference === undefined || hypothesis === undefined) return 0;
  const normalizer = table.options.normalize === false ? undefined : normalizeTranscript;
  table.transcripts.rows.push(row);
  for (const unit of UNITS) {
    const c = transcriptCounts(reference, hypothesis, { unit, normalizer });
    for (const n of [c.hits, c.substitutions, c.deletions, c.insertions]) table.transcripts.counts[unit].push(n);
  }
  return 1;
}

function addDimensions(table: PredictionTable, line: Line, place: string): number {
  let found = 0;
  for (const dimension of DIMENSIONS) {
    const predicted = line[PREDICTED[dimension]];
    if (predicted === undefined || predicted === null) continue;
    const truth = line[dimension];
    if (truth === undefined || truth === null) continue;
    for (const [key, value] of [
      [dimension, truth],
      [PREDICTED[dimension], predicted],
    ] as const)
      if (!Number.isFinite(value)) fail(place, `"${key}" is ${show(value)}; it must be a finite number`);
    table.dimensions[dimension].truth.push(truth as number);
    table.dimensions[dimension].predicted.push(predicted as number);
    found++;
  }
  return found;
}

function addKeys(table: PredictionTable, line: Line, place: string): void {
  for (const [key, column] of table.keys) {
    let value = line[key];
    if (
      key === "duration" &&
      value === undefined &&
      typeof line["start"] === "number" &&
      typeof line["end"] === "number"
    )
      value = line["end"] - line["start"];
    const isNumber = typeof value === "number" && key !== "fold" && key !== table.options.cluster;
    if (isNumber) column.numeric++;
    column.numbers.push(isNumber ? (value as number) : Number.NaN);
    if (isNumber || value === undefined || value === null) column.ids.push(-1);
    else if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      column.ids.push(column.values.id(String(value)));
    else fail(place, `"${key}" is ${show(value)}; to slice by it, it must be a string or a number`);
  }
}
