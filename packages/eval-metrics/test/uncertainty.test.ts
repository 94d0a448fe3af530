/** @file Intervals and tests: against SciPy and statsmodels where the answer is one number, against theory where it is random. */
import { expect, test } from "vitest";
import {
  accuracy,
  aggregateFolds,
  binomial,
  bootstrap,
  bootstrapMatrix,
  bootstrapRows,
  confusionByCluster,
  confusionMatrix,
  holm,
  intervalOf,
  macroF1,
  matrixOf,
  mcnemar,
  mcnemarOf,
  normalCdf,
  normalQuantile,
  pairedBootstrap,
  pairedCounts,
  permutationTest,
  quantileSlices,
  randomStream,
  sliceReport,
  unweightedAverageRecall,
} from "../src/index.ts";
import { allClose, cases, close, type Stored } from "./oracle.ts";

test("McNemar's exact p-value and Holm's correction", () => {
  type Case = {
    b: number;
    c: number;
    p: number[];
    ceiling: number;
    expect: { mcnemar: Stored; holm: Stored[] };
  };
  for (const [i, c] of cases<Case>("significance").entries()) {
    close(mcnemar(c.b, c.c).pValue, c.expect.mcnemar, `case ${i} McNemar ${c.b}, ${c.c}`);
    allClose(holm(c.p.map((p) => p / c.ceiling)), c.expect.holm, `case ${i} Holm`);
  }
});

test("percentile and BCa intervals of a given distribution; the normal distribution", () => {
  type Case = {
    x: number[];
    sums: number[];
    level: number;
    q: number[];
    expect: Record<"percentile" | "bca" | "normal" | "cdf", Stored[]> & { error: Stored };
  };
  for (const [i, c] of cases<Case>("intervals").entries()) {
    const n = c.x.length;
    const total = c.x.reduce((a, b) => a + b, 0);
    const distribution = c.sums.map((s) => s / n);
    const jackknife = { values: c.x.map((v) => (total - v) / (n - 1)) };
    const plain = intervalOf(distribution, total / n, { level: c.level });
    allClose([plain.low, plain.high], c.expect.percentile, `case ${i} percentile`);
    close(plain.standardError, c.expect.error, `case ${i} standard error`);
    const bca = intervalOf(distribution, total / n, { level: c.level, method: "bca", jackknife });
    // SciPy has no BCa interval where all jackknife values are equal or all resamples lie on one side; here it is the percentile one.
    const known = c.expect.bca.every((v) => typeof v === "number");
    allClose([bca.low, bca.high], known ? c.expect.bca : c.expect.percentile, `case ${i} BCa`);
    allClose(c.q.map(normalQuantile), c.expect.normal, `case ${i} normal quantile`);
    allClose(
      c.q.map((q) => normalCdf((q - 0.5) * 16)),
      c.expect.cdf,
      `case ${i} normal distribution`,
    );
  }
});

test("permutation tests over all swaps, by row and by cluster", () => {
  type Case = {
    k: number;
    truth: string;
    first: string;
    second: string;
    cluster: string;
    expect: Record<"accuracy" | "uar", Record<"difference" | "p" | "clustered", Stored>>;
  };
  const statistics = { accuracy, uar: unweightedAverageRecall };
  for (const [i, c] of cases<Case>("permutation").entries()) {
    const labels = ["a", "b", "c"].slice(0, c.k);
    const rows = pairedCounts([...c.truth], [...c.first], [...c.second], { labels });
    const clusters = pairedCounts([...c.truth], [...c.first], [...c.second], { labels, clusters: [...c.cluster] });
    for (const name of ["accuracy", "uar"] as const) {
      const byRow = permutationTest(rows, statistics[name]);
      expect(byRow.exact).toBe(true);
      close(byRow.difference, c.expect[name].difference, `case ${i} ${name} difference`);
      close(byRow.pValue, c.expect[name].p, `case ${i} ${name} p`);
      close(permutationTest(clusters, statistics[name]).pValue, c.expect[name].clustered, `case ${i} ${name} clusters`);
    }
  }
});

