/** @file Area under the ROC curve, one class against the rest: the chance that a row of the class scores above one that is not. */
import type { ScoreTable } from "./probabilities.ts";
import { MetricsError } from "./errors.ts";

/** AUROC by class and its means. */
export interface AurocReport {
  /** By label; `null` for a class that has no rows or all of them, whose ROC curve does not exist. */
  readonly classes: Readonly<Record<string, number | null>>;
  /** Unweighted mean over the classes that have one. `sklearn.metrics.roc_auc_score(multi_class="ovr", average="macro")` */
  readonly macro: number;
  /** Mean by true rows over the classes that have one. */
  readonly weighted: number;
}

/**
 * One-vs-rest AUROC; equal scores count half (Mann-Whitney).
 *
 * @throws MetricsError `undefined_metric` when all rows are of one class
 */
export function auroc({ labels, truth, probabilities }: ScoreTable): AurocReport {
  const k = labels.length;
  const n = truth.length;
  const support = new Float64Array(k);
  for (const t of truth) support[t]!++;
  const areas: (number | null)[] = [];
  let macro = 0;
  let weighted = 0;
  let known = 0;
  let rows = 0;
  for (let j = 0; j < k; j++) {
    const positives = new Float64Array(support[j]!);
    const negatives = new Float64Array(n - support[j]!);
    for (let row = 0, p = 0, q = 0; row < n; row++) {
      const score = probabilities[row * k + j]!;
      if (truth[row] === j) positives[p++] = score;
      else negatives[q++] = score;
    }
    const area = positives.length && negatives.length ? rankArea(positives, negatives) : null;
    areas.push(area);
    if (area === null) continue;
    macro += area;
    weighted += area * support[j]!;
    known++;
    rows += support[j]!;
  }
  if (known === 0)
    throw new MetricsError("undefined_metric", `auroc: every row is "${labels[truth[0]!]}"; two classes are needed`);
  const classes = Object.fromEntries(areas.map((area, j) => [labels[j]!, area]));
  return { classes, macro: macro / known, weighted: weighted / rows };
}

/** Share of (positive, negative) pairs in the right order, ties half. Sorts both lists in place. */
function rankArea(positives: Float64Array, negatives: Float64Array): number {
  positives.sort();
  negatives.sort();
  let below = 0; // negatives < p
  let upTo = 0; // negatives <= p
  let won = 0;
  for (const p of positives) {
    while (below < negatives.length && negatives[below]! < p) below++;
    while (upTo < negatives.length && negatives[upTo]! <= p) upTo++;
    won += (below + upTo) / 2;
  }
  return won / positives.length / negatives.length;
}
