/** @file Seeded folds of whole groups with nearly equal shares of labels (the greedy rule of scikit-learn's StratifiedGroupKFold). */
import type { Utterance } from "@emosllm/interfaces";
import { EmosllmError } from "@emosllm/interfaces";
import { seededRandom, shuffled } from "./random.ts";

/**
 * Puts each group into the fold where the spread of label shares over folds stays smallest, groups with the most uneven
 * labels first. @returns the group names of each fold. @throws EmosllmError `config_invalid` with fewer groups than folds.
 */
export function stratifiedGroups(
  utterances: readonly Utterance[],
  by: "session" | "speaker" | "dialogue" | "id",
  folds: number,
  seed: number,
): ReadonlySet<string>[] {
  const labels = [...new Set(utterances.map((u) => u.label ?? ""))].sort();
  const column = new Map(labels.map((l, i) => [l, i]));
  const counts = new Map<string, number[]>();
  const totals = labels.map(() => 0);
  for (const u of utterances) {
    const group = u[by];
    if (group === undefined) continue;
    let row = counts.get(group);
    if (!row) counts.set(group, (row = labels.map(() => 0)));
    const i = column.get(u.label ?? "") as number;
    row[i] = (row[i] as number) + 1;
    totals[i] = (totals[i] as number) + 1;
  }
  if (counts.size < folds)
    throw new EmosllmError("config_invalid", `${folds} folds by ${by} need as many of them; there are ${counts.size}`);
  const order = shuffled([...counts.keys()].sort(), seededRandom(seed))
    .map((group) => ({ group, row: counts.get(group) as number[] }))
    .sort((a, b) => spread(b.row) - spread(a.row));
  const filled = Array.from({ length: folds }, () => labels.map(() => 0));
  const out = Array.from({ length: folds }, () => new Set<string>());
  for (const [done, { group, row }] of order.entries()) {
    // An empty fold must still get a group when only as many groups are left as folds are empty.
    const empty = out.filter((s) => s.size === 0).length;
    const mustFill = order.length - done <= empty;
    let best = -1;
    let bestScore = Infinity;
    let bestSize = Infinity;
    for (let f = 0; f < folds; f++) {
      if (mustFill && (out[f] as Set<string>).size > 0) continue;
      const score = scoreWith(filled, f, row, totals);
      const size = (filled[f] as number[]).reduce((a, b) => a + b, 0);
      if (score < bestScore - 1e-12 || (Math.abs(score - bestScore) <= 1e-12 && size < bestSize)) {
        best = f;
        bestScore = score;
        bestSize = size;
      }
    }
    (out[best] as Set<string>).add(group);
    const target = filled[best] as number[];
    for (const [i, n] of row.entries()) target[i] = (target[i] as number) + n;
  }
  return out;
}

function spread(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
}

/** Mean over labels of the standard deviation over folds of the label's share, were `row` added to fold `f`. */
function scoreWith(filled: readonly number[][], f: number, row: readonly number[], totals: readonly number[]): number {
  let sum = 0;
  for (const [i, total] of totals.entries())
    sum += spread(filled.map((counts, g) => ((counts[i] as number) + (g === f ? (row[i] as number) : 0)) / total));
  return sum / totals.length;
}
