/**
 * @file Two systems on the same rows. All tests work on counts of (truth, first answer, second answer), per cluster or over all
 * rows; drawing and swapping counts is the same in distribution as drawing and swapping rows (see `bootstrap.ts`).
 */
import { type Additive, bootstrap, type BootstrapOptions, recordOf } from "./bootstrap.ts";
import { type MatrixStatistic, orNaN, vectorUnits } from "./bootstrap-matrix.ts";
import { type Answer, type ConfusionMatrix, labelIndex, labelsOf, truthIndex } from "./confusion.ts";
import { checkPairs } from "./errors.ts";
import type { Interval } from "./intervals.ts";

/** How often each pair of answers was given to each true label. Plain data. */
export interface PairedCounts {
  readonly labels: readonly string[];
  /** `cells[t][a][b]` with answers 0..K-1 and K for an invalid answer, flattened. `[K * (K + 1) * (K + 1)]` per cluster */
  readonly clusters: readonly Float64Array[];
  /** Whether {@link PairedCounts.clusters} are real clusters that are drawn and swapped whole, or one table of all rows. */
  readonly clustered: boolean;
}

/** Options of {@link pairedCounts}. */
export interface PairedOptions {
  labels?: readonly string[] | undefined;
  /** One key per row (speaker, dialogue): rows of one cluster are drawn and swapped together. */
  clusters?: readonly string[] | undefined;
}

/** Counts the answers of two systems to the same rows. */
export function pairedCounts(
  truth: readonly string[],
  first: readonly Answer[],
  second: readonly Answer[],
  { labels = labelsOf(truth, [...first, ...second]), clusters }: PairedOptions = {},
): PairedCounts {
  checkPairs("pairedCounts(truth, first)", truth, first);
  checkPairs("pairedCounts(truth, second)", truth, second);
  if (clusters) checkPairs("pairedCounts(truth, clusters)", truth, clusters);
  const index = labelIndex(labels);
  const k = labels.length;
  const tables = new Map<string, Float64Array>();
  const place = (answer: Answer): number => (answer === null || answer === undefined ? k : (index.get(answer) ?? k));
  for (let row = 0; row < truth.length; row++) {
    const key = clusters?.[row] ?? "";
    let table = tables.get(key);
    if (!table) tables.set(key, (table = new Float64Array(k * (k + 1) ** 2)));
    table[cellOf(k, truthIndex(index, truth[row]!, row), place(first[row]), place(second[row]))]!++;
  }
  return { labels: [...labels], clusters: [...tables.values()], clustered: clusters !== undefined };
}

/** Position of a cell of {@link PairedCounts}; an answer of `k` is an invalid one. */
export const cellOf = (k: number, truth: number, first: number, second: number): number =>
  (truth * (k + 1) + first) * (k + 1) + second;

/** The confusion matrix of either system. */
export function matrixOf(paired: PairedCounts, system: "first" | "second"): ConfusionMatrix {
  return marginal(addAll(paired.clusters), paired.labels, system);
}

function marginal(cells: Float64Array, labels: readonly string[], system: "first" | "second"): ConfusionMatrix {
  const k = labels.length;
  const counts = labels.map(() => Array.from<number>({ length: k }).fill(0));
  const invalid = Array.from<number>({ length: k }).fill(0);
  for (let t = 0; t < k; t++)
    for (let a = 0; a <= k; a++)
      for (let b = 0; b <= k; b++) {
        const n = cells[cellOf(k, t, a, b)]!;
        const answer = system === "first" ? a : b;
        if (answer === k) invalid[t]! += n;
        else counts[t]![answer]! += n;
      }
  return { labels, counts, invalid };
}

/** All clusters' cells added up. */
export function addAll(tables: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(tables[0]?.length ?? 0);
  for (const table of tables) for (let i = 0; i < sum.length; i++) sum[i]! += table[i]!;
  return sum;
}

/** first minus second, or `NaN` where a statistic does not exist. */
export const difference = (cells: Float64Array, labels: readonly string[], statistic: MatrixStatistic): number =>
  orNaN(() => statistic(marginal(cells, labels, "first")) - statistic(marginal(cells, labels, "second")));

/** Bootstrap intervals of the difference first minus second, rows (or clusters) drawn with both answers (Efron & Tibshirani 1993; Koehn 2004). */
export function pairedBootstrap<Name extends string>(
  paired: PairedCounts,
  statistics: Readonly<Record<Name, MatrixStatistic>>,
  options: BootstrapOptions = {},
): Record<Name, Interval> {
  const names = Object.keys(statistics) as Name[];
  return bootstrap(
    pairedUnits(paired),
    (cells) => recordOf(names, (name) => difference(cells, paired.labels, statistics[name])),
    options,
  );
}

/** Clusters as units, or the occupied cells with their counts. */
function pairedUnits({ clusters, clustered }: PairedCounts): Additive {
  if (clustered) return vectorUnits(clusters);
  const cells = addAll(clusters);
  const occupied = Array.from(cells.keys()).filter((i) => cells[i]! > 0);
  return {
    units: occupied.length,
    size: cells.length,
    multiplicity: occupied.map((i) => cells[i]!),
    add: (sums, unit, times) => {
      sums[occupied[unit]!]! += times;
    },
  };
}
