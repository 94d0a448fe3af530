/** @file Every metric against scikit-learn, SciPy, netcal, torchmetrics, krippendorff and jiwer on 1,000 generated cases each. */
import { expect, test } from "vitest";
import {
  accuracy,
  adaptiveCalibrationError,
  auroc,
  brierScore,
  cohenKappa,
  concordanceCorrelation,
  confusionMatrix,
  expectedCalibrationError,
  fitTemperature,
  type KappaWeights,
  krippendorffAlpha,
  logLoss,
  macroAverage,
  matthews,
  maximumCalibrationError,
  meanAbsoluteError,
  type MeasurementLevel,
  microAverage,
  normalizedCounts,
  pearsonCorrelation,
  perClass,
  type PrecisionRecallF1,
  type Probabilities,
  riskCoverageArea,
  rootMeanSquareError,
  scoreTable,
  selectiveAccuracy,
  softLabelReport,
  topKAccuracy,
  transcriptionReport,
  unweightedAverageRecall,
  weightedAverage,
} from "../src/index.ts";
import { allClose, cases, close, type Stored, stored } from "./oracle.ts";

const letters = "abcdefg";
const triple = ({ precision, recall, f1 }: PrecisionRecallF1): number[] => [precision, recall, f1];
/** Integer weights to probabilities by name: weight / sum, the same two operations as in the maker. */
const named = (weights: readonly number[]): Probabilities => {
  const sum = weights.reduce((a, b) => a + b, 0);
  return Object.fromEntries(weights.map((w, j) => [letters[j]!, w / sum]));
};

test("confusion, accuracy, UAR, precision, recall, F1, kappa, Matthews", () => {
  type Case = {
    labels: string;
    truth: string;
    answer: string;
    zero: Stored;
    weights: KappaWeights;
    expect: Record<string, unknown>;
  };
  for (const [i, c] of cases<Case>("classification").entries()) {
    const matrix = confusionMatrix([...c.truth], [...c.answer], { labels: [...c.labels] });
    const e = c.expect as { [key: string]: Stored } & { [K in "classes" | "macro" | "micro" | "weighted"]: Stored[] };
    const options = { zeroDivision: stored(c.zero) };
    const at = `case ${i} `;
    expect(matrix.counts, at).toEqual(e["matrix"]);
    expect(matrix.invalid, at).toEqual(e["invalid"]);
    close(accuracy(matrix), e["accuracy"]!, `${at}accuracy`);
    close(unweightedAverageRecall(matrix), e["uar"]!, `${at}UAR`);
    allClose(perClass(matrix, options).map(triple), e.classes, `${at}classes`);
    allClose(triple(macroAverage(matrix, options)), e.macro, `${at}macro`);
    allClose(triple(microAverage(matrix, options)), e.micro, `${at}micro`);
    allClose(triple(weightedAverage(matrix, options)), e.weighted, `${at}weighted`);
    close(cohenKappa(matrix, { weights: c.weights }), e["kappa"]!, `${at}kappa`);
    close(matthews(matrix), e["matthews"]!, `${at}Matthews`);
    for (const by of ["row", "column", "all"] as const)
      allClose(normalizedCounts(matrix, by), e[by] as unknown as number[][], at + by);
  }
});

test("Krippendorff's alpha at four levels", () => {
  type Case = { units: (number | null)[][]; expect: Record<MeasurementLevel, Stored> };
  for (const [i, c] of cases<Case>("agreement").entries())
    for (const level of ["nominal", "ordinal", "interval", "ratio"] as const)
      close(krippendorffAlpha(c.units, { level }), c.expect[level], `case ${i} ${level}`);
});

