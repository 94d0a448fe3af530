import { readFileSync } from "node:fs";
import { type Tensor, gradients, input, mul, softmaxCrossEntropy, sum } from "@emosllm/graph";
import { compile, f32, i64 } from "@emosllm/runtime";
import { describe, expect, test } from "vitest";
import { answerTargets, answerWeights, rowWeight, scoredFeeds, scoredLoss, tokenWeight } from "../src/index.ts";

interface Case {
  readonly name: string;
  readonly answers: readonly (readonly (readonly number[])[])[];
  readonly labels: readonly (number | readonly number[])[];
  readonly weights: readonly number[] | null;
  readonly smoothing: number;
  readonly gamma: number;
  readonly vocab: number;
  readonly logits: readonly number[];
  readonly answer: number;
  readonly scored: number;
  readonly answer_gradient: readonly number[];
  readonly scored_gradient: readonly number[];
}
// Made by tools/oracle/answer_loss.py with PyTorch in f64; where F.cross_entropy has the same case, the script compares with it too.
const cases = JSON.parse(readFileSync(new URL("fixtures/answer_loss.json", import.meta.url), "utf8")) as Case[];

/** f32 arithmetic on values of about 1: 2e-6 of the largest. */
function near(ours: ArrayLike<number | bigint>, wanted: readonly number[]): void {
  const largest = Math.max(...wanted.map(Math.abs));
  expect(ours.length).toBe(wanted.length);
  for (const [i, w] of wanted.entries()) expect(Math.abs(Number(ours[i]) - w)).toBeLessThan(2e-6 * largest);
}

describe.each(cases)("$name", ({ answers, labels, weights, smoothing, gamma, vocab, ...wanted }) => {
  const places = answers.flatMap((row, r) => row.flatMap((ids, answer) => ids.map(() => ({ row: r, answer }))));
  const targets = answers.map((row, r) =>
    answerTargets(labels[r] as number, row.length, { smoothing, ...(weights ? { weights } : {}) }),
  );
  const logits = input("logits", ["labels", vocab]);
  const losses = softmaxCrossEntropy(logits, input("ids", ["labels"], "i64"));
  const feeds = { logits: f32(wanted.logits, [places.length, vocab]), ids: i64(answers.flat(2)) };
  const run = async (loss: Tensor, more: Parameters<Awaited<ReturnType<typeof compile>>["run"]>[0]) => {
    const program = await compile({ loss, gradient: gradients(loss, [logits])[0] as Tensor });
    const result = await program.run({ ...feeds, ...more });
    await program.dispose();
    return result;
  };

  test("the answer loss and its gradient equal PyTorch's", async () => {
    const normaliser = targets.reduce((n, t, r) => n + tokenWeight(t, answers[r] ?? []), 0);
    const loss = sum(mul(losses, input("label_weights", ["labels"])));
    const result = await run(loss, { label_weights: answerWeights(places, targets, normaliser) });
    near(result["loss"]?.data ?? [], [wanted.answer]);
    near(result["gradient"]?.data ?? [], wanted.answer_gradient);
  });

  test("the scored loss and its gradient equal PyTorch's", async () => {
    const normaliser = targets.reduce((n, t) => n + rowWeight(t), 0);
    const result = await run(scoredLoss(losses, { gamma }), scoredFeeds(places, targets, normaliser));
    near(result["loss"]?.data ?? [], [wanted.scored]);
    near(result["gradient"]?.data ?? [], wanted.scored_gradient);
  });
});

test("a label that is not there and shares without mass are refused", () => {
  expect(() => answerTargets(4, 4)).toThrow(/4 is no label and no distribution over 4 labels/);
  expect(() => answerTargets([0, 0], 2)).toThrow(RangeError);
  expect(() => answerTargets([0.5, 0.5], 3)).toThrow(RangeError);
  expect(() => answerTargets([1, -1, 1], 3)).toThrow(RangeError);
});
