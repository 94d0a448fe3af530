/** @file Calibration of label scores: temperature on validation rows (Guo et al. 2017), and content-free correction (Zhao et al. 2021). */
import { EmosllmError } from "@emosllm/interfaces";
import { labelProbabilities } from "./scoring.ts";
import type { SlotValues } from "./slots.ts";

/** What {@link fitTemperature} found. */
export interface TemperatureFit {
  /** Above 1 the scores were too sure, below 1 not sure enough. */
  readonly temperature: number;
  /** Mean negative log-likelihood in nats, at temperature 1 and at the fitted one. */
  readonly lossBefore: number;
  readonly lossAfter: number;
  /** The optimum lies outside [0.01, 100] (every row right, or no better than chance) and was cut there. */
  readonly bounded: boolean;
}

const LOWEST = 0.01;
const HIGHEST = 100;

/**
 * The temperature that makes validation labels most likely. Works on scores, so that nothing is lost to the rounding of tiny
 * probabilities. The loss is convex in 1/T: its derivative, E[score] - score of the truth, is bisected on log(1/T).
 *
 * @param scores `[rows][labels]`, finite
 * @param truth index of each row's label
 */
export function fitTemperature(scores: readonly (readonly number[])[], truth: readonly number[]): TemperatureFit {
  checkRows(scores, truth);
  const loss = (beta: number): number =>
    mean(
      scores.map(
        (row, i) =>
          -logSoftmaxAt(
            row.map((score) => score * beta),
            truth[i] ?? 0,
          ),
      ),
    );
  const slope = (beta: number): number =>
    mean(
      scores.map((row, i) => {
        const p = labelProbabilities(row, { temperature: 1 / beta });
        return row.reduce((total, score, j) => total + (p[j] ?? 0) * (score - (row[truth[i] ?? 0] ?? 0)), 0);
      }),
    );
  let [low, high] = [Math.log(1 / HIGHEST), Math.log(1 / LOWEST)];
  const bounded = slope(Math.exp(low)) >= 0 ? low : slope(Math.exp(high)) <= 0 ? high : undefined;
  const done = (beta: number): TemperatureFit => ({
    temperature: 1 / beta,
    lossBefore: loss(1),
    lossAfter: loss(beta),
    bounded: bounded !== undefined,
  });
  if (scores.every((row) => row.every((score) => score === row[0]))) return { ...done(1), bounded: false };
  if (bounded !== undefined) return done(Math.exp(bounded));
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (slope(Math.exp(middle)) < 0) low = middle;
    else high = middle;
  }
  return done(Math.exp((low + high) / 2));
}

/**
 * The bias that takes back what a prompt prefers whatever is said: minus the log of the mean probability of each label over inputs
 * without content ({@link contentFreeValues}), or over a batch of unlabelled inputs (batch calibration, Zhou et al. 2024).
 *
 * @param probabilities `[inputs][labels]`
 */
export function priorCorrection(probabilities: readonly (readonly number[])[]): number[] {
  const [first] = probabilities;
  if (first === undefined)
    throw new EmosllmError("runtime_failed", "a prior needs the probabilities of at least one input");
  return first.map((_, label) => {
    const prior = mean(probabilities.map((row) => row[label] ?? Number.NaN));
    if (!(prior >= 0 && prior <= 1 + 1e-9))
      throw new EmosllmError("runtime_failed", `label ${label}: the mean of its probabilities is ${prior}`);
    // A label that is never likely has nothing to take back; 1e-12 keeps its bias finite.
    return -Math.log(Math.max(prior, 1e-12));
  });
}

/** An example's slots without content, as the paper's ("", "N/A", "[MASK]"): the same prompt and labels, nothing heard or said. */
export function contentFreeValues(values: SlotValues): SlotValues[] {
  const empty = { labels: values.labels, examples: values.examples, audio: false };
  return [empty, ...["N/A", "[MASK]"].map((transcript) => ({ ...empty, transcript }))];
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

function logSoftmaxAt(row: readonly number[], index: number): number {
  const top = Math.max(...row);
  return (row[index] ?? Number.NaN) - top - Math.log(row.reduce((total, value) => total + Math.exp(value - top), 0));
}

function checkRows(scores: readonly (readonly number[])[], truth: readonly number[]): void {
  if (scores.length === 0 || scores.length !== truth.length)
    throw new EmosllmError(
      "runtime_failed",
      `${scores.length} rows of scores for ${truth.length} labels; expected equally many, at least one`,
    );
  scores.forEach((row, i) => {
    const label = truth[i] ?? -1;
    if (!Number.isInteger(label) || label < 0 || label >= row.length)
      throw new EmosllmError("runtime_failed", `row ${i}: label ${label} is not an index below ${row.length}`);
    const bad = row.findIndex((score) => !Number.isFinite(score));
    if (bad >= 0) throw new EmosllmError("runtime_failed", `row ${i}: the score of label ${bad} is ${row[bad]}`);
  });
}
