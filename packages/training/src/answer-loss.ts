/**
 * @file Losses over a row's alternative answers (the words of all labels). Two of them:
 *
 * - *answer*: cross entropy between a target distribution over the answers and the model's likelihood of each whole answer among all
 *   texts, `-sum_c t_c log P(a_c)`, with `P(a_c)` the product over the answer's tokens. With one certain answer it is the usual language
 *   model loss. It needs no graph of its own: each token's loss is weighted by the target of its answer.
 * - *scored*: the same with `P` normalised over the row's answers, `p_c = P(a_c) / sum_k P(a_k)`: what the model is asked at test time.
 *   Here a focal factor `(1 - p_c)^gamma` (Lin et al. 2017) has its meaning, and label smoothing is that of a classifier.
 *
 * A target `t_c` holds everything else: the label or the raters' shares, smoothing, and class weights, `t_c = w_c q_c`.
 */
import {
  type Tensor,
  add,
  exp,
  input,
  logSoftmax,
  matmul,
  maximum,
  mul,
  neg,
  pow,
  reshape,
  sub,
  sum,
} from "@emosllm/graph";
import { type HostTensor, hostTensor } from "@emosllm/runtime";

/** Targets of one row by answer (not negative), as they stand in the sums above. */
export type AnswerTargets = readonly number[];

/** Options of {@link answerTargets}. */
export interface TargetOptions {
  /** Spread evenly over the labels: `q = (1 - s) q + s / n`. */
  readonly smoothing?: number;
  /** Weight of each label, in the order of the labels. */
  readonly weights?: readonly number[] | undefined;
}

/**
 * The targets of one row from its label's place, or from shares by label (they are normalised). Throws RangeError for a label that is
 * not there or shares without mass.
 */
export function answerTargets(
  label: number | readonly number[],
  count: number,
  { smoothing = 0, weights }: TargetOptions = {},
): number[] {
  const shares = typeof label === "number" ? Array.from({ length: count }, (_, i) => Number(i === label)) : label;
  const total = shares.reduce((a, b) => a + b, 0);
  if (shares.length !== count || !(total > 0) || shares.some((s) => !(s >= 0)))
    throw new RangeError(
      `answerTargets: ${JSON.stringify(label)} is no label and no distribution over ${count} labels`,
    );
  return shares.map((s, i) => (weights?.[i] ?? 1) * ((1 - smoothing) * (s / total) + smoothing / count));
}

/** Where label tokens of a batch belong, as `layOutBatch` tells it. */
export type LabelPlace = { readonly row: number; readonly answer: number };

/**
 * Weights of label tokens for the *answer* loss: targets, divided by `normaliser`; rows without targets get 0.
 * The usual normaliser is the sum of {@link tokenWeight} over the whole step: then the loss is a weighted mean over tokens.
 */
export const answerWeights = (
  labels: readonly LabelPlace[],
  targets: readonly (AnswerTargets | undefined)[],
  normaliser: number,
): HostTensor<"f32"> =>
  hostTensor(
    "f32",
    [labels.length],
    Float32Array.from(labels, ({ row, answer }) => (targets[row]?.[answer] ?? 0) / normaliser),
  );

/** What a row adds to the usual normaliser of the *answer* loss: its targets times the tokens of their answers. */
export const tokenWeight = (targets: AnswerTargets, answers: readonly (readonly number[])[]): number =>
  targets.reduce((n, t, a) => n + t * (answers[a]?.length ?? 0), 0);

/** What a row adds to the usual normaliser of the *scored* loss: its targets. */
export const rowWeight = (targets: AnswerTargets): number => targets.reduce((a, b) => a + b, 0);

const CLOSED = -1e30;

/** Feeds of {@link scoredLoss}: which token belongs to which answer, which places are no answer, and targets divided by `normaliser`. */
export function scoredFeeds(
  labels: readonly LabelPlace[],
  targets: readonly AnswerTargets[],
  normaliser: number,
): Record<string, HostTensor> {
  const rows = targets.length;
  const choices = Math.max(...targets.map((t) => t.length));
  const matrix = new Float32Array(rows * choices * labels.length);
  labels.forEach(({ row, answer }, i) => (matrix[(row * choices + answer) * labels.length + i] = 1));
  const bias = new Float32Array(rows * choices).fill(CLOSED);
  const wanted = new Float32Array(rows * choices);
  targets.forEach((row, r) =>
    row.forEach((t, a) => {
      bias[r * choices + a] = 0;
      wanted[r * choices + a] = t / normaliser;
    }),
  );
  return {
    answer_tokens: hostTensor("f32", [rows * choices, labels.length], matrix),
    answer_bias: hostTensor("f32", [rows, choices], bias),
    answer_targets: hostTensor("f32", [rows, choices], wanted),
  };
}

/** The *scored* loss from the loss of each label token `[labels]`: a scalar. */
export function scoredLoss(tokenLosses: Tensor, { gamma = 0 }: { readonly gamma?: number } = {}): Tensor {
  const tokens = input("answer_tokens", ["scored*choices", "labels"]);
  const bias = input("answer_bias", ["scored", "choices"]);
  const targets = input("answer_targets", ["scored", "choices"]);
  const losses = reshape(matmul(tokens, reshape(tokenLosses, ["labels", 1])), ["scored", "choices"]);
  const logs = logSoftmax(add(neg(losses), bias));
  if (gamma === 0) return neg(sum(mul(targets, logs)));
  // Rounding can leave a probability at 1, where a gradient of a root would be infinite.
  const focal = pow(maximum(sub(1, exp(logs)), 1e-6), gamma);
  return neg(sum(mul(mul(targets, focal), logs)));
}
