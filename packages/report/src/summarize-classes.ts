/** @file The class part of the summary: scores with intervals, slices, folds. */
import {
  accuracy,
  addMatrices,
  aggregateFolds,
  type BootstrapOptions,
  cohenKappa,
  type ConfusionMatrix,
  invalidRate,
  macroAverage,
  macroF1,
  type MatrixStatistic,
  matthews,
  microF1,
  perClass,
  quantileSlices,
  sliceReport,
  unweightedAverageRecall,
  weightedF1,
} from "@emosllm/eval-metrics";
import type { KeyColumn, PredictionTable } from "./prediction-table.ts";
import { type Clusters, matrixScores, scoreOf } from "./scores.ts";
import type { ClassificationSummary, KeySlices, MetricsSummary } from "./summary.ts";
import { hasClass, type LabelOrder, matricesBy, rowsOf } from "./views.ts";

/** The headline numbers, also compared between systems and over folds. */
export const HEADLINE: Readonly<Record<"uar" | "accuracy" | "macro_f1" | "weighted_f1", MatrixStatistic>> = {
  uar: unweightedAverageRecall,
  accuracy,
  macro_f1: (m) => macroF1(m),
  weighted_f1: (m) => weightedF1(m),
};

const ALL: Readonly<Record<string, MatrixStatistic>> = {
  ...HEADLINE,
  micro_f1: (m) => microF1(m),
  macro_precision: (m) => macroAverage(m).precision,
  macro_recall: (m) => macroAverage(m).recall,
  cohen_kappa: (m) => cohenKappa(m),
  matthews,
  invalid_rate: invalidRate,
};

/** Scores and classes, intervals by row or by cluster. */
export function summarizeClasses(
  table: PredictionTable,
  order: LabelOrder,
  clusters: Clusters | undefined,
  options: BootstrapOptions,
): ClassificationSummary {
  const matrices = clusters
    ? matricesBy(table, order, clusters.count, clusters.of).filter((m) => rowsOf(m) > 0)
    : matricesBy(table, order, 1, () => 0);
  const confusion = addMatrices(matrices);
  const statistics: Record<string, MatrixStatistic> = { ...ALL };
  order.labels.forEach((_, i) => {
    statistics[`${i} precision`] = (m) => perClass(m)[i]!.precision;
    statistics[`${i} recall`] = (m) => perClass(m)[i]!.recall;
    statistics[`${i} f1`] = (m) => perClass(m)[i]!.f1;
  });
  const scores = matrixScores(clusters ? matrices : confusion, statistics, options);
  return {
    rows: rowsOf(confusion),
    confusion,
    scores: Object.fromEntries(Object.keys(ALL).map((name) => [name, scores[name]!])),
    classes: perClass(confusion).map(({ label, support, predicted }, i) => ({
      label,
      support,
      predicted,
      precision: scores[`${i} precision`]!,
      recall: scores[`${i} recall`]!,
      f1: scores[`${i} f1`]!,
    })),
  };
}

/** A key with more values than this is a name, not a property, and is left out. */
const MOST_SLICES = 1000;
/** Slices are drawn by cluster only when each of them has this many. */
const FEWEST_CLUSTERS_PER_SLICE = 10;

/** Unweighted average recall by every key that has at least two values. */
export function summarizeSlices(
  table: PredictionTable,
  order: LabelOrder,
  clusters: Clusters | undefined,
  options: BootstrapOptions,
): KeySlices[] {
  const result: KeySlices[] = [];
  for (const [key, column] of table.keys) {
    if (key === "fold" || (table.options.slices === undefined && key === table.options.cluster && key !== "speaker"))
      continue;
    const { values, of } = sliceNames(table, column);
    if (values.length < 2 || values.length > MOST_SLICES) continue;
    const groups = groupsOf(table, order, values.length, of, key === clusters?.key ? undefined : clusters);
    const named = new Map(
      values.map((value, i) => [value, groups.data[i]!] as const).filter(([, data]) => filled(data)),
    );
    if (named.size < 2) continue;
    const report = sliceReport(named, unweightedAverageRecall, { ...options, method: "percentile" });
    result.push({
      key,
      unit: groups.unit,
      best: report.best,
      worst: report.worst,
      gap: scoreOf(report.gap),
      slices: report.slices.map((s) => ({ value: s.value, rows: s.rows, uar: scoreOf(s.score) })),
    });
  }
  return result;
}

const filled = (data: ConfusionMatrix | readonly ConfusionMatrix[]): boolean =>
  "labels" in data ? rowsOf(data) > 0 : data.length > 0;

/** A slice name per row: the value itself, or a quarter of the range for numbers. */
function sliceNames(
  table: PredictionTable,
  column: KeyColumn,
): { values: readonly string[]; of: (row: number) => number } {
  if (column.numeric === 0) return { values: column.values.list, of: (row) => column.ids.at(row) };
  const numbers = Array.from(column.numbers.values());
  const own = quantileSlices(numbers);
  const values = [...new Set(own.filter((v) => v !== "unknown"))];
  const at = new Map(values.map((v, i) => [v, i]));
  return { values, of: (row) => at.get(own[row]!) ?? -1 };
}

function groupsOf(
  table: PredictionTable,
  order: LabelOrder,
  count: number,
  of: (row: number) => number,
  clusters: Clusters | undefined,
): { unit: string; data: (ConfusionMatrix | readonly ConfusionMatrix[])[] } {
  if (clusters && count * clusters.count <= 100_000) {
    const all = matricesBy(table, order, count * clusters.count, (row) =>
      of(row) < 0 ? -1 : of(row) * clusters.count + clusters.of(row),
    );
    const data = Array.from({ length: count }, (_, g) =>
      all.slice(g * clusters.count, (g + 1) * clusters.count).filter((m) => rowsOf(m) > 0),
    );
    if (data.every((d) => d.length === 0 || d.length >= FEWEST_CLUSTERS_PER_SLICE)) return { unit: clusters.key, data };
  }
  return { unit: "row", data: matricesBy(table, order, count, of) };
}

/** The headline numbers over the lines' `fold`; nothing when there are fewer than two. */
export function summarizeFolds(table: PredictionTable, order: LabelOrder): MetricsSummary["folds"] {
  const column = table.keys.get("fold")!;
  if (column.values.list.length < 2) return null;
  const rows = Array.from({ length: table.rows }, (_, row) => row).filter((row) => hasClass(table, row));
  if (rows.length === 0 || rows.some((row) => column.ids.at(row) < 0)) return null;
  const matrices = matricesBy(table, order, column.values.list.length, (row) => column.ids.at(row));
  const names = column.values.list.filter((_, i) => rowsOf(matrices[i]!) > 0);
  const summary = aggregateFolds(
    matrices.filter((m) => rowsOf(m) > 0),
    HEADLINE,
  );
  return Object.fromEntries(
    Object.entries(summary).map(([name, s]) => [
      name,
      {
        values: Object.fromEntries(s.values.map((v, i) => [names[i]!, v])),
        mean: s.mean,
        standard_deviation: s.standardDeviation,
        pooled: s.pooled,
      },
    ]),
  );
}