/** Pearson's chi-square of draws against exact probabilities, cells of expected count below 5 pooled; as a normal deviate (Wilson-Hilferty). */
function deviate(
  counts: Map<number, number>,
  draws: number,
  mass: (k: number) => number,
  from: number,
  to: number,
): number {
  let [chi, cells, pooledExpected, pooledSeen, seen] = [0, 0, 0, 0, 0];
  for (let k = from; k <= to; k++) {
    pooledExpected += draws * mass(k);
    pooledSeen += counts.get(k) ?? 0;
    seen += counts.get(k) ?? 0;
    if (pooledExpected < 5) continue;
    chi += (pooledSeen - pooledExpected) ** 2 / pooledExpected;
    cells++;
    [pooledExpected, pooledSeen] = [0, 0];
  }
  expect(draws - seen).toBeLessThan(20);
  const d = cells - 1;
  return ((chi / d) ** (1 / 3) - (1 - 2 / (9 * d))) / Math.sqrt(2 / (9 * d));
}

test.each([
  [5, 0.3],
  [40, 0.1],
  [60, 0.5],
  [1000, 0.9],
  [100_000, 0.2],
  [1_000_000, 0.00002],
  [1_000_000, 0.4],
])("binomial draws of n=%d, p=%d follow the binomial distribution", (n, p) => {
  const random = randomStream(n);
  const draws = 60_000;
  const counts = new Map<number, number>();
  for (let i = 0; i < draws; i++) {
    const k = binomial(random, n, p);
    counts.set(k, (counts.get(k) ?? 0) + 1);
  }
  const spread = 6 * Math.sqrt(n * p * (1 - p)) + 6;
  const from = Math.max(0, Math.floor(n * p - spread));
  const to = Math.min(n, Math.ceil(n * p + spread));
  // Exact masses by the ratio of neighbours, scaled to 1 over a range that holds all but 1e-8.
  const logs = [0];
  for (let k = from; k < to; k++) logs.push(logs.at(-1)! + Math.log(((n - k) / (k + 1)) * (p / (1 - p))));
  const top = Math.max(...logs);
  const sum = logs.reduce((a, b) => a + Math.exp(b - top), 0);
  const z = deviate(counts, draws, (k) => Math.exp(logs[k - from]! - top) / sum, from, to);
  // The seed is fixed, so this never flickers; a wrong sampler gives tens.
  expect(Math.abs(z)).toBeLessThan(4);
});

const labels = ["a", "b", "c"];
/** Answers that are right 60 % of the time. */
function answers(n: number, seed: number): [truth: string[], prediction: string[]] {
  const random = randomStream(seed);
  const truth = Array.from({ length: n }, () => labels[random.below(3)]!);
  return [truth, truth.map((t) => (random.uniform() < 0.6 ? t : labels[random.below(3)]!))];
}

test("drawing cells and drawing rows give the same distribution", () => {
  const [truth, prediction] = answers(300, 1);
  const cells = bootstrapMatrix(
    confusionMatrix(truth, prediction, { labels }),
    { macroF1 },
    { rounds: 20_000 },
  ).macroF1;
  const rows = bootstrapRows(
    truth.length,
    (drawn) => {
      const of = (list: string[]): string[] => Array.from(drawn, (i) => list[i]!);
      return { macroF1: macroF1(confusionMatrix(of(truth), of(prediction), { labels })) };
    },
    { rounds: 5_000, seed: 3 },
  ).macroF1;
  expect(cells.estimate).toBe(rows.estimate);
  // Monte Carlo: with 5,000 rounds a standard error is known to 1 % and a 2.5 % quantile to about 0.04 standard errors.
  expect(Math.abs(cells.standardError / rows.standardError - 1)).toBeLessThan(0.04);
  expect(Math.abs(cells.low - rows.low)).toBeLessThan(0.15 * rows.standardError);
  expect(Math.abs(cells.high - rows.high)).toBeLessThan(0.15 * rows.standardError);
});

test("the standard error of accuracy is sqrt(p (1 - p) / n), by rows and by clusters of one row", () => {
  const [truth, prediction] = answers(2_000, 2);
  const matrix = confusionMatrix(truth, prediction, { labels });
  const p = accuracy(matrix);
  const theory = Math.sqrt((p * (1 - p)) / truth.length);
  const own = confusionByCluster(
    truth,
    prediction,
    truth.map((_, i) => String(i)),
    { labels },
  );
  for (const data of [matrix, [...own.values()]]) {
    const { standardError } = bootstrapMatrix(data, { accuracy }, { rounds: 4_000 }).accuracy;
    expect(Math.abs(standardError / theory - 1)).toBeLessThan(0.05);
  }
});

