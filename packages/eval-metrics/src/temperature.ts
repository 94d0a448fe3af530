/**
 * @file Temperature scaling (Guo et al. 2017): one number, fitted on validation rows, that makes probabilities honest without
 * changing any answer. Works on probabilities: softmax(log(p) / T) is softmax(logits / T).
 */
import { MetricsError } from "./errors.ts";
import { PROBABILITY_FLOOR } from "./scoring.ts";
import type { ScoreTable } from "./probabilities.ts";

/** What {@link fitTemperature} found. */
export interface TemperatureFit {
  /** Above 1 the model was too sure, below 1 not sure enough. */
  readonly temperature: number;
  /** Mean negative log-likelihood (nats) at temperature 1 and at the fitted one. */
  readonly logLossBefore: number;
  readonly logLossAfter: number;
  /** The optimum lies outside [0.001, 1000] (all rows right, or no better than chance) and was cut there. */
  readonly bounded: boolean;
}

const LOWEST = 1e-3;
const HIGHEST = 1e3;

/**
 * The temperature of least negative log-likelihood. The loss is convex in 1/T; its derivative's root is found by Newton steps
 * kept inside a shrinking bracket. Probabilities below 2^-52 are read as 2^-52.
 */
export function fitTemperature(table: ScoreTable): TemperatureFit {
  const logs = table.probabilities.map((p) => Math.log(Math.max(p, PROBABILITY_FLOOR)));
  const at = (beta: number): Slope => slope(logs, table.truth, table.labels.length, beta);
  const unscaled = at(1);
  const logLossBefore = unscaled.loss;
  const done = (beta: number, bounded: boolean): TemperatureFit => ({
    temperature: 1 / beta,
    logLossBefore,
    logLossAfter: at(beta).loss,
    bounded,
  });
  if (unscaled.first === 0) return done(1, false); // also when every row is uniform and no temperature changes anything
  let [low, high] = [1 / HIGHEST, 1 / LOWEST];
  if (at(low).first >= 0) return done(low, true);
  if (at(high).first <= 0) return done(high, true);
  let beta = 1;
  for (let i = 0; i < 200; i++) {
    const { first, second } = at(beta);
    if (first === 0) break;
    if (first < 0) low = beta;
    else high = beta;
    const newton = beta - first / second;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    const step = Math.abs(next - beta);
    beta = next;
    if (step <= 1e-15 * beta) break;
  }
  return done(beta, false);
}

/** The table with every row's probabilities at another temperature. */
export function applyTemperature(table: ScoreTable, temperature: number): ScoreTable {
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new MetricsError("value_invalid", `temperature is ${temperature}; it must be a finite number above 0`);
  const k = table.labels.length;
  const scaled = table.probabilities.map((p) => Math.log(Math.max(p, PROBABILITY_FLOOR)) / temperature);
  for (let start = 0; start < scaled.length; start += k) {
    const row = scaled.subarray(start, start + k);
    const top = Math.max(...row);
    let sum = 0;
    for (let j = 0; j < k; j++) sum += row[j] = Math.exp(row[j]! - top);
    for (let j = 0; j < k; j++) row[j]! /= sum;
  }
  return { labels: table.labels, truth: table.truth, probabilities: scaled };
}

/** Mean loss and its first two derivatives by beta = 1/T. */
interface Slope {
  readonly loss: number;
  readonly first: number;
  readonly second: number;
}

function slope(logs: Float64Array, truth: Int32Array, k: number, beta: number): Slope {
  let loss = 0;
  let first = 0;
  let second = 0;
  for (let row = 0; row < truth.length; row++) {
    const start = row * k;
    let top = -Infinity;
    for (let j = 0; j < k; j++) top = Math.max(top, logs[start + j]!);
    let z = 0;
    let mean = 0;
    let square = 0;
    for (let j = 0; j < k; j++) {
      const d = logs[start + j]! - top;
      const e = Math.exp(beta * d);
      z += e;
      mean += e * d;
      square += e * d * d;
    }
    mean /= z;
    const own = logs[start + truth[row]!]! - top;
    loss += Math.log(z) - beta * own;
    first += mean - own;
    second += square / z - mean * mean;
  }
  const n = truth.length;
  return { loss: loss / n, first: first / n, second: second / n };
}
