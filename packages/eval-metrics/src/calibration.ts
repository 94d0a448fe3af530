/**
 * @file Is 80 % confidence right 80 % of the time? Reliability curve, expected and maximum calibration error (Guo et al. 2017),
 * adaptive calibration error (Nixon et al. 2019).
 *
 * Equal-width bins are [low, high), the last one [low, 1], with numpy.linspace's edges, as in netcal.
 */
import { checkCount, MetricsError } from "./errors.ts";
import { ascendingOrder } from "./order.ts";
import { type Confidences, confidencesOf, type ScoreTable } from "./probabilities.ts";

/** Bins of one width over [0, 1], or bins that each hold the same number of rows (sorted by confidence; equal ones by row). */
export type Binning = "equal-width" | "equal-mass";

/** Options of the calibration metrics. */
export interface CalibrationOptions {
  /** Default 15. */
  bins?: number;
  /** Default `equal-width`. */
  binning?: Binning;
}

/** One bin of the reliability curve. `confidence` and `accuracy` are means over its rows, `NaN` without rows. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  readonly count: number;
  readonly confidence: number;
  readonly accuracy: number;
}

/** The equal-width bin of a confidence. Edges are `i * (1 / bins)`, as numpy.linspace computes them. */
export function widthBin(confidence: number, bins: number): number {
  const step = 1 / bins;
  let i = Math.min(bins - 1, Math.max(0, Math.floor(confidence * bins)));
  if (i > 0 && confidence < i * step) i--;
  else if (i < bins - 1 && confidence >= (i + 1) * step) i++;
  return i;
}

/** Accuracy by confidence: what a reliability diagram draws. Empty bins are kept, with count 0. */
export function reliabilityCurve(
  rows: ScoreTable | Confidences,
  { bins = 15, binning = "equal-width" }: CalibrationOptions = {},
): ReliabilityBin[] {
  checkCount("bins", bins, 1);
  const { confidence, correct } = confidencesOf(rows);
  if (binning === "equal-mass") return massBins(confidence, correct, bins);
  if (binning !== "equal-width")
    throw new MetricsError("value_invalid", `binning "${String(binning)}" is not one of equal-width, equal-mass`);
  const count = new Float64Array(bins);
  const sum = new Float64Array(bins);
  const right = new Float64Array(bins);
  for (let row = 0; row < confidence.length; row++) {
    const i = widthBin(confidence[row]!, bins);
    count[i]!++;
    sum[i]! += confidence[row]!;
    right[i]! += correct[row]!;
  }
  return Array.from(count, (n, i) => ({
    low: i / bins,
    high: (i + 1) / bins,
    count: n,
    confidence: sum[i]! / n,
    accuracy: right[i]! / n,
  }));
}

/** Mean |accuracy - confidence| over the bins, weighted by their rows. */
export function expectedCalibrationError(rows: ScoreTable | Confidences, options: CalibrationOptions = {}): number {
  const curve = reliabilityCurve(rows, options).filter((b) => b.count > 0);
  const total = curve.reduce((n, b) => n + b.count, 0);
  return curve.reduce((e, b) => e + (b.count / total) * Math.abs(b.accuracy - b.confidence), 0);
}

/** Largest |accuracy - confidence| of any bin with rows. */
export function maximumCalibrationError(rows: ScoreTable | Confidences, options: CalibrationOptions = {}): number {
  const curve = reliabilityCurve(rows, options).filter((b) => b.count > 0);
  return Math.max(...curve.map((b) => Math.abs(b.accuracy - b.confidence)));
}

/**
 * Adaptive calibration error (Nixon et al. 2019, eq. 4): |accuracy - confidence| averaged over every class and over `bins`
 * ranges of equally many rows sorted by that class' probability (sizes as numpy.array_split, equal probabilities by row).
 */
export function adaptiveCalibrationError(table: ScoreTable, { bins = 15 }: { bins?: number } = {}): number {
  checkCount("bins", bins, 1);
  const k = table.labels.length;
  const n = table.truth.length;
  const confidence = new Float64Array(n);
  const correct = new Uint8Array(n);
  let sum = 0;
  let ranges = 0;
  for (let j = 0; j < k; j++) {
    for (let row = 0; row < n; row++) {
      confidence[row] = table.probabilities[row * k + j]!;
      correct[row] = table.truth[row] === j ? 1 : 0;
    }
    for (const bin of massBins(confidence, correct, bins)) {
      if (bin.count === 0) continue;
      sum += Math.abs(bin.accuracy - bin.confidence);
      ranges++;
    }
  }
  return sum / ranges;
}

/** Rows sorted by confidence and cut into `bins` parts whose sizes differ by at most one, the larger first. */
function massBins(confidence: Float64Array, correct: Uint8Array, bins: number): ReliabilityBin[] {
  const n = confidence.length;
  const order = ascendingOrder(confidence);
  const result: ReliabilityBin[] = [];
  for (let bin = 0, start = 0; bin < bins; bin++) {
    const size = Math.floor(n / bins) + (bin < n % bins ? 1 : 0);
    let sum = 0;
    let right = 0;
    for (let i = start; i < start + size; i++) {
      sum += confidence[order[i]!]!;
      right += correct[order[i]!]!;
    }
    const low = size ? confidence[order[start]!]! : Number.NaN;
    const high = size ? confidence[order[start + size - 1]!]! : Number.NaN;
    result.push({ low, high, count: size, confidence: sum / size, accuracy: right / size });
    start += size;
  }
  return result;
}
