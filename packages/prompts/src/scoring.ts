/**
 * @file From the log-likelihoods of answers' tokens to probabilities of labels. Emotion is scored, not parsed: each label's words are
 * compared under the model's own head, so there is no invalid answer. Pure functions; natural logarithms throughout.
 */
import { EmosllmError } from "@emosllm/interfaces";

/**
 * How the tokens of one answer count: `sum` is the probability of the whole answer (long words suffer), `mean` is per token (length
 * normalised), `first` is the first token alone (one forward pass, but answers must differ there: see {@link sharedFirstTokens}).
 */
export const SCORING_RULES = ["sum", "mean", "first"] as const;
/** One of {@link SCORING_RULES}. */
export type ScoringRule = (typeof SCORING_RULES)[number];

/** How several words of one label join: the log of their summed likelihoods, or the best one. */
export type Pooling = "logsumexp" | "max";

/** Log-likelihoods: per label, per word that counts as it, per token. */
export type AnswerLogLikelihoods = readonly (readonly (readonly number[])[])[];

const RULES: { readonly [R in ScoringRule]: (tokens: readonly number[]) => number } = {
  sum: (tokens) => tokens.reduce((total, value) => total + value, 0),
  mean: (tokens) => tokens.reduce((total, value) => total + value, 0) / tokens.length,
  first: (tokens) => tokens[0] ?? Number.NaN,
};

/** log(sum(exp(values))), without overflow; -Infinity for none. */
export function logSumExp(values: readonly number[]): number {
  const top = values.reduce((a, b) => Math.max(a, b), -Infinity);
  if (top === -Infinity) return top;
  return top + Math.log(values.reduce((total, value) => total + Math.exp(value - top), 0));
}

/**
 * One score per label.
 *
 * @param logLikelihoods `[labels][words][tokens]`, each at most 0
 * @throws EmosllmError `runtime_failed` naming label, word and token where a value is not a log-likelihood.
 */
export function labelScores(
  logLikelihoods: AnswerLogLikelihoods,
  { rule = "sum", pooling = "logsumexp" }: { readonly rule?: ScoringRule; readonly pooling?: Pooling } = {},
): number[] {
  return logLikelihoods.map((words, label) => {
    if (words.length === 0) throw new EmosllmError("runtime_failed", `label ${label} has no word to score`);
    const scores = words.map((tokens, word) => {
      if (tokens.length === 0) throw new EmosllmError("runtime_failed", `label ${label}, word ${word} has no token`);
      // Rounding in a log-softmax can leave a probability a hair above 1.
      const bad = tokens.findIndex((value) => !(value <= 1e-3));
      if (bad >= 0)
        throw new EmosllmError(
          "runtime_failed",
          `label ${label}, word ${word}, token ${bad}: ${tokens[bad]} is not a log-likelihood (at most 0)`,
        );
      return RULES[rule](tokens);
    });
    return pooling === "max" ? Math.max(...scores) : logSumExp(scores);
  });
}

/** A correction of scores, fitted on validation data: `softmax((score + bias) / temperature)`. */
export interface Calibration {
  readonly temperature: number;
  /** Per label. */
  readonly bias: readonly number[];
}

/** Probabilities of labels from their scores; they sum to 1. Uniform where no label has any likelihood. */
export function labelProbabilities(scores: readonly number[], calibration: Partial<Calibration> = {}): number[] {
  const { temperature = 1, bias } = calibration;
  if (!(temperature > 0)) throw new EmosllmError("runtime_failed", `temperature is ${temperature}; expected above 0`);
  if (bias !== undefined && bias.length !== scores.length)
    throw new EmosllmError("runtime_failed", `the calibration is for ${bias.length} labels, not ${scores.length}`);
  const scaled = scores.map((score, i) => (score + (bias?.[i] ?? 0)) / temperature);
  const bad = scaled.findIndex((value) => Number.isNaN(value) || value === Infinity);
  if (bad >= 0) throw new EmosllmError("runtime_failed", `the score of label ${bad} is ${scores[bad]}`);
  const top = Math.max(...scaled);
  if (top === -Infinity) return scores.map(() => 1 / scores.length);
  const weights = scaled.map((value) => Math.exp(value - top));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** Groups of labels (by index) that begin with one token, and so are one label to the rule `first`; empty when all differ. */
export function sharedFirstTokens(answerIds: readonly (readonly number[])[]): number[][] {
  const groups = new Map<number | undefined, number[]>();
  answerIds.forEach((ids, label) => groups.set(ids[0], [...(groups.get(ids[0]) ?? []), label]));
  return [...groups.values()].filter((labels) => labels.length > 1);
}
