/** @file Intervals to the plain form of the summary, and the groups that are drawn. */
import {
  type BootstrapOptions,
  type ConfusionMatrix,
  type Interval,
  type MatrixStatistic,
  bootstrapMatrix,
} from "@emosllm/eval-metrics";
import { INVALID, type PredictionTable } from "./prediction-table.ts";
import type { Score, Scores } from "./summary.ts";
import { hasClass } from "./views.ts";

/** A number that JSON can hold. */
export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** A number without an interval. */
export const bare = (value: number): Score => ({ estimate: finite(value), low: null, high: null });

/** An interval without its settings, which the summary states once. */
export const scoreOf = ({ estimate, low, high }: Interval): Score => ({
  estimate: finite(estimate),
  low: finite(low),
  high: finite(high),
});

/** {@link scoreOf} over a record. */
export const scoresOf = (intervals: Readonly<Record<string, Interval>>): Scores =>
  Object.fromEntries(Object.entries(intervals).map(([name, interval]) => [name, scoreOf(interval)]));

/** Rows that are drawn together: their group's number per row, and how many groups there are. */
export interface Clusters {
  readonly key: string;
  readonly count: number;
  of(row: number): number;
}

/** Fewer groups than this tell too little about how groups differ. */
const FEWEST_CLUSTERS = 10;

/**
 * The groups to draw. `key` as asked for (every row with a class must have it); without one, the speakers when every row has
 * one and there are at least ten, else single rows (`undefined`).
 */
export function clustersOf(table: PredictionTable, key: string | undefined): Clusters | undefined {
  if (key === "none") return undefined;
  const column = table.keys.get(key ?? "speaker");
  if (!column) return undefined;
  let missing = 0;
  for (let row = 0; row < table.rows; row++) if (column.ids.at(row) === INVALID) missing++;
  const usable = missing === 0 && column.values.list.length > 0;
  if (!key && (!usable || column.values.list.length < FEWEST_CLUSTERS)) return undefined;
  if (!usable) throw new Error(`${missing} of ${table.rows} lines have no "${key}"; rows cannot be drawn by it`);
  return { key: key ?? "speaker", count: column.values.list.length, of: (row) => column.ids.at(row) };
}

/** Intervals of statistics of one group of rows. */
export function matrixScores<Name extends string>(
  data: ConfusionMatrix | readonly ConfusionMatrix[],
  statistics: Readonly<Record<Name, MatrixStatistic>>,
  options: BootstrapOptions,
): Record<Name, Score> {
  return scoresOf(bootstrapMatrix(data, statistics, options)) as Record<Name, Score>;
}

/** Rows that take part in the class metrics. */
export function classRows(table: PredictionTable): number {
  let n = 0;
  for (let row = 0; row < table.rows; row++) if (hasClass(table, row)) n++;
  return n;
}
