/** @file From log-likelihoods of answer tokens to a probability for each answer. */
import type { BundleManifest } from "@emosllm/interfaces";

type Scoring = BundleManifest["scoring"];

const REDUCTIONS: Readonly<Record<Scoring["reduction"], (tokens: readonly number[]) => number>> = {
  sum: (tokens) => tokens.reduce((a, b) => a + b, 0),
  mean: (tokens) => tokens.reduce((a, b) => a + b, 0) / tokens.length,
  first: (tokens) => tokens[0] ?? -Infinity,
};

/** `softmax((score + bias) / temperature)` over the answers of one row. Throws RangeError for a bias of another number of answers. */
export function answerProbabilities(
  answers: readonly (readonly number[])[],
  { reduction, temperature, bias }: Pick<Scoring, "reduction" | "temperature" | "bias">,
): number[] {
  if (bias && bias.length !== answers.length)
    throw new RangeError(`the bias is of ${bias.length} answers, there are ${answers.length}`);
  const scores = answers.map((tokens, i) => (REDUCTIONS[reduction](tokens) + (bias?.[i] ?? 0)) / temperature);
  const top = Math.max(...scores);
  const weights = scores.map((s) => Math.exp(s - top));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}