test("log loss, Brier, top-k, calibration errors, AUROC, risk-coverage, temperature", () => {
  type Case = {
    k: number;
    bins: number;
    weights: number[][];
    truth: string;
    coverage: number;
    top: number;
    expect: { [metric: string]: Stored } & {
      auroc: (Stored | null)[];
      aurocMacro: Stored | null;
      aurocWeighted: Stored;
      temperature: { bounded: boolean; temperature: Stored; after: Stored };
    };
  };
  for (const [i, c] of cases<Case>("probabilities").entries()) {
    const table = scoreTable([...c.truth], c.weights.map(named), { labels: Array.from(letters.slice(0, c.k)) });
    const e = c.expect;
    const { bins } = c;
    const results: Record<string, number> = {
      logLoss: logLoss(table),
      brier: brierScore(table, { scaleByHalf: false }),
      brierAuto: brierScore(table),
      topK: topKAccuracy(table, c.top),
      ece: expectedCalibrationError(table, { bins }),
      mce: maximumCalibrationError(table, { bins }),
      eceMass: expectedCalibrationError(table, { bins, binning: "equal-mass" }),
      ace: adaptiveCalibrationError(table, { bins }),
      aurc: riskCoverageArea(table),
      selective: selectiveAccuracy(table, c.coverage),
    };
    for (const [name, value] of Object.entries(results)) close(value, e[name]!, `case ${i} ${name}`);
    if (e.aurocMacro === null) expect(() => auroc(table)).toThrow(/two classes are needed/);
    else {
      const area = auroc(table);
      allClose(Object.values(area.classes), e.auroc, `case ${i} AUROC`);
      close(area.macro, e.aurocMacro, `case ${i} macro AUROC`);
      close(area.weighted, e.aurocWeighted, `case ${i} weighted AUROC`);
    }
    const fit = fitTemperature(table);
    expect(fit.bounded, `case ${i}`).toBe(e.temperature.bounded);
    close(fit.temperature, e.temperature.temperature, `case ${i} temperature`);
    close(fit.logLossAfter, e.temperature.after, `case ${i} fitted loss`);
  }
});

test("soft labels", () => {
  type Case = { truth: number[][]; predicted: number[][]; expect: Record<string, Stored> };
  for (const [i, c] of cases<Case>("soft_labels").entries()) {
    const { annotatorMatch, total, ...rest } = softLabelReport(c.truth.map(named), c.predicted.map(named));
    expect(total).toBe(c.truth.length);
    const results: Record<string, number> = { ...rest, ...annotatorMatch };
    for (const [name, value] of Object.entries(c.expect)) close(results[name]!, value, `case ${i} ${name}`);
  }
});

test("valence, activation, dominance", () => {
  type Case = { x: number[]; y: number[]; expect: Record<string, Stored> & { ccc1: Stored | null } };
  for (const [i, c] of cases<Case>("dimensional").entries()) {
    const [x, y] = [c.x.map((v) => v / 7), c.y.map((v) => v / 7)];
    close(concordanceCorrelation(x, y), c.expect["ccc"]!, `case ${i} CCC`);
    if (c.expect.ccc1 !== null)
      close(concordanceCorrelation(x, y, { ddof: 1 }), c.expect.ccc1, `case ${i} CCC, ddof 1`);
    close(pearsonCorrelation(x, y), c.expect["pearson"]!, `case ${i} Pearson`);
    close(rootMeanSquareError(x, y), c.expect["rmse"]!, `case ${i} RMSE`);
    close(meanAbsoluteError(x, y), c.expect["mae"]!, `case ${i} MAE`);
  }
});

test("WER and CER with jiwer's own split into hits, substitutions, deletions, insertions", () => {
  type Case = { references: string[]; hypotheses: string[]; expect: Record<"word" | "character", number[]> };
  for (const [i, c] of cases<Case>("transcription").entries())
    for (const unit of ["word", "character"] as const) {
      const r = transcriptionReport(c.references, c.hypotheses, { unit });
      const counts = [r.hits, r.substitutions, r.deletions, r.insertions, r.errorRate];
      allClose(counts, c.expect[unit], `case ${i} ${unit}`);
    }
});
