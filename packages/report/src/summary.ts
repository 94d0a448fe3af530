/** @file The one object that `emosllm metrics --json` prints and the page draws. Keys are written as in the prediction files. */
import type { ConfusionMatrix, TranscriptionReport } from "@emosllm/eval-metrics";

/** A number with its interval; `low` and `high` are `null` where no interval was computed, `estimate` where the metric does not exist. */
export interface Score {
  readonly estimate: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** Scores by name. */
export type Scores = Readonly<Record<string, Score>>;

/** How intervals were drawn. */
export interface IntervalSettings {
  readonly level: number;
  readonly method: "percentile" | "bca";
  readonly rounds: number;
  readonly seed: number;
  /** `row`, or the key whose rows are drawn together. */
  readonly unit: string;
  readonly units: number;
}

/** Precision, recall and F1 of a class. */
export interface ClassScores {
  readonly label: string;
  readonly support: number;
  readonly predicted: number;
  readonly precision: Score;
  readonly recall: Score;
  readonly f1: Score;
}

/** Numbers of class answers. */
export interface ClassificationSummary {
  readonly rows: number;
  readonly confusion: ConfusionMatrix;
  /** `accuracy`, `uar`, `macro_f1`, `weighted_f1`, `micro_f1`, `macro_precision`, `macro_recall`, `cohen_kappa`, `matthews`, `invalid_rate`. */
  readonly scores: Scores;
  readonly classes: readonly ClassScores[];
}

/** Numbers of probabilities. */
export interface ProbabilitySummary {
  readonly rows: number;
  /** `log_loss`, `brier`, `ece`, `mce`, `ace`, `auroc_macro`, `auroc_weighted`, `aurc`, `top_2_accuracy`, `selective_accuracy_50`, `_80`, `_90`. */
  readonly scores: Scores;
  /** By label; `null` where the class has no rows or all. */
  readonly auroc: Readonly<Record<string, number | null>>;
  readonly reliability: readonly {
    low: number;
    high: number;
    count: number;
    confidence: number | null;
    accuracy: number | null;
  }[];
  readonly risk_coverage: readonly { threshold: number; coverage: number; risk: number }[];
  /** Temperature fitted on the validation file, and the log loss and calibration error of these rows before it was applied. */
  readonly temperature: {
    temperature: number;
    validation_rows: number;
    log_loss_before: number;
    ece_before: number;
  } | null;
}

/** One slice; the score is the unweighted average recall. */
export interface SliceSummary {
  readonly value: string;
  readonly rows: number;
  readonly uar: Score;
}

/** All slices of a key, worst first. */
export interface KeySlices {
  readonly key: string;
  readonly unit: string;
  readonly best: string;
  readonly worst: string;
  readonly gap: Score;
  readonly slices: readonly SliceSummary[];
}

/** Two systems on the same rows; differences are this file minus the other. */
export interface ComparisonSummary {
  readonly file: string;
  /** Rows that both files answer. */
  readonly rows: number;
  readonly only_first: number;
  readonly only_second: number;
  readonly scores: readonly {
    name: string;
    first: number;
    second: number;
    difference: Score;
    /** Permutation test, two-sided; and Holm's correction over these scores. */
    p_value: number;
    p_holm: number;
    exact: boolean;
  }[];
  readonly mcnemar: { only_first_right: number; only_second_right: number; p_value: number };
}

/** An utterance that the system got most wrong. */
export interface HardUtterance {
  readonly id: string;
  readonly label: string;
  readonly prediction: string | null;
  /** Probability of the true label, where given. */
  readonly probability: number | null;
  /** Probability of the answer, where given. */
  readonly confidence: number | null;
  readonly speaker?: string;
  readonly text?: string;
  readonly audio?: { path: string; start?: number; end?: number };
}

/** Alignment counts; the rate is `null` when the references hold no word. */
export interface ErrorRateSummary extends Omit<TranscriptionReport, "errorRate"> {
  readonly errorRate: number | null;
  readonly interval: Score;
}

/** Everything about a file of predictions. A part is `null` when no line has its fields. */
export interface MetricsSummary {
  readonly file: string;
  readonly rows: number;
  readonly labels: readonly string[];
  readonly intervals: IntervalSettings;
  readonly classification: ClassificationSummary | null;
  readonly probabilities: ProbabilitySummary | null;
  readonly soft_labels: {
    rows: number;
    kl: number | null;
    kl_infinite: number;
    jensen_shannon: number;
    cosine: number;
    annotator_match: { random: number; any: number; majority: number };
  } | null;
  readonly dimensions: Readonly<Record<string, { rows: number; scores: Scores }>> | null;
  readonly transcription: {
    rows: number;
    normalized: boolean;
    word: ErrorRateSummary;
    character: ErrorRateSummary;
  } | null;
  /** Mean, deviation and pooled value of the scores over the lines' `fold`. */
  readonly folds: Readonly<
    Record<
      string,
      { values: Readonly<Record<string, number>>; mean: number; standard_deviation: number; pooled: number }
    >
  > | null;
  readonly slices: readonly KeySlices[];
  readonly comparison: ComparisonSummary | null;
  readonly hardest: readonly HardUtterance[];
}
