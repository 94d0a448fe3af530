export { renderReport, type ReportOptions } from "./page.ts";
export { hardest, type Hardest } from "./hardest.ts";
export {
  addLine,
  DEFAULT_SLICES,
  predictionTable,
  type PredictionTable,
  type TableOptions,
} from "./prediction-table.ts";
export { renderStudies, type ProbeStudy, type SensitivityStudy, type Studies } from "./studies.ts";
export type { LogLine } from "./learning.ts";
export { forEachLine, type Line } from "./read-lines.ts";
export { summarizePredictions, type SummaryOptions } from "./summarize.ts";
export type {
  ClassificationSummary,
  ClassScores,
  ComparisonSummary,
  HardUtterance,
  IntervalSettings,
  KeySlices,
  MetricsSummary,
  ProbabilitySummary,
  Score,
  Scores,
  SliceSummary,
} from "./summary.ts";