test("clusters widen the interval when rows of a speaker are alike: ten copies are worth one row", () => {
  const [truth, prediction] = answers(100, 3);
  const copies = <T>(list: T[]): T[] => list.flatMap((v) => Array.from({ length: 10 }, () => v));
  const speakers = copies(truth.map((_, i) => `s${i}`));
  const options = { rounds: 4_000 };
  const plain = bootstrapMatrix(confusionMatrix(truth, prediction, { labels }), { accuracy }, options).accuracy;
  const byRow = bootstrapMatrix(
    confusionMatrix(copies(truth), copies(prediction), { labels }),
    { accuracy },
    options,
  ).accuracy;
  const matrices = confusionByCluster(copies(truth), copies(prediction), speakers, { labels });
  const byCluster = bootstrapMatrix([...matrices.values()], { accuracy }, options).accuracy;
  expect(byCluster.standardError / plain.standardError).toBeCloseTo(1, 1);
  expect(plain.standardError / byRow.standardError).toBeCloseTo(Math.sqrt(10), 0);
});

test("95 % intervals hold the true accuracy about 95 % of the time", () => {
  // True accuracy 0.6 + 0.4 / 3. 400 experiments: the share of hits has a standard error of 1.1 %.
  for (const method of ["percentile", "bca"] as const) {
    let hits = 0;
    for (let i = 0; i < 400; i++) {
      const matrix = confusionMatrix(...answers(150, 1000 + i), { labels });
      const { low, high } = bootstrapMatrix(matrix, { accuracy }, { rounds: 400, seed: i, method }).accuracy;
      if (low <= 0.6 + 0.4 / 3 && 0.6 + 0.4 / 3 <= high) hits++;
    }
    expect(hits / 400).toBeGreaterThan(0.91);
    expect(hits / 400).toBeLessThan(0.98);
  }
});

test("BCa of cells equals BCa of the same rows one by one", () => {
  const values = [0, 0, 0, 1, 1, 5];
  const sum = (sums: Float64Array): { mean: number } => ({ mean: sums[1]! / sums[0]! });
  const add = (of: readonly number[]) => (sums: Float64Array, unit: number, times: number) => {
    sums[0]! += times;
    sums[1]! += times * of[unit]!;
  };
  const kinds = { units: 3, multiplicity: [3, 2, 1], size: 2, add: add([0, 1, 5]) };
  const single = { units: 6, size: 2, add: add(values) };
  const [a, b] = [kinds, single].map((d) => bootstrap(d, sum, { rounds: 40_000, method: "bca" }).mean);
  expect(a!.method).toBe("bca");
  expect(a!.estimate).toBe(b!.estimate);
  // The distribution has steps of 1/6; with 40,000 rounds both quantiles fall on the same step or its neighbour.
  expect(Math.abs(a!.low - b!.low)).toBeLessThanOrEqual(1 / 6 + 1e-12);
  expect(Math.abs(a!.high - b!.high)).toBeLessThanOrEqual(1 / 6 + 1e-12);
});

test("a statistic without any spread has an interval of one point", () => {
  const matrix = confusionMatrix(["a", "b"], ["a", "b"]);
  for (const method of ["percentile", "bca"] as const)
    expect(bootstrapMatrix(matrix, { accuracy }, { rounds: 50, method }).accuracy).toMatchObject({
      low: 1,
      high: 1,
      standardError: 0,
    });
});

