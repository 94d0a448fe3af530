/** Oracle: tools/oracle/prompts_scoring.py (scipy, numpy, scikit-learn, jiwer). Both sides are float64: 1e-12, unless said otherwise. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  abstentionThreshold,
  contentFreeValues,
  editDistance,
  fitTemperature,
  labelProbabilities,
  labelScores,
  priorCorrection,
  promptSensitivity,
  sharedFirstTokens,
  type Pooling,
  type ScoringRule,
  type SensitivityRun,
} from "../src/index.ts";
import { fixture } from "./families.ts";

interface Fixture {
  scoring: {
    answers: number[][][];
    scores: Record<string, number[]>;
    probabilities: number[];
    temperature: number;
    bias: number[];
    calibrated: number[];
  }[];
  temperature: { scores: number[][]; truth: number[]; temperature: number; before: number; after: number }[];
  abstention: {
    confidence: number[];
    correct: boolean[];
    target: number;
    z: number;
    best: { threshold: number; coverage: number; accuracy: number; answered: number } | null;
  }[];
  sensitivity: {
    truth: string[];
    runs: SensitivityRun[];
    scores: number[];
    factors: Record<string, { levels: Record<string, number>; range: number; changed: number }>;
    [summary: string]: unknown;
  };
  words: { reference: string[]; hypothesis: string[]; errors: number }[];
}
const data = JSON.parse(readFileSync(fixture("scoring.json"), "utf8")) as Fixture;
const close = (ours: readonly number[], theirs: readonly number[], tolerance = 1e-12): void => {
  expect(ours).toHaveLength(theirs.length);
  ours.forEach((value, i) => expect(Math.abs(value - (theirs[i] ?? Number.NaN))).toBeLessThanOrEqual(tolerance));
};

describe("label scores", () => {
  test("sum, mean and first token, words joined by log-sum-exp or the best", () => {
    for (const { answers, scores } of data.scoring)
      for (const [name, expected] of Object.entries(scores)) {
        const [rule, pooling] = name.split(" ") as [ScoringRule, Pooling];
        close(labelScores(answers, { rule, pooling }), expected);
      }
  });

  test("probabilities, with and without calibration", () => {
    for (const { scores, probabilities, temperature, bias, calibrated } of data.scoring) {
      const sums = scores["sum logsumexp"] ?? [];
      close(labelProbabilities(sums), probabilities);
      close(labelProbabilities(sums, { temperature, bias }), calibrated);
    }
    close(labelProbabilities([-2000, -2001]), [1 / (1 + Math.exp(-1)), 1 / (1 + Math.E)]);
    close(labelProbabilities([-Infinity, -3]), [0, 1]);
    close(labelProbabilities([-Infinity, -Infinity]), [0.5, 0.5]);
  });

  test("what is not a log-likelihood is refused in place", () => {
    expect(() => labelScores([[[-1]], [[-1, 0.5]]])).toThrow("label 1, word 0, token 1: 0.5 is not a log-likelihood");
    expect(() => labelScores([[[Number.NaN]]])).toThrow("label 0, word 0, token 0: NaN");
    expect(() => labelScores([[[-1]], []])).toThrow("label 1 has no word");
    expect(() => labelScores([[[]]])).toThrow("label 0, word 0 has no token");
    expect(() => labelProbabilities([0, Number.NaN])).toThrow("the score of label 1 is NaN");
    expect(() => labelProbabilities([0, 1], { temperature: 0 })).toThrow("temperature is 0");
    expect(() => labelProbabilities([0, 1], { bias: [0] })).toThrow("for 1 labels, not 2");
  });

  test("labels that share their first token are named", () => {
    expect(sharedFirstTokens([[1, 2], [3], [1], [4, 1], [3, 9]])).toEqual([
      [0, 2],
      [1, 4],
    ]);
    expect(sharedFirstTokens([[1], [2]])).toEqual([]);
  });
});

describe("calibration", () => {
  test("temperature of least loss", () => {
    for (const { scores, truth, temperature, before, after } of data.temperature) {
      const fit = fitTemperature(scores, truth);
      // The oracle minimises the loss, which is flat to 1e-16 over about 1e-8 around its minimum.
      expect(Math.abs(fit.temperature / temperature - 1)).toBeLessThan(1e-6);
      close([fit.lossBefore, fit.lossAfter], [before, after]);
      expect(fit.bounded).toBe(false);
    }
  });

  test("a temperature that would run away is bounded and says so", () => {
    expect(
      fitTemperature(
        [
          [2, 0],
          [0, 2],
        ],
        [0, 1],
      ),
    ).toMatchObject({ bounded: true });
    expect(
      fitTemperature(
        [
          [2, 0],
          [0, 2],
        ],
        [0, 1],
      ).temperature,
    ).toBeCloseTo(0.01, 10);
    expect(
      fitTemperature(
        [
          [2, 0],
          [0, 2],
        ],
        [1, 0],
      ).temperature,
    ).toBeCloseTo(100, 6);
    expect(fitTemperature([[2, 2]], [1])).toMatchObject({ temperature: 1, bounded: false });
    expect(() => fitTemperature([], [])).toThrow("0 rows of scores for 0 labels");
    expect(() => fitTemperature([[1, 2]], [2])).toThrow("row 0: label 2 is not an index below 2");
    expect(() => fitTemperature([[1, Number.NaN]], [0])).toThrow("row 0: the score of label 1 is NaN");
  });

  test("content-free correction makes a content-free input uniform", () => {
    const free = [
      [0.7, 0.2, 0.1],
      [0.5, 0.4, 0.1],
    ];
    const bias = priorCorrection(free);
    close(bias, [-Math.log(0.6), -Math.log(0.3), -Math.log(0.1)]);
    close(labelProbabilities([0.6, 0.3, 0.1].map(Math.log), { bias }), [1 / 3, 1 / 3, 1 / 3]);
    expect(priorCorrection([[1, 0]]).every(Number.isFinite)).toBe(true);
    expect(() => priorCorrection([])).toThrow("at least one input");
    expect(() => priorCorrection([[0.5, Number.NaN]])).toThrow("label 1");
    expect(contentFreeValues({ transcript: "hi", voice: "loud", labels: ["a"] })).toEqual([
      { audio: false, labels: ["a"], examples: undefined },
      { audio: false, labels: ["a"], examples: undefined, transcript: "N/A" },
      { audio: false, labels: ["a"], examples: undefined, transcript: "[MASK]" },
    ]);
  });

  test("the abstention threshold answers the most rows at the target accuracy", () => {
    for (const { confidence, correct, target, z, best } of data.abstention) {
      const found = abstentionThreshold(confidence, correct, { target, z });
      if (best === null) expect(found).toEqual({ threshold: Infinity, coverage: 0, accuracy: null, answered: 0 });
      else expect(found).toEqual(best);
    }
    expect(() => abstentionThreshold([0.5], [true], { target: 1.1 })).toThrow("target accuracy is 1.1");
    expect(() => abstentionThreshold([0.5, Number.NaN], [true, true], { target: 1 })).toThrow(
      "confidence of row 1 is NaN",
    );
  });
});

describe("sensitivity", () => {
  const { truth, runs, scores, factors, ...summary } = data.sensitivity;

  test("mean, worst, spread, agreement, and what moves most", () => {
    const found = promptSensitivity(truth, runs);
    close(
      found.scores.map((s) => s.score),
      scores,
    );
    for (const [key, value] of Object.entries(summary)) close([found[key as "mean"]], [value as number]);
    expect(found.spread).toBeCloseTo((summary["best"] as number) - (summary["worst"] as number), 12);
    for (const { factor, levels, range, changed } of found.factors) {
      const expected = factors[factor];
      close(Object.values(levels), Object.values(expected?.levels ?? {}));
      expect(Object.keys(levels)).toEqual(Object.keys(expected?.levels ?? {}));
      close([range, changed ?? -1], [expected?.range ?? 0, expected?.changed ?? 0]);
    }
    const byChange = Object.keys(factors).sort((a, b) => (factors[b]?.changed ?? 0) - (factors[a]?.changed ?? 0));
    expect(found.factors.map((f) => f.factor)).toEqual(byChange);
    expect(found.mostSensitive).toBe(byChange[0]);
  });

  test("one run, and runs that do not fit together", () => {
    const run = { name: "r", factors: { prompt: "a" }, predictions: ["x", null] };
    expect(promptSensitivity(["x", "y"], [run])).toMatchObject({
      mean: 0.5,
      spread: 0,
      agreement: null,
      deviation: null,
      unanimous: 1,
      mostSensitive: null,
    });
    expect(() => promptSensitivity(["x"], [run])).toThrow("run 'r' has 2 answers for 1 utterances");
    expect(() => promptSensitivity(["x", "y"], [])).toThrow("0 runs over 2 utterances");
    expect(() => promptSensitivity(["x", "y"], [run, { ...run, factors: {} }])).toThrow(
      "run 'r' has factors ; the others have prompt",
    );
  });
});

test("word errors are counted as jiwer counts them", () => {
  for (const { reference, hypothesis, errors } of data.words) expect(editDistance(reference, hypothesis)).toBe(errors);
});
