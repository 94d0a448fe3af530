/**
 * @file Answering only when sure: risk (share of wrong answers) by coverage (share of rows answered), rows taken by falling
 * confidence (Geifman & El-Yaniv 2017). Rows of equal confidence cannot be told apart, so inside such a group the risk is its
 * expectation over all orders; no number depends on the order of the rows.
 */
import { MetricsError } from "./errors.ts";
import { ascendingOrder } from "./order.ts";
import { type Confidences, confidencesOf, type ScoreTable } from "./probabilities.ts";

/** A point that some threshold reaches: rows with `confidence >= threshold` are answered. */
export interface RiskCoveragePoint {
  readonly threshold: number;
  readonly coverage: number;
  readonly risk: number;
}

/** Rows of one confidence, by falling confidence. */
interface Group {
  readonly confidence: number;
  readonly rows: number;
  readonly wrong: number;
}

function groups(rows: ScoreTable | Confidences): Group[] {
  const { confidence, correct } = confidencesOf(rows);
  const unusable = confidence.findIndex((c) => !Number.isFinite(c));
  if (unusable >= 0)
    throw new MetricsError(
      "value_invalid",
      `confidence of row ${unusable} is ${confidence[unusable]}; it must be a finite number`,
    );
  const order = ascendingOrder(confidence);
  const result: Group[] = [];
  for (let i = order.length - 1; i >= 0;) {
    const top = confidence[order[i]!]!;
    let rows = 0;
    let wrong = 0;
    for (; i >= 0 && confidence[order[i]!] === top; i--) {
      rows++;
      if (correct[order[i]!] !== 1) wrong++;
    }
    result.push({ confidence: top, rows, wrong });
  }
  return result;
}

/** The risk-coverage curve: one point per distinct confidence, or about `points` evenly spaced ones of them. */
export function riskCoverage(
  rows: ScoreTable | Confidences,
  { points = Infinity }: { points?: number } = {},
): RiskCoveragePoint[] {
  const all = groups(rows);
  const total = all.reduce((n, g) => n + g.rows, 0);
  const curve: RiskCoveragePoint[] = [];
  let covered = 0;
  let wrong = 0;
  let next = 0;
  for (const [i, g] of all.entries()) {
    covered += g.rows;
    wrong += g.wrong;
    if (covered / total < next && i < all.length - 1) continue;
    curve.push({ threshold: g.confidence, coverage: covered / total, risk: wrong / covered });
    next = covered / total + 1 / points;
  }
  return curve;
}

/** Area under the risk-coverage curve (AURC): the mean risk over answering the 1, 2, ..., N surest rows. */
export function riskCoverageArea(rows: ScoreTable | Confidences): number {
  let covered = 0;
  let wrong = 0;
  let area = 0;
  for (const g of groups(rows)) {
    for (let i = 1; i <= g.rows; i++) area += (wrong + (g.wrong * i) / g.rows) / (covered + i);
    covered += g.rows;
    wrong += g.wrong;
  }
  return area / covered;
}

/**
 * Accuracy over the surest `coverage` (0 to 1] of the rows, rounded up to whole rows.
 *
 * @throws MetricsError `value_invalid` for a coverage outside (0, 1]
 */
export function selectiveAccuracy(rows: ScoreTable | Confidences, coverage: number): number {
  if (!(coverage > 0 && coverage <= 1))
    throw new MetricsError("value_invalid", `coverage is ${coverage}; it must lie above 0 and not above 1`);
  const all = groups(rows);
  const total = all.reduce((n, g) => n + g.rows, 0);
  // 0.07 * 100 is 7.000000000000001: a rounding error must not cost a row.
  const wanted = Math.max(1, Math.ceil(coverage * total - 1e-9));
  let covered = 0;
  let wrong = 0;
  for (const g of all) {
    const taken = Math.min(g.rows, wanted - covered);
    wrong += (g.wrong * taken) / g.rows;
    covered += taken;
    if (covered === wanted) break;
  }
  return 1 - wrong / wanted;
}
