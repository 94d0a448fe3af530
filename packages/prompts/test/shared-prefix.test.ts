import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { commonPrefixLength, planSharedPrefix, type PlanOptions, type PrefixRow } from "../src/index.ts";

const ids = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 6 });
const row = fc.record({ before: ids, after: ids, answer: ids }, { requiredKeys: ["before", "after"] });
const total = (r: PrefixRow, audio: number): number =>
  r.before.length + r.after.length + (r.answer?.length ?? 0) + (r.audioVectors ?? (r.after.length > 0 ? audio : 0));
const withAudio = (rows: readonly PrefixRow[], audio: number): PrefixRow[] =>
  rows.map((r) => ({ ...r, audioVectors: r.audioVectors ?? (r.after.length > 0 ? audio : 0) }));

/** What a batch of these rows costs, by definition. */
const costOf = (rows: readonly PrefixRow[], audio: number): number => {
  const prefix = commonPrefixLength(withAudio(rows, audio));
  return prefix + rows.length * Math.max(...rows.map((r) => total(r, audio) - prefix));
};

/** Every way to part a set. */
function* partitions<T>([first, ...rest]: readonly T[]): Generator<T[][]> {
  if (first === undefined) return yield [];
  for (const parts of partitions(rest)) {
    yield [[first], ...parts];
    for (let i = 0; i < parts.length; i++) yield parts.map((part, j) => (i === j ? [first, ...part] : part));
  }
}

describe("the common prefix", () => {
  test("ends at the first difference, at the audio, and before a row's last position", () => {
    expect(
      commonPrefixLength([
        { before: [1, 2, 3], after: [4] },
        { before: [1, 2, 5], after: [4] },
      ]),
    ).toBe(2);
    // The same ids go on after the audio, but the audio differs.
    expect(
      commonPrefixLength([
        { before: [1, 2], after: [4] },
        { before: [1, 2], after: [4] },
      ]),
    ).toBe(2);
    expect(
      commonPrefixLength([
        { before: [1, 2], after: [] },
        { before: [1, 2], after: [] },
      ]),
    ).toBe(1);
    expect(
      commonPrefixLength([
        { before: [1, 2], after: [], answer: [7] },
        { before: [1, 2, 3], after: [] },
      ]),
    ).toBe(2);
    expect(commonPrefixLength([{ before: [], after: [] }])).toBe(0);
    expect(commonPrefixLength([])).toBe(0);
  });

  test("is shared by all rows, and cannot be longer", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 6 }), (rows) => {
        const n = commonPrefixLength(rows);
        const [first] = rows;
        for (const r of rows) expect(r.before.slice(0, n)).toEqual(first?.before.slice(0, n));
        const blocked =
          rows.some(
            (r) =>
              r.before.length === n || (r.before.length === n + 1 && r.after.length + (r.answer?.length ?? 0) === 0),
          ) || new Set(rows.map((r) => r.before[n])).size > 1;
        expect(blocked).toBe(true);
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

describe("a plan", () => {
  const options = fc.record({
    tokenBudget: fc.integer({ min: 22, max: 60 }),
    maxRows: fc.integer({ min: 1, max: 5 }),
    audioVectors: fc.integer({ min: 0, max: 4 }),
    batchOverhead: fc.integer({ min: 0, max: 20 }),
  });
  const inBudget = (
    batch: readonly PrefixRow[],
    { tokenBudget, maxRows = Infinity, audioVectors = 0 }: PlanOptions,
  ): boolean => batch.length <= maxRows && costOf(batch, audioVectors) <= tokenBudget;

  test("holds every row once, within the budget, and counts its positions right", () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 12 }), options, (rows, o) => {
        const plan = planSharedPrefix(rows, o);
        expect(plan.batches.flatMap((b) => b.rows).sort((a, b) => a - b)).toEqual(rows.map((_, i) => i));
        for (const batch of plan.batches) {
          const of = batch.rows.map((i) => rows[i] as PrefixRow);
          expect(inBudget(of, o)).toBe(true);
          expect(batch.prefixLength).toBe(commonPrefixLength(withAudio(of, o.audioVectors)));
          expect(batch.tokens).toBe(costOf(of, o.audioVectors));
          expect(batch.tokens).toBe(batch.prefixLength + batch.rows.length * batch.suffixLength);
        }
        expect(plan.tokens).toBe(plan.batches.reduce((t, b) => t + b.tokens, 0));
        expect(plan.tokensUnshared).toBe(rows.reduce((t, r) => t + total(r, o.audioVectors), 0));
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  test("is close to the best of all partitions", () => {
    let [ours, best] = [0, 0];
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 6 }), options, (rows, o) => {
        const plan = planSharedPrefix(rows, o);
        const cost = plan.tokens + o.batchOverhead * plan.batches.length;
        let least = Infinity;
        for (const parts of partitions(rows))
          if (parts.every((part) => inBudget(part, o)))
            least = Math.min(
              least,
              parts.reduce((t, part) => t + costOf(part, o.audioVectors) + o.batchOverhead, 0),
            );
        expect(cost).toBeGreaterThanOrEqual(least);
        ours += cost;
        best += least;
      }),
      { numRuns: 200, seed: 3 },
    );
    // A sorted order cannot hold every partition; on rows as wild as these it loses a few per cent.
    expect(ours / best).toBeLessThan(1.05);
  });

  test("rows of one prompt variant run together and share its whole prefix", () => {
    const variant = (v: number, length: number): PrefixRow => ({
      before: Array.from({ length: 60 }, (_, i) => (i < 20 ? i : 100 * v + i)),
      after: Array.from({ length }, () => 7),
      answer: [1],
    });
    const rows = Array.from({ length: 24 }, (_, i) => variant(i % 3, 20 + (i % 2)));
    const plan = planSharedPrefix(rows, { tokenBudget: 2000, audioVectors: 32 });
    expect(plan.batches).toHaveLength(3);
    for (const batch of plan.batches) {
      expect(new Set(batch.rows.map((i) => i % 3)).size).toBe(1);
      expect(batch).toMatchObject({ prefixLength: 60, suffixLength: 54 });
    }
    expect(plan.tokens / plan.tokensUnshared).toBeLessThan(0.6);
  });

  test("a row that no batch can hold is named", () => {
    const rows = [
      { before: [1], after: [] },
      { before: [1, 2, 3], after: [4], answer: [5] },
    ];
    expect(() => planSharedPrefix(rows, { tokenBudget: 10, audioVectors: 8 })).toThrow(
      "row 1 has 13 positions, more than the budget of 10",
    );
    expect(() => planSharedPrefix(rows, { tokenBudget: 0 })).toThrow("tokenBudget is 0");
    expect(() => planSharedPrefix(rows, { tokenBudget: 9, maxRows: 0 })).toThrow("maxRows is 0");
    expect(planSharedPrefix([], { tokenBudget: 9 })).toEqual({ batches: [], tokens: 0, tokensUnshared: 0 });
  });

  test("thousands of rows are planned at once", () => {
    const rows = Array.from({ length: 4000 }, (_, i): PrefixRow => {
      const random = i * 2654435761;
      return {
        before: Array.from({ length: 80 }, (_, j) => (j < 10 ? j : j + (random % 12) * 1000)),
        after: Array.from({ length: 10 + (random % 40) }, () => 3),
      };
    });
    const start = performance.now();
    const plan = planSharedPrefix(rows, { tokenBudget: 4096, maxRows: 64, audioVectors: 32 });
    expect(plan.tokens).toBeLessThan(0.75 * plan.tokensUnshared);
    // Takes some 200 ms; the bound only guards against a plan that grows with the square of the rows.
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});
