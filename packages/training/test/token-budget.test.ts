import { expect, test } from "vitest";
import { randomStream, withinTokens } from "../src/index.ts";

test("parts hold every row once, each within the budget unless it is one row", () => {
  const { next } = randomStream(1, "lengths");
  for (const budget of [1, 50, 400, 1e9]) {
    const rows = Array.from({ length: 40 }, (_, id) => ({ id, length: 1 + Math.floor(next() * 100) }));
    const parts = withinTokens(rows, budget, (r) => r.length);
    expect(
      parts
        .flat()
        .map((r) => r.id)
        .toSorted((a, b) => a - b),
    ).toEqual(rows.map((r) => r.id));
    for (const part of parts) {
      const size = part.length * Math.max(...part.map((r) => r.length));
      if (part.length > 1) expect(size).toBeLessThanOrEqual(budget);
    }
    // No two parts would fit together with the longest of both.
    for (let i = 1; i < parts.length; i++) {
      const [a, b] = [parts[i - 1] ?? [], parts[i] ?? []];
      expect((a.length + 1) * (a[0]?.length ?? 0)).toBeGreaterThan(b.length > 0 ? budget : 0);
    }
  }
  expect(withinTokens([], 5, () => 1)).toEqual([]);
  expect(() => withinTokens([1], 0, () => 1)).toThrow("a budget of 0 tokens");
});
