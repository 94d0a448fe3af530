import { expect, test } from "vitest";
import {
  alignTranscript,
  characterErrorRate,
  editPath,
  normalizeTranscript,
  randomStream,
  wordErrorRate,
} from "./index.ts";

test("an alignment names every word", () => {
  expect(alignTranscript("the cat sat down", "a cat sat right down")).toEqual([
    { type: "substitute", reference: "the", hypothesis: "a" },
    { type: "equal", reference: "cat", hypothesis: "cat" },
    { type: "equal", reference: "sat", hypothesis: "sat" },
    { type: "insert", hypothesis: "right" },
    { type: "equal", reference: "down", hypothesis: "down" },
  ]);
});

test.each([
  ["  Well, I DON’T  know… [laughs]", "well i don't know"],
  ["'tis rock 'n' roll, y'all's", "tis rock n roll y'all's"],
  ["Größe ﬁne Ｗｉｄｅ", "größe fine wide"],
  ["e\u0301te\u0301 (noise) <unk> 20 %", "été 20"],
  ["日本語、です。", "日本語 です"],
  ["don''t", "don t"],
  ["…", ""],
])("%j is normalised to %j", (text, expected) => {
  expect(normalizeTranscript(text)).toBe(expected);
  expect(normalizeTranscript(expected)).toBe(expected);
});

test("rates compare texts as they are unless a normaliser is given", () => {
  expect(wordErrorRate(["Yes, sir"], ["yes sir"])).toBe(0.5);
  expect(wordErrorRate(["Yes, sir"], ["yes sir"], { normalizer: normalizeTranscript })).toBe(0);
  expect(characterErrorRate(["🙂a"], ["🙂b"])).toBe(0.5); // code points, not UTF-16 units
  expect(() => wordErrorRate([" "], ["x"])).toThrow("the references hold no word; the word error rate is undefined");
});

test("very long texts are aligned in halves, still with the fewest edits", () => {
  const random = randomStream(5);
  const words = (n: number): string[] => Array.from({ length: n }, () => `w${random.below(40)}`);
  const reference = words(6000);
  const hypothesis = reference.flatMap((w) => (random.uniform() < 0.1 ? [] : random.uniform() < 0.1 ? ["x", w] : [w]));
  hypothesis.splice(2000, 500);
  hypothesis[0] = "first";
  hypothesis[hypothesis.length - 1] = "last";
  const steps = editPath(reference, hypothesis);
  // The path covers both texts in order.
  expect(steps.filter((s) => s.type !== "insert").map((s) => s.reference)).toEqual(Array.from(reference.keys()));
  expect(steps.filter((s) => s.type !== "delete").map((s) => s.hypothesis)).toEqual(Array.from(hypothesis.keys()));
  for (const s of steps) if (s.type === "equal") expect(reference[s.reference]).toBe(hypothesis[s.hypothesis]);
  // Plain two-row Levenshtein distance.
  let row = Array.from({ length: hypothesis.length + 1 }, (_, j) => j);
  for (const [i, r] of reference.entries()) {
    const next = [i + 1];
    for (const [j, h] of hypothesis.entries())
      next.push(Math.min(row[j]! + (r === h ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    row = next;
  }
  expect(steps.filter((s) => s.type !== "equal").length).toBe(row.at(-1));
});
