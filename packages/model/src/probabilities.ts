/** @file From log-likelihoods of answer tokens to a probability for each answer. */
import type { BundleManifest } from "@emosllm/interfaces";

type Scoring = BundleManifest["scoring"];

const REDUCTIONS: Readonly<Record<Scoring["reduction"], (tokens: readonly number[]) => number>> = {
  sum: (tokens) => tokens.reduce((a, b) => a + b, 0),
  mean: (tokens) => tokens.reduce((a, b) => a + b, 0) / tokens.length,
  first: (tokens) => tokens[0] ?? -Infinity,
};

/** Softmax over the answers of one row, after the temperature. */
export function answerProbabilities(
  answers: readonly (readonly number[])[],
  { reduction, temperature }: Pick<Scoring, "reduction" | "temperature">,
): number[] {
  const scores = answers.map((tokens) => REDUCTIONS[reduction](tokens) / temperature);
  const top = Math.max(...scores);
  const weights = scores.map((s) => Math.exp(s - top));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}
