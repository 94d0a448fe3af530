import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { draw, keepTopP, likeliest, logprobsOf, processLogits, randomStream, resolveOptions } from "../src/index.ts";

interface Case {
  readonly logits: readonly number[];
  readonly said: readonly number[];
  readonly eos: readonly number[];
  readonly options: { readonly new_tokens: number } & Record<string, number>;
  readonly result: readonly (number | null)[];
}

const cases = JSON.parse(await readFile(new URL("fixtures/processors.json", import.meta.url), "utf8")) as Case[];

test("each processor, and all in a row, give what transformers' give", () => {
  for (const [at, { logits, said, eos, options, result }] of cases.entries()) {
    const { new_tokens: newTokens, ...asked } = options;
    const ours = processLogits(
      Float32Array.from(logits),
      resolveOptions({ ...asked, do_sample: true, max_new_tokens: 50, eos_token_id: eos }, []),
      { said: new Set(said), newTokens },
    );
    // Which of equal logits top_p leaves, PyTorch's sort decides; that as many are left must hold all the same.
    const ties = new Set(logits).size < logits.length;
    const theirs = result.map((v) => v ?? -Infinity);
    const [a, b] = ties ? [[...ours].sort((x, y) => x - y), theirs.toSorted((x, y) => x - y)] : [[...ours], theirs];
    a.forEach((v, i) => {
      const wanted = b[i] as number;
      // One product or quotient in f32: the last bit.
      if (wanted === -Infinity) expect(v, `case ${at}, ${i}`).toBe(-Infinity);
      else expect(Math.abs(v - wanted), `case ${at}, ${i}`).toBeLessThanOrEqual(2e-7 * Math.abs(wanted));
    });
  }
});

test("top_p over many tokens is top_p without the short cut", () => {
  const random = randomStream(3, 0);
  for (const p of [0.1, 0.5, 0.9, 0.999]) {
    const logits = Float32Array.from({ length: 3000 }, () => 12 * random() ** 3);
    const sorted = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number));
    const weights = sorted.map((i) => Math.exp(logits[i] as number));
    const total = weights.reduce((a, b) => a + b, 0);
    let [before, kept] = [0, 0];
    while (before < p * total) before += weights[kept++] as number;
    const ours = logits.slice();
    keepTopP(ours, p);
    expect(ours.filter((v) => v !== -Infinity).length).toBe(kept);
    sorted.slice(0, kept).forEach((i) => expect(ours[i]).toBe(logits[i]));
  }
});

test("draws come as often as their probabilities say, and again the same with the same seed", () => {
  const logits = Float32Array.from([1, -Infinity, 0, 2.5, -1]);
  const n = 40_000;
  const counts = [0, 0, 0, 0, 0];
  const random = randomStream(11, 2);
  for (let i = 0; i < n; i++) counts[draw(logits, random)]! += 1;
  const weights = [...logits].map(Math.exp);
  const total = weights.reduce((a, b) => a + b, 0);
  const chi = weights.reduce(
    (s, w, i) => (w === 0 ? s : s + (counts[i]! - (n * w) / total) ** 2 / ((n * w) / total)),
    0,
  );
  expect(counts[1]).toBe(0);
  // 3 degrees of freedom: 16.3 is passed once in a thousand seeds, and the seed is fixed.
  expect(chi).toBeLessThan(16.3);
  const twice = [0, 1].map(() => {
    const again = randomStream(7, 1);
    return Array.from({ length: 20 }, () => again());
  });
  expect(twice[0]).toEqual(twice[1]);
  expect(randomStream(7, 2)()).not.toBe(twice[0]?.[0]);
});

test("the likeliest tokens and their log-probabilities; a tie goes to the first", () => {
  const logits = Float32Array.from([0, 3, 3, 1]);
  expect(likeliest(logits)).toBe(1);
  const total = Math.log(1 + 2 * Math.exp(3) + Math.exp(1));
  const { logprob, top } = logprobsOf(logits, 3, 2);
  expect(logprob).toBeCloseTo(1 - total, 12);
  expect(top).toEqual([1, 2].map((id) => ({ id, logprob: 3 - total })));
  expect(() => likeliest(Float32Array.of(NaN, NaN))).toThrow(/not numbers/);
  expect(() => draw(Float32Array.of(-Infinity), () => 0.5)).toThrow(/not numbers/);
});

test.each([
  [{ max_new_tokens: 0 }, /max_new_tokens must be a whole number >= 1, not 0/],
  [
    { min_new_tokens: 9, max_new_tokens: 4 },
    /min_new_tokens must be a whole number from 0 to max_new_tokens \(4\), not 9/,
  ],
  [{ temperature: 0 }, /temperature must be a number above 0.*do_sample false/],
  [{ top_p: 1.2 }, /top_p must be a number above 0, at most 1, not 1.2/],
  [{ top_k: 0.5 }, /top_k/],
  [{ stop_strings: [""] }, /stop_strings must be texts that are not empty/],
  [{ eos_token_id: -1 }, /eos_token_id must be token ids, not -1/],
  [{ top_logprobs: 21 }, /top_logprobs must be a whole number from 0 to 20, not 21/],
  [{ do_sample: "yes" }, /do_sample must be true or false, not "yes"/],
  [{ num_beams: 4 }, /'num_beams' is no generation option; there are max_new_tokens/],
])("%j is refused", (options, message) => {
  expect(() => resolveOptions(options as never, [])).toThrow(message);
});
