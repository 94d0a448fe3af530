import { expect, test } from "vitest";
import {
  annotatorMatch,
  answersOf,
  applyTemperature,
  auroc,
  concordanceCorrelation,
  expectedCalibrationError,
  fitTemperature,
  klDivergence,
  krippendorffAlpha,
  logLoss,
  reliabilityCurve,
  riskCoverage,
  scoreTable,
  selectiveAccuracy,
  topKAccuracy,
} from "./index.ts";

const truth = ["a", "b", "b", "a", "a"];
const rows = [
  { a: 0.9, b: 0.1 },
  { a: 0.8, b: 0.2 },
  { a: 0.3, b: 0.7 },
  { a: 0.6, b: 0.4 },
  { a: 0.5, b: 0.5 },
];
const table = scoreTable(truth, rows);

test("a fitted temperature gives the loss it promises and changes no answer", () => {
  const fit = fitTemperature(table);
  const scaled = applyTemperature(table, fit.temperature);
  expect(logLoss(table)).toBeCloseTo(fit.logLossBefore, 14);
  expect(logLoss(scaled)).toBeCloseTo(fit.logLossAfter, 14);
  expect(fit.logLossAfter).toBeLessThan(fit.logLossBefore);
  expect(answersOf(scaled)).toEqual(answersOf(table));
  // Applying it again finds nothing left to do.
  expect(fitTemperature(scaled).temperature).toBeCloseTo(1, 10);
});

test("without an optimum the temperature is cut and says so", () => {
  const right = scoreTable(
    ["a", "b"],
    [
      { a: 0.6, b: 0.4 },
      { a: 0.4, b: 0.6 },
    ],
  );
  expect(fitTemperature(right)).toMatchObject({ temperature: 0.001, bounded: true });
  const wrong = scoreTable(
    ["b", "a"],
    [
      { a: 0.6, b: 0.4 },
      { a: 0.4, b: 0.6 },
    ],
  );
  expect(fitTemperature(wrong)).toMatchObject({ temperature: 1000, bounded: true });
  const even = scoreTable(
    ["b", "a"],
    [
      { a: 0.5, b: 0.5 },
      { a: 0.5, b: 0.5 },
    ],
  );
  expect(fitTemperature(even)).toMatchObject({ temperature: 1, bounded: false });
});

test("risk by coverage, at every threshold and thinned", () => {
  expect(riskCoverage(table)).toEqual([
    { threshold: 0.9, coverage: 0.2, risk: 0 },
    { threshold: 0.8, coverage: 0.4, risk: 0.5 },
    { threshold: 0.7, coverage: 0.6, risk: 1 / 3 },
    { threshold: 0.6, coverage: 0.8, risk: 0.25 },
    { threshold: 0.5, coverage: 1, risk: 0.2 },
  ]);
  const thin = riskCoverage(table, { points: 2 });
  expect(thin.length).toBeLessThan(5);
  expect(thin.at(-1)).toEqual({ threshold: 0.5, coverage: 1, risk: 0.2 });
  expect(selectiveAccuracy(table, 0.2)).toBe(1);
  expect(() => selectiveAccuracy(table, 0)).toThrow("coverage is 0; it must lie above 0");
});

test("a confidence on an edge belongs to the upper bin, 1 to the last", () => {
  const curve = reliabilityCurve(
    { confidence: Float64Array.of(0.25, 0.5, 1, 0), correct: Uint8Array.of(1, 0, 1, 0) },
    { bins: 4 },
  );
  expect(curve.map((b) => b.count)).toEqual([1, 1, 1, 1]);
  expect(curve[1]).toEqual({ low: 0.25, high: 0.5, count: 1, confidence: 0.25, accuracy: 1 });
});

test("bad input is refused with row, label and value", () => {
  expect(() => scoreTable([], [])).toThrow(/no values/);
  expect(() => scoreTable(["a"], [])).toThrow(/1 and 0 values/);
  expect(() => scoreTable(["a"], [{ a: 0.5, b: 0.6 }])).toThrow("row 0: probabilities sum to 1.1; they must sum to 1");
  expect(() => scoreTable(["a"], [{ a: -0.5, b: 1.5 }])).toThrow('row 0: probability of "a" is -0.5');
  expect(() => scoreTable(["a"], [{ a: 0.5, c: 0.5 }], { labels: ["a", "b"] })).toThrow(
    'row 0: probability of "c", which is not one of a, b',
  );
  expect(() => scoreTable(["c"], [{ a: 1 }], { labels: ["a", "b"] })).toThrow('row 0: true label "c"');
  expect(() => auroc(scoreTable(["a", "a"], [{ a: 1 }, { a: 1 }]))).toThrow('every row is "a"; two classes are needed');
  expect(() => topKAccuracy(table, 0)).toThrow("k is 0");
  expect(() => expectedCalibrationError(table, { bins: 1.5 })).toThrow("bins is 1.5");
  expect(() => applyTemperature(table, 0)).toThrow("temperature is 0");
  expect(() => riskCoverage({ confidence: Float64Array.of(Number.NaN), correct: Uint8Array.of(1) })).toThrow(
    "confidence of row 0 is NaN",
  );
  expect(() => klDivergence({ a: 0 }, { a: 1 })).toThrow("soft label (truth): the values sum to 0");
  expect(() => concordanceCorrelation([1, Number.NaN], [1, 2])).toThrow("row 1 holds NaN and 2");
});

test("soft labels: labels that one side lacks, and names of object members", () => {
  expect(klDivergence({ a: 1 }, { a: 0.5, b: 0.5 })).toBeCloseTo(Math.LN2, 14);
  expect(klDivergence({ a: 0.5, b: 0.5 }, { a: 1 })).toBe(Infinity);
  expect(klDivergence({ constructor: 1 }, { toString: 1 })).toBe(Infinity);
  expect(annotatorMatch({ a: 0.5, b: 0.5 }, { b: 0.6, a: 0.4 })).toEqual({ random: 0.5, any: 1, majority: 1 });
  expect(annotatorMatch({ a: 1 }, { c: 0.6, a: 0.4 })).toEqual({ random: 0, any: 0, majority: 0 });
});

test("Krippendorff's ordinal alpha takes an order of names", () => {
  const units = [
    ["low", "mid"],
    ["high", "high"],
    ["mid", "mid"],
    ["low", "high"],
  ];
  const numbers = units.map((u) => u.map((v) => ["low", "mid", "high"].indexOf(v)));
  expect(krippendorffAlpha(units, { level: "ordinal", order: ["low", "mid", "high"] })).toBe(
    krippendorffAlpha(numbers, { level: "ordinal" }),
  );
  expect(() => krippendorffAlpha(units, { level: "interval" })).toThrow("level interval needs finite numbers");
  expect(() => krippendorffAlpha([["a", null]])).toThrow("no unit has two ratings");
});
