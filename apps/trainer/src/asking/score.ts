/** @file The score of answers with its interval. */
import { bootstrapMatrix, confusionMatrix, unweightedAverageRecall } from "@emosllm/eval-metrics";

/** Unweighted average recall with a 95 % bootstrap interval over utterances. */
export interface UaScore {
  readonly ua: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/** Rounds of the bootstrap. */
const ROUNDS = 1000;

export function uaScore(
  truth: readonly string[],
  answers: readonly string[],
  labels: readonly string[],
  seed = 0,
): UaScore {
  const matrix = confusionMatrix(truth, answers, { labels });
  const { uar } = bootstrapMatrix(matrix, { uar: unweightedAverageRecall }, { rounds: ROUNDS, seed });
  return { ua: uar.estimate, low: uar.low, high: uar.high, n: truth.length };
}
