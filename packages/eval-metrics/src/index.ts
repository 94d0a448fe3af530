export { krippendorffAlpha, type KrippendorffOptions, type MeasurementLevel } from "./agreement.ts";
export { editPath, type EditStep, type EditType } from "./alignment.ts";
export { auroc, type AurocReport } from "./auroc.ts";
export {
  adaptiveCalibrationError,
  expectedCalibrationError,
  maximumCalibrationError,
  reliabilityCurve,
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
export { normalizeTranscript } from "./normalize.ts";
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
export { brierScore, logLoss, topKAccuracy, type BrierOptions } from "./scoring.ts";
export { riskCoverage, riskCoverageArea, selectiveAccuracy, type RiskCoveragePoint } from "./selective.ts";
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
