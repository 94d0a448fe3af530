/** @file Agreement of numbers: valence, activation, dominance. Two passes, so that a large mean costs no digits. */
import { checkPairs, MetricsError } from "./errors.ts";

/** Centred sums of a list of pairs. */
interface Moments {
  readonly n: number;
  readonly meanX: number;
  readonly meanY: number;
  readonly xx: number;
  readonly yy: number;
  readonly xy: number;
}

function moments(what: string, x: ArrayLike<number>, y: ArrayLike<number>): Moments {
  checkPairs(`${what}(truth, predicted)`, x, y);
  const n = x.length;
  let [meanX, meanY] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (!Number.isFinite(x[i]) || !Number.isFinite(y[i]))
      throw new MetricsError(
        "value_invalid",
        `${what}: row ${i} holds ${x[i]} and ${y[i]}; both must be finite numbers`,
      );
    meanX += x[i]!;
    meanY += y[i]!;
  }
  meanX /= n;
  meanY /= n;
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [dx, dy] = [x[i]! - meanX, y[i]! - meanY];
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  return { n, meanX, meanY, xx, yy, xy };
}

/** Options of {@link concordanceCorrelation}. */
export interface ConcordanceOptions {
  /** Variances divide by n - ddof: 0 as in Lin (1989) and the AVEC challenges (default), 1 as in torchmetrics. */
  ddof?: 0 | 1;
}

/** Lin's concordance correlation coefficient (CCC), -1 to 1; `NaN` when both lists are one and the same constant. */
export function concordanceCorrelation(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  { ddof = 0 }: ConcordanceOptions = {},
): number {
  const m = moments("concordanceCorrelation", truth, predicted);
  if (m.n <= ddof) return Number.NaN;
  return (2 * m.xy) / (m.xx + m.yy + (m.n - ddof) * (m.meanX - m.meanY) ** 2);
}

/** Pearson's correlation, -1 to 1; `NaN` when either list is constant. `scipy.stats.pearsonr` */
export function pearsonCorrelation(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  const m = moments("pearsonCorrelation", truth, predicted);
  if (isConstant(truth) || isConstant(predicted)) return Number.NaN;
  return Math.max(-1, Math.min(1, m.xy / Math.sqrt(m.xx) / Math.sqrt(m.yy)));
}

/** Root mean square error, in the unit of the values. */
export function rootMeanSquareError(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  const m = moments("rootMeanSquareError", truth, predicted);
  let sum = 0;
  for (let i = 0; i < m.n; i++) sum += (truth[i]! - predicted[i]!) ** 2;
  return Math.sqrt(sum / m.n);
}

/** Mean absolute error, in the unit of the values. */
export function meanAbsoluteError(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  const m = moments("meanAbsoluteError", truth, predicted);
  let sum = 0;
  for (let i = 0; i < m.n; i++) sum += Math.abs(truth[i]! - predicted[i]!);
  return sum / m.n;
}

function isConstant(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return false;
  return true;
}
