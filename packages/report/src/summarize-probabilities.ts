/** @file The probability part of the summary. Scores that are sums over rows get intervals from the same kind of resampling as the matrix. */
import {
  adaptiveCalibrationError,
  type Additive,
  auroc,
  bootstrap,
  type BootstrapOptions,
  brierScore,
  expectedCalibrationError,
  logLoss,
  maximumCalibrationError,
  reliabilityCurve,
  riskCoverage,
  riskCoverageArea,
  rowBrier,
  rowLogLoss,
  type ScoreTable,
  selectiveAccuracy,
  topAnswers,
  topKAccuracy,
  widthBin,
} from "@emosllm/eval-metrics";
import { bare, finite, scoresOf } from "./scores.ts";
import type { ProbabilitySummary, Scores } from "./summary.ts";

const BINS = 15;
const COVERAGES = [50, 80, 90] as const;
const POINTS = 200;
/** Single rows are only drawn one by one up to this many draws (about two seconds); beyond it these intervals are left out. */
const MOST_DRAWS = 1e8;

/** Scores, curves and AUROC of a table. `clusterOf` gives each row's group, or single rows are drawn. */
export function summarizeProbabilities(
  scores: ScoreTable,
  clusterOf: { count: number; of: (row: number) => number } | undefined,
  options: BootstrapOptions,
  temperature: ProbabilitySummary["temperature"],
): ProbabilitySummary {
  const top = topAnswers(scores);
  const n = scores.truth.length;
  const area = twoClasses(scores) ? auroc(scores) : undefined;
  const plain: Scores = {
    log_loss: bare(logLoss(scores)),
    brier: bare(brierScore(scores, { scaleByHalf: false })),
    ece: bare(expectedCalibrationError(top, { bins: BINS })),
    mce: bare(maximumCalibrationError(top, { bins: BINS })),
    ace: bare(adaptiveCalibrationError(scores, { bins: BINS })),
    auroc_macro: bare(area?.macro ?? Number.NaN),
    auroc_weighted: bare(area?.weighted ?? Number.NaN),
    aurc: bare(riskCoverageArea(top)),
    top_2_accuracy: bare(topKAccuracy(scores, 2)),
    ...Object.fromEntries(COVERAGES.map((c) => [`selective_accuracy_${c}`, bare(selectiveAccuracy(top, c / 100))])),
  };
  const drawn =
    clusterOf || n * (options.rounds ?? 1000) <= MOST_DRAWS ? intervals(scores, top, clusterOf, options) : {};
  return {
    rows: n,
    scores: { ...plain, ...drawn },
    auroc: area?.classes ?? Object.fromEntries(scores.labels.map((label) => [label, null])),
    reliability: reliabilityCurve(top, { bins: BINS }).map((b) => ({
      ...b,
      confidence: finite(b.confidence),
      accuracy: finite(b.accuracy),
    })),
    risk_coverage: riskCoverage(top, { points: POINTS }),
    temperature,
  };
}

const twoClasses = ({ truth }: ScoreTable): boolean => truth.some((t) => t !== truth[0]);

/** Sums of a row: 1, log loss, Brier, then for its confidence bin: rows, confidence, right. */
function intervals(
  scores: ScoreTable,
  top: ReturnType<typeof topAnswers>,
  clusters: { count: number; of: (row: number) => number } | undefined,
  options: BootstrapOptions,
): Scores {
  const size = 3 + 3 * BINS;
  const k = scores.labels.length;
  const addRow = (sums: Float64Array, row: number, times: number): void => {
    sums[0]! += times;
    sums[1]! += times * rowLogLoss(scores.probabilities[row * k + scores.truth[row]!]!);
    sums[2]! += times * rowBrier(scores, row);
    const confidence = top.confidence[row]!;
    const bin = 3 + 3 * widthBin(confidence, BINS);
    sums[bin]! += times;
    sums[bin + 1]! += times * confidence;
    sums[bin + 2]! += times * top.correct[row]!;
  };
  const data = clusters
    ? byCluster(scores.truth.length, size, clusters, addRow)
    : { units: scores.truth.length, size, add: addRow };
  // Leaving out each of many single rows would cost more than the resamples; BCa is for the matrix and for clusters.
  const method = clusters ? options.method : "percentile";
  return scoresOf(
    bootstrap(
      data,
      (sums) => {
        let ece = 0;
        for (let bin = 3; bin < size; bin += 3) ece += Math.abs(sums[bin + 2]! - sums[bin + 1]!);
        return { log_loss: sums[1]! / sums[0]!, brier: sums[2]! / sums[0]!, ece: ece / sums[0]! };
      },
      { ...options, method },
    ),
  );
}

function byCluster(
  rows: number,
  size: number,
  clusters: { count: number; of: (row: number) => number },
  addRow: Additive["add"],
): Additive {
  const sums = Array.from({ length: clusters.count }, () => new Float64Array(size));
  for (let row = 0; row < rows; row++) addRow(sums[clusters.of(row)]!, row, 1);
  const filled = sums.filter((s) => s[0]! > 0);
  return {
    units: filled.length,
    size,
    add: (into, unit, times) => filled[unit]!.forEach((v, i) => (into[i]! += times * v)),
  };
}
