/** @file Two prediction files on the rows that both answer: differences with intervals, permutation tests, McNemar. */
import {
  type BootstrapOptions,
  holm,
  matrixOf,
  mcnemarOf,
  type PairedCounts,
  pairedBootstrap,
  permutationTest,
} from "@emosllm/eval-metrics";
import { EmosllmError } from "@emosllm/interfaces";
import { INVALID, type PredictionTable } from "./prediction-table.ts";
import { type Clusters, scoreOf } from "./scores.ts";
import { HEADLINE } from "./summarize-classes.ts";
import type { ComparisonSummary } from "./summary.ts";
import { hasClass, labelOrder } from "./views.ts";

/** Compares the rows of two tables by id; both must have been read with `keepIds`. */
export function compareTables(
  first: PredictionTable,
  second: PredictionTable,
  files: readonly [string, string],
  clusters: Clusters | undefined,
  options: BootstrapOptions & { permutations: number },
): ComparisonSummary {
  const [a, b] = [first, second].map((table, i) => rowsById(table, files[i]!)) as [
    Map<string, number>,
    Map<string, number>,
  ];
  const { paired, rows } = pair(first, second, a, b, files, clusters);
  if (rows === 0)
    throw new EmosllmError(
      "corpus_invalid",
      `${files[0]} and ${files[1]} share no id with a label and an answer; nothing can be compared`,
    );
  const names = Object.keys(HEADLINE) as (keyof typeof HEADLINE)[];
  const differences = pairedBootstrap(paired, HEADLINE, options);
  const tests = names.map((name) =>
    permutationTest(paired, HEADLINE[name], { rounds: options.permutations, seed: options.seed }),
  );
  const corrected = holm(tests.map((t) => t.pValue));
  const [one, two] = [matrixOf(paired, "first"), matrixOf(paired, "second")];
  const { onlyFirst, onlySecond, pValue } = mcnemarOf(paired);
  return {
    file: files[1],
    rows,
    only_first: a.size - rows,
    only_second: b.size - rows,
    scores: names.map((name, i) => ({
      name,
      first: HEADLINE[name](one),
      second: HEADLINE[name](two),
      difference: scoreOf(differences[name]),
      p_value: tests[i]!.pValue,
      p_holm: corrected[i]!,
      exact: tests[i]!.exact,
    })),
    mcnemar: { only_first_right: onlyFirst, only_second_right: onlySecond, p_value: pValue },
  };
}

function rowsById(table: PredictionTable, file: string): Map<string, number> {
  const rows = new Map<string, number>();
  for (let row = 0; row < table.rows; row++) {
    if (!hasClass(table, row)) continue;
    const id = table.ids[row]!;
    if (rows.has(id))
      throw new EmosllmError("corpus_invalid", `${file}: id "${id}" occurs twice; rows are compared by id`);
    rows.set(id, row);
  }
  return rows;
}

function pair(
  first: PredictionTable,
  second: PredictionTable,
  a: ReadonlyMap<string, number>,
  b: ReadonlyMap<string, number>,
  files: readonly [string, string],
  clusters: Clusters | undefined,
): { paired: PairedCounts; rows: number } {
  const labels =
    first.options.labels ?? [...new Set([...labelOrder(first).labels, ...labelOrder(second).labels])].sort();
  const place = new Map(labels.map((label, i) => [label, i]));
  const k = labels.length;
  const at = (table: PredictionTable, column: "truth" | "answer", row: number): number => {
    const id = table[column].at(row);
    return id === INVALID ? k : place.get(table.names.list[id]!)!;
  };
  const tables = new Map<number, Float64Array>();
  let rows = 0;
  for (const [id, row] of a) {
    const other = b.get(id);
    if (other === undefined) continue;
    const [truth, also] = [at(first, "truth", row), at(second, "truth", other)];
    if (truth !== also)
      throw new EmosllmError(
        "corpus_invalid",
        `id "${id}": label "${labels[truth]}" in ${files[0]} but "${labels[also]}" in ${files[1]}; the files disagree on the truth`,
      );
    const cluster = clusters ? clusters.of(row) : 0;
    let cells = tables.get(cluster);
    if (!cells) tables.set(cluster, (cells = new Float64Array(k * (k + 1) ** 2)));
    cells[(truth * (k + 1) + at(first, "answer", row)) * (k + 1) + at(second, "answer", other)]!++;
    rows++;
  }
  return { paired: { labels, clusters: [...tables.values()], clustered: clusters !== undefined }, rows };
}
