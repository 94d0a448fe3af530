import type { BundleManifest } from "@emosllm/interfaces";
import { expect, test } from "vitest";
import type { Answered } from "./evaluate.ts";
import { scoringOf } from "./scoring.ts";

const manifest: Pick<BundleManifest, "labels" | "scoring"> = {
  labels: {
    scheme: "two",
    words: [
      { label: "a", word: "a" },
      { label: "b", word: "b" },
    ],
  },
  scoring: { reduction: "sum", temperature: 1, abstain_below: null },
};
const answer = (label: string, p: number): Answered =>
  ({
    sample: { label, utterance: {} },
    prediction: p >= 0.5 ? "a" : "b",
    probabilities: { a: p, b: 1 - p },
  }) as unknown as Answered;

/** Says 0.9 and is right in six of eight: the temperature that says 0.75 is ln 9 / ln 3 = 2. */
const tooSure = Array.from({ length: 8 }, (_, i) => answer(i < 6 ? "a" : "b", 0.9));

test("the temperature makes confidence what is right", () => {
  const { manifest: fitted, validation } = scoringOf(tooSure, manifest, { fit: true, target: null });
  expect(fitted.temperature).toBeCloseTo(2, 6);
  expect(fitted.abstain_below).toBeNull();
  expect(validation.lossAfter).toBeLessThan(validation.lossBefore);
  expect(validation).toMatchObject({ rows: 8, coverage: 1, accuracy: 0.75 });
});

test("the threshold is the lowest confidence that reaches the target, after the temperature", () => {
  const unsure = Array.from({ length: 8 }, (_, i) => answer(i % 2 ? "a" : "b", 0.6));
  const { manifest: fitted, validation } = scoringOf([...tooSure, ...unsure], manifest, { fit: true, target: 0.75 });
  const p = 1 / (1 + (0.1 / 0.9) ** (1 / fitted.temperature));
  expect(fitted.abstain_below).toBeCloseTo(p, 12);
  expect(validation).toMatchObject({ coverage: 0.5, accuracy: 0.75 });
});

test("a target that cannot be reached leaves the model answering", () => {
  const { manifest: fitted } = scoringOf(tooSure, manifest, { fit: false, target: 0.99 });
  expect(fitted).toEqual({ reduction: "sum", temperature: 1, abstain_below: null });
});
