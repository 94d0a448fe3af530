import { expect, test } from "vitest";
import {
  accuracy,
  addMatrices,
  classificationReport,
  cohenKappa,
  confusionMatrix,
  krippendorffAlpha,
  macroF1,
  matthews,
  normalizedCounts,
  unweightedAverageRecall,
  weightedF1,
} from "./index.ts";

const truth = ["happy", "happy", "sad", "sad", "neutral"];
const answers = ["happy", "sad", "sad", null, "Neutral!"];
const labels = ["happy", "sad", "neutral"];

test("invalid answers are wrong, lower recall, and are nobody's false alarm", () => {
  const matrix = confusionMatrix(truth, answers, { labels });
  expect(matrix).toEqual({
    labels,
    counts: [
      [1, 1, 0],
      [0, 1, 0],
      [0, 0, 0],
    ],
    invalid: [0, 1, 1],
  });
  expect(accuracy(matrix)).toBe(2 / 5);
  expect(unweightedAverageRecall(matrix)).toBeCloseTo(1 / 3, 15);
  const report = classificationReport(matrix);
  expect(report.invalidRate).toBe(2 / 5);
  expect(report.micro).toEqual({ precision: 2 / 3, recall: 2 / 5, f1: 4 / 8 });
  expect(report.classes[1]).toEqual({ label: "sad", precision: 0.5, recall: 0.5, f1: 0.5, support: 2, predicted: 2 });
});

test("an absent class is left out of UAR, counts as zero in macro F1, and drops out with zeroDivision NaN", () => {
  const matrix = confusionMatrix(["a", "a"], ["a", "a"], { labels: ["a", "b"] });
  expect([unweightedAverageRecall(matrix), macroF1(matrix), weightedF1(matrix)]).toEqual([1, 0.5, 1]);
  expect(macroF1(matrix, { zeroDivision: Number.NaN })).toBe(1);
  expect([cohenKappa(matrix), matthews(matrix)]).toEqual([Number.NaN, 0]);
});

test("shares by row, by column and of all", () => {
  const matrix = confusionMatrix(truth, answers, { labels });
  expect(normalizedCounts(matrix, "row")).toEqual([
    [0.5, 0.5, 0],
    [0, 0.5, 0],
    [0, 0, 0],
  ]);
  expect(normalizedCounts(matrix, "column")).toEqual([
    [1, 0.5, 0],
    [0, 0.5, 0],
    [0, 0, 0],
  ]);
  expect(normalizedCounts(matrix, "all")[0]).toEqual([0.2, 0.2, 0]);
});

test("bad input is refused with its place", () => {
  expect(() => confusionMatrix([], [])).toThrow(/no values; at least one is needed/);
  expect(() => confusionMatrix(["a"], ["a", "b"])).toThrow(/1 and 2 values/);
  expect(() => confusionMatrix(["a", "x"], ["a", "a"], { labels: ["a", "b"] })).toThrow(
    'row 1: true label "x" is not one of a, b',
  );
  expect(() => confusionMatrix(["a"], ["a"], { labels: ["a", "a"] })).toThrow(/listed twice/);
  const a = confusionMatrix(["a"], ["a"]);
  expect(() => addMatrices([a, confusionMatrix(["b"], ["b"])])).toThrow(/differ/);
});

test("Krippendorff's own worked example gives 0.743, 0.815, 0.849 and 0.797", () => {
  // Krippendorff 2011, section C: four observers, twelve units, missing data.
  const x = null;
  const raters = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, x, x, x],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, x, 3],
    [x, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, x],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, x],
  ];
  const units = raters[0]!.map((_, u) => raters.map((r) => r[u]));
  expect(krippendorffAlpha(units)).toBeCloseTo(0.743, 3);
  expect(krippendorffAlpha(units, { level: "ordinal" })).toBeCloseTo(0.815, 3);
  expect(krippendorffAlpha(units, { level: "interval" })).toBeCloseTo(0.849, 3);
  expect(krippendorffAlpha(units, { level: "ratio" })).toBeCloseTo(0.797, 3);
  expect(() => krippendorffAlpha([["a", "a"]])).toThrow(/every rating is a/);
});
