export { krippendorffAlpha, type KrippendorffOptions, type MeasurementLevel } from "./agreement.ts";
export { editPath, type EditStep, type EditType } from "./alignment.ts";
export { auroc, type AurocReport } from "./auroc.ts";
export {
  bootstrap,
  bootstrapRows,
  groupRows,
  resample,
  type Additive,
  type BootstrapOptions,
  type Resamples,
} from "./bootstrap.ts";
export { bootstrapMatrix, confusionByCluster, type MatrixStatistic } from "./bootstrap-matrix.ts";
export {
  adaptiveCalibrationError,
  expectedCalibrationError,
  maximumCalibrationError,
  reliabilityCurve,
  widthBin,
  type Binning,
  type CalibrationOptions,
  type ReliabilityBin,
} from "./calibration.ts";
export {
  accuracy,
  balancedAccuracy,
  classificationReport,
  cohenKappa,
  invalidRate,
  macroAverage,
  macroF1,
  matthews,
  microAverage,
  microF1,
  perClass,
  unweightedAverageRecall,
  weightedAverage,
  weightedF1,
  type ClassificationReport,
  type ClassReport,
  type KappaWeights,
  type PrecisionRecallF1,
  type ZeroDivisionOptions,
} from "./classification.ts";
export {
  addMatrices,
  confusionMatrix,
  labelsOf,
  margins,
  normalizedCounts,
  type Answer,
  type ConfusionMatrix,
  type ConfusionOptions,
  type Margins,
  type Normalization,
} from "./confusion.ts";
export {
  concordanceCorrelation,
  meanAbsoluteError,
  pearsonCorrelation,
  rootMeanSquareError,
  type ConcordanceOptions,
} from "./dimensional.ts";
export { MetricsError, METRICS_ERROR_CODES, type MetricsErrorCode } from "./errors.ts";
export { aggregateFolds, type FoldSummary } from "./folds.ts";
export {
  acceleration,
  intervalOf,
  quantile,
  standardDeviation,
  type Interval,
  type IntervalMethod,
  type IntervalOptions,
  type Jackknife,
} from "./intervals.ts";
export { normalCdf, normalQuantile } from "./normal.ts";
export { normalizeTranscript } from "./normalize.ts";
export { matrixOf, pairedBootstrap, pairedCounts, type PairedCounts, type PairedOptions } from "./paired.ts";
export {
  answersOf,
  packRow,
  scoreTable,
  topAnswers,
  type Confidences,
  type Probabilities,
  type ScoreTable,
  type ScoreTableOptions,
} from "./probabilities.ts";
export { binomial, randomStream, type Random } from "./random.ts";
export { brierScore, logLoss, rowBrier, rowLogLoss, topKAccuracy, type BrierOptions } from "./scoring.ts";
export { riskCoverage, riskCoverageArea, selectiveAccuracy, type RiskCoveragePoint } from "./selective.ts";
export {
  holm,
  mcnemar,
  mcnemarOf,
  permutationTest,
  type McNemarResult,
  type PermutationOptions,
  type PermutationResult,
} from "./significance.ts";
export { quantileSlices, sliceReport, type Slice, type SliceReport } from "./slices.ts";
export {
  annotatorMatch,
  cosineSimilarity,
  jensenShannonDivergence,
  klDivergence,
  softLabelReport,
  type AnnotatorMatch,
  type SoftLabelReport,
} from "./soft-labels.ts";
export { applyTemperature, fitTemperature, type TemperatureFit } from "./temperature.ts";
export {
  alignTranscript,
  characterErrorRate,
  tokenize,
  transcriptCounts,
  transcriptionReport,
  wordErrorRate,
  type TranscriptionOptions,
  type TranscriptionReport,
  type TranscriptionUnit,
} from "./transcription.ts";
