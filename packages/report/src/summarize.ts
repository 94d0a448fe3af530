/** @file From a file of predictions to the summary: reads once, then computes each part that the lines have fields for. */
import {
  type Additive,
  applyTemperature,
  type BootstrapOptions,
  bootstrap,
  concordanceCorrelation,
  expectedCalibrationError,
  fitTemperature,
  logLoss,
  meanAbsoluteError,
  pearsonCorrelation,
  rootMeanSquareError,
  type TranscriptionUnit,
} from "@emosllm/eval-metrics";
import { EmosllmError } from "@emosllm/interfaces";
import { compareTables } from "./compare.ts";
import { type Hardest, hardest } from "./hardest.ts";
import { addLine, DIMENSIONS, type PredictionTable, predictionTable, type TableOptions } from "./prediction-table.ts";
import { forEachLine } from "./read-lines.ts";
import { bare, type Clusters, classRows, clustersOf, finite, scoreOf } from "./scores.ts";
import { summarizeClasses, summarizeFolds, summarizeSlices } from "./summarize-classes.ts";
import { summarizeProbabilities } from "./summarize-probabilities.ts";
import type { MetricsSummary, ProbabilitySummary, Score } from "./summary.ts";
import { labelOrder, scoreTableOf } from "./views.ts";

/** Options of {@link summarizePredictions}. */
export interface SummaryOptions extends Omit<TableOptions, "keepIds">, BootstrapOptions {
  /** Another system's predictions of the same utterances. */
  compare?: string | undefined;
  /** Predictions on validation data; the temperature fitted there is applied to the probabilities here. */
  validation?: string | undefined;
  /** Random swaps of the permutation tests; default 10000. */
  permutations?: number | undefined;
  /** How many of the worst errors are listed; default 20. */
  hardest?: number | undefined;
}

/** Up to this many draws of single rows are made for the word error rate's interval. */
const MOST_DRAWS = 1e8;

/**
 * Reads a JSONL file of predictions (streaming; the rows are kept as a few bytes each) and computes everything its lines allow.
 *
 * @throws EmosllmError `corpus_not_found`, `corpus_invalid` (names file, line, key and value)
 */
export async function summarizePredictions(file: string, options: SummaryOptions = {}): Promise<MetricsSummary> {
  const settings = {
    rounds: options.rounds ?? 1000,
    seed: options.seed ?? 0,
    level: options.level ?? 0.95,
    method: options.method ?? "percentile",
  } as const;
  const keepIds = options.compare !== undefined;
  const worst = hardest(options.hardest ?? 20);
  const table = await readTable(file, { ...options, keepIds }, worst);
  const order = labelOrder(table);
  const clusters = chosenClusters(table, options.cluster, file);
  const classes = classRows(table);
  const scaled = await probabilitiesOf(table, options, clusters, settings);
  const comparison =
    options.compare === undefined
      ? null
      : compareTables(
          table,
          await readTable(options.compare, { ...options, keepIds }),
          [file, options.compare],
          clusters,
          { ...settings, permutations: options.permutations ?? 10_000 },
        );
  return {
    file,
    rows: table.rows,
    labels: order.labels,
    intervals: { ...settings, unit: clusters?.key ?? "row", units: clusters?.count ?? table.rows },
    classification: classes === 0 ? null : summarizeClasses(table, order, clusters, settings),
    probabilities: scaled,
    soft_labels: softLabels(table),
    dimensions: dimensions(table),
    transcription: transcription(table, clusters, settings),
    folds: classes === 0 ? null : summarizeFolds(table, order),
    slices: classes === 0 ? [] : summarizeSlices(table, order, clusters, settings),
    comparison,
    hardest: worst.list(),
  };
}

async function readTable(file: string, options: TableOptions, worst?: Hardest): Promise<PredictionTable> {
  const table = predictionTable(options);
  await forEachLine(file, (line, place) => {
    addLine(table, line, place);
    worst?.offer(line);
  });
  if (table.rows === 0)
    throw new EmosllmError("corpus_invalid", `${file}: no lines; at least one prediction is needed`);
  return table;
}

function chosenClusters(table: PredictionTable, key: string | undefined, file: string): Clusters | undefined {
  try {
    return clustersOf(table, key);
  } catch (error) {
    throw new EmosllmError("corpus_invalid", `${file}: ${(error as Error).message}`, { cause: error });
  }
}

