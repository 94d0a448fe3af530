/** @file Word and character error rate with alignment counts. Without a normaliser, equal to jiwer's `process_words` and `process_characters`. */
import { type EditStep, type EditType, editPath } from "./alignment.ts";
import { checkPairs, MetricsError } from "./errors.ts";

/** What is compared: words split at white space, or Unicode characters (code points), inner spaces included. */
export type TranscriptionUnit = "word" | "character";

/** Options of the transcription metrics. */
export interface TranscriptionOptions {
  /** Applied to both sides first, e.g. {@link normalizeTranscript}. Default: none, texts are compared as they are. */
  normalizer?: ((text: string) => string) | undefined;
}

/** Alignment counts, and the rates that follow from them. */
export interface TranscriptionReport {
  readonly unit: TranscriptionUnit;
  readonly hits: number;
  readonly substitutions: number;
  readonly deletions: number;
  readonly insertions: number;
  /** Tokens in the references: hits + substitutions + deletions. */
  readonly referenceLength: number;
  /** Tokens in the hypotheses: hits + substitutions + insertions. */
  readonly hypothesisLength: number;
  /** (substitutions + deletions + insertions) / referenceLength: WER or CER; can exceed 1. */
  readonly errorRate: number;
}

/** The tokens that are compared. */
export function tokenize(text: string, unit: TranscriptionUnit): string[] {
  const trimmed = text.trim();
  if (unit === "character") return Array.from(trimmed);
  return trimmed === "" ? [] : trimmed.split(/\s+/u);
}

/** One utterance's alignment: its steps with the tokens they touch, for display and error analysis. */
export function alignTranscript(
  reference: string,
  hypothesis: string,
  { unit = "word", normalizer }: TranscriptionOptions & { unit?: TranscriptionUnit } = {},
): { type: EditType; reference?: string; hypothesis?: string }[] {
  const r = tokenize(normalizer ? normalizer(reference) : reference, unit);
  const h = tokenize(normalizer ? normalizer(hypothesis) : hypothesis, unit);
  return editPath(r, h).map((s: EditStep) => ({
    type: s.type,
    ...(s.type === "insert" ? {} : { reference: r[s.reference]! }),
    ...(s.type === "delete" ? {} : { hypothesis: h[s.hypothesis]! }),
  }));
}

/** Hits, substitutions, deletions and insertions of one utterance. */
export function transcriptCounts(
  reference: string,
  hypothesis: string,
  { unit = "word", normalizer }: TranscriptionOptions & { unit?: TranscriptionUnit } = {},
): Pick<TranscriptionReport, "hits" | "substitutions" | "deletions" | "insertions"> {
  const r = tokenize(normalizer ? normalizer(reference) : reference, unit);
  const h = tokenize(normalizer ? normalizer(hypothesis) : hypothesis, unit);
  const counts: Record<EditType, number> = { equal: 0, substitute: 0, delete: 0, insert: 0 };
  for (const step of editPath(r, h)) counts[step.type]++;
  return {
    hits: counts.equal,
    substitutions: counts.substitute,
    deletions: counts.delete,
    insertions: counts.insert,
  };
}

/**
 * Counts over all utterances, and the error rate of the corpus (errors of all by words of all, not a mean of rates).
 *
 * @throws MetricsError `empty_input`, `length_mismatch`; `undefined_metric` when all references together hold no token
 */
export function transcriptionReport(
  references: readonly string[],
  hypotheses: readonly string[],
  { unit = "word", normalizer }: TranscriptionOptions & { unit?: TranscriptionUnit } = {},
): TranscriptionReport {
  checkPairs("transcriptionReport(references, hypotheses)", references, hypotheses);
  const sum = { hits: 0, substitutions: 0, deletions: 0, insertions: 0 };
  for (let i = 0; i < references.length; i++) {
    const c = transcriptCounts(references[i]!, hypotheses[i]!, { unit, normalizer });
    sum.hits += c.hits;
    sum.substitutions += c.substitutions;
    sum.deletions += c.deletions;
    sum.insertions += c.insertions;
  }
  const referenceLength = sum.hits + sum.substitutions + sum.deletions;
  if (referenceLength === 0)
    throw new MetricsError("undefined_metric", `the references hold no ${unit}; the ${unit} error rate is undefined`);
  return {
    unit,
    ...sum,
    referenceLength,
    hypothesisLength: sum.hits + sum.substitutions + sum.insertions,
    errorRate: (sum.substitutions + sum.deletions + sum.insertions) / referenceLength,
  };
}

/** Word error rate (WER) of a corpus. */
export const wordErrorRate = (
  references: readonly string[],
  hypotheses: readonly string[],
  options: TranscriptionOptions = {},
): number => transcriptionReport(references, hypotheses, { ...options, unit: "word" }).errorRate;

/** Character error rate (CER) of a corpus. */
export const characterErrorRate = (
  references: readonly string[],
  hypotheses: readonly string[],
  options: TranscriptionOptions = {},
): number => transcriptionReport(references, hypotheses, { ...options, unit: "character" }).errorRate;