test("paired counts: matrices, differences, McNemar, and a sampled permutation test close to the exact one", () => {
  const [truth, first] = answers(400, 4);
  const second = truth.map((t, i) => (i % 7 === 0 ? null : i % 2 ? first[i]! : t));
  const paired = pairedCounts(truth, first, second, { labels });
  expect(matrixOf(paired, "first")).toEqual(confusionMatrix(truth, first, { labels }));
  expect(matrixOf(paired, "second")).toEqual(confusionMatrix(truth, second, { labels }));
  const only = (a: (string | null)[], b: (string | null)[]): number =>
    truth.filter((t, i) => a[i] === t && b[i] !== t).length;
  expect(mcnemarOf(paired)).toEqual(mcnemar(only(first, second), only(second, first)));
  const { difference } = pairedBootstrap(paired, { difference: accuracy }, { rounds: 2000 });
  expect(difference.estimate).toBeCloseTo((only(first, second) - only(second, first)) / 400, 12);
  expect(difference.low < difference.estimate && difference.estimate < difference.high).toBe(true);

  const few = pairedCounts(truth.slice(0, 40), first.slice(0, 40), second.slice(0, 40), { labels });
  const exact = permutationTest(few, unweightedAverageRecall, { exactLimit: 1e7 });
  const sampled = permutationTest(few, unweightedAverageRecall, { exactLimit: 0, rounds: 20_000 });
  expect([exact.exact, sampled.exact]).toEqual([true, false]);
  expect(Math.abs(exact.pValue - sampled.pValue)).toBeLessThan(0.015); // 4 standard errors of a share near 1/2
});

test("two equal systems: difference 0, p-values 1", () => {
  const [truth, first] = answers(50, 5);
  const paired = pairedCounts(truth, first, first, { labels });
  expect(permutationTest(paired, macroF1)).toEqual({ difference: 0, pValue: 1, exact: true, rounds: 1 });
  expect(mcnemarOf(paired)).toEqual({ onlyFirst: 0, onlySecond: 0, pValue: 1 });
});

test("folds: mean, deviation, pooled", () => {
  const folds = [answers(30, 6), answers(90, 7)].map(([t, p]) => confusionMatrix(t, p, { labels }));
  const { accuracy: summary } = aggregateFolds(folds, { accuracy });
  const [a, b] = folds.map(accuracy) as [number, number];
  expect(summary.mean).toBeCloseTo((a + b) / 2, 14);
  expect(summary.standardDeviation).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 14);
  expect(summary.pooled).toBeCloseTo((30 * a + 90 * b) / 120, 14);
});

test("slices come worst first, with the gap between the ends", () => {
  const matrices = new Map([
    ["F", confusionMatrix(["a", "b", "a", "b"], ["a", "b", "a", "b"], { labels: ["a", "b"] })],
    ["M", confusionMatrix(["a", "b", "a", "b"], ["a", "a", "a", "a"], { labels: ["a", "b"] })],
  ]);
  const report = sliceReport(matrices, accuracy, { rounds: 500 });
  expect(report).toMatchObject({ best: "F", worst: "M", gap: { estimate: 0.5, rounds: 500 } });
  expect(report.slices.map((s) => [s.value, s.rows, s.score.estimate])).toEqual([
    ["M", 4, 0.5],
    ["F", 4, 1],
  ]);
  expect(quantileSlices([1, 2, 3, 4, null], 2)).toEqual(["1 to 2.5", "1 to 2.5", "2.5 to 4", "2.5 to 4", "unknown"]);
  expect(quantileSlices([5, 5], 4)).toEqual(["5", "5"]);
});

test("a million rows with a thousand rounds take the time of a thousand rows", () => {
  const cells = confusionMatrix(...answers(1_000, 8), { labels });
  const million = { ...cells, counts: cells.counts.map((row) => row.map((n) => n * 1_000)) };
  const start = performance.now();
  const { uar } = bootstrapMatrix(million, { uar: unweightedAverageRecall }, { rounds: 1_000, method: "bca" });
  expect(performance.now() - start).toBeLessThan(5_000); // about 20 ms on an idle core
  const recall = uar.estimate;
  expect(uar.standardError).toBeCloseTo(Math.sqrt((recall * (1 - recall)) / 1_000_000), 4);
});

test("bad options are refused", () => {
  const matrix = confusionMatrix(["a"], ["a"]);
  expect(() => bootstrapMatrix(matrix, { accuracy }, { rounds: 0 })).toThrow(
    "rounds is 0; it must be an integer of at least 1",
  );
  expect(() => bootstrapMatrix(matrix, { accuracy }, { level: 95 })).toThrow(/level is 95/);
  expect(() => bootstrapMatrix([], { accuracy })).toThrow(/at least one cluster/);
  expect(() => holm([0.1, 2])).toThrow("p-value 1 is 2");
  expect(() => mcnemar(-1, 2)).toThrow(/onlyFirst is -1/);
});