async function probabilitiesOf(
  table: PredictionTable,
  options: SummaryOptions,
  clusters: Clusters | undefined,
  settings: BootstrapOptions,
): Promise<ProbabilitySummary | null> {
  const order = labelOrder(table);
  const scores = scoreTableOf(table, order);
  if (!scores) {
    if (options.validation)
      throw new EmosllmError("usage", "--validation needs lines with probabilities in both files");
    return null;
  }
  const rows = table.scored.rows;
  const groups = clusters && { count: clusters.count, of: (i: number) => clusters.of(rows.at(i)) };
  if (options.validation === undefined) return summarizeProbabilities(scores, groups, settings, null);
  const validation = await readTable(options.validation, { ...options, labels: order.labels });
  const held = scoreTableOf(validation, labelOrder(validation));
  if (!held)
    throw new EmosllmError(
      "corpus_invalid",
      `${options.validation}: no line has a label and probabilities; a temperature cannot be fitted`,
    );
  const { temperature } = fitTemperature(held);
  const before = { log_loss_before: logLoss(scores), ece_before: expectedCalibrationError(scores) };
  const fitted = { temperature, validation_rows: held.truth.length, ...before };
  return summarizeProbabilities(applyTemperature(scores, temperature), groups, settings, fitted);
}

function softLabels({ soft }: PredictionTable): MetricsSummary["soft_labels"] {
  const n = soft.rows;
  if (n === 0) return null;
  return {
    rows: n,
    kl: finite(soft.kl / n),
    kl_infinite: soft.klInfinite,
    jensen_shannon: soft.jensenShannon / n,
    cosine: soft.cosine / n,
    annotator_match: { random: soft.match.random / n, any: soft.match.any / n, majority: soft.match.majority / n },
  };
}

function dimensions(table: PredictionTable): MetricsSummary["dimensions"] {
  const found = DIMENSIONS.filter((d) => table.dimensions[d].truth.length > 0);
  if (found.length === 0) return null;
  return Object.fromEntries(
    found.map((d) => {
      const { truth, predicted } = table.dimensions[d];
      const scores = {
        ccc: bare(concordanceCorrelation(truth, predicted)),
        pearson: bare(pearsonCorrelation(truth, predicted)),
        rmse: bare(rootMeanSquareError(truth, predicted)),
        mae: bare(meanAbsoluteError(truth, predicted)),
      };
      return [d, { rows: truth.length, scores }];
    }),
  );
}

function transcription(
  table: PredictionTable,
  clusters: Clusters | undefined,
  settings: BootstrapOptions,
): MetricsSummary["transcription"] {
  const rows = table.transcripts.rows.length;
  if (rows === 0) return null;
  const of = (unit: TranscriptionUnit) => {
    const counts = table.transcripts.counts[unit].values();
    const sums = [0, 0, 0, 0];
    counts.forEach((n, i) => (sums[i % 4]! += n));
    const [hits, substitutions, deletions, insertions] = sums as [number, number, number, number];
    const referenceLength = hits + substitutions + deletions;
    const errorRate = referenceLength === 0 ? null : (substitutions + deletions + insertions) / referenceLength;
    const interval = errorRate === null ? bare(Number.NaN) : rateInterval(table, counts, errorRate, clusters, settings);
    return {
      unit,
      hits,
      substitutions,
      deletions,
      insertions,
      referenceLength,
      hypothesisLength: hits + substitutions + insertions,
      errorRate,
      interval,
    };
  };
  return { rows, normalized: table.options.normalize !== false, word: of("word"), character: of("character") };
}

/** Sums of an utterance: errors, reference tokens. */
function rateInterval(
  table: PredictionTable,
  counts: Int32Array,
  errorRate: number,
  clusters: Clusters | undefined,
  settings: BootstrapOptions,
): Score {
  const rows = table.transcripts.rows;
  if (!clusters && rows.length * (settings.rounds ?? 1000) > MOST_DRAWS) return bare(errorRate);
  const units = clusters?.count ?? rows.length;
  const sums = new Float64Array(units * 2);
  for (let i = 0; i < rows.length; i++) {
    const unit = clusters ? clusters.of(rows.at(i)) : i;
    const [h, s, d, n] = counts.subarray(i * 4, i * 4 + 4) as unknown as [number, number, number, number];
    sums[unit * 2]! += s + d + n;
    sums[unit * 2 + 1]! += h + s + d;
  }
  const data: Additive = {
    units,
    size: 2,
    add: (into, unit, times) => {
      into[0]! += times * sums[unit * 2]!;
      into[1]! += times * sums[unit * 2 + 1]!;
    },
  };
  const { rate } = bootstrap(data, (sum) => ({ rate: sum[1] === 0 ? Number.NaN : sum[0]! / sum[1]! }), settings);
  return scoreOf(rate);
}
