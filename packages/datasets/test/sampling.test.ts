import type { Utterance } from "@emosllm/interfaces";
import { expect, test } from "vitest";
import {
  balancedSampler,
  betweenSchemes,
  classWeights,
  contextWindows,
  curriculumSampler,
  emotionScheme,
  mapLabel,
  raterDisagreement,
  shuffleSampler,
} from "../src/index.ts";
import { tally } from "./temp.ts";

const turn = (dialogue: string, n: number, speaker: string, text?: string): Utterance => ({
  id: `${dialogue}_${n}`,
  corpus: "x",
  audio: { path: "x" },
  dialogue,
  turn: n,
  speaker,
  ...(text === undefined ? {} : { text }),
});

test("context: earlier turns of the same dialogue only, oldest first, from the whole pool", () => {
  const pool = [
    turn("a", 2, "F", "two"),
    turn("a", 0, "F", "zero"),
    turn("a", 1, "M", "one"),
    turn("b", 0, "M", "other"),
    turn("a", 3, "M"),
    turn("a", 4, "F", "four"),
  ];
  const last = [pool[5] as Utterance];
  const texts = (o: Parameters<typeof contextWindows>[1]) =>
    contextWindows(last, o, pool)[0]?.context.map((c) => `${c.speaker} ${c.text}`);
  expect(texts({ turns: 2 })).toEqual(["M one", "F two"]);
  expect(texts({ turns: 9 })).toEqual(["F zero", "M one", "F two"]);
  expect(texts({ turns: 9, speakers: "other" })).toEqual(["M one"]);
  expect(texts({ turns: 9, speakers: "same" })).toEqual(["F zero", "F two"]);
  expect(texts({ turns: 9, characters: 6 })).toEqual(["M one", "F two"]);
  expect(contextWindows(last, { turns: 2 })[0]?.context).toEqual([]);
});

test("class weights: scikit-learn's balanced, and the others with mean 1 over examples", () => {
  const counts = { a: 10, b: 30, c: 60 };
  // compute_class_weight("balanced", ...) of scikit-learn: 100 / (3 * [10, 30, 60])
  expect(classWeights(counts)).toEqual({ a: 100 / 30, b: 100 / 90, c: 100 / 180 });
  for (const kind of ["balanced", "sqrt", "effective", "none"] as const) {
    const w = classWeights(counts, { kind });
    expect((w["a"]! * 10 + w["b"]! * 30 + w["c"]! * 60) / 100).toBeCloseTo(1, 12);
    if (kind !== "none") expect(w["a"]!).toBeGreaterThan(w["b"]!);
  }
  expect(() => classWeights({ a: 0 })).toThrow(/label a has count 0/);
});

test("samplers are a function of seed and epoch, and cover what they promise", () => {
  const labels = [...Array<string>(90).fill("a"), ...Array<string>(9).fill("b"), "c"];
  const plain = shuffleSampler(100, { seed: 1 });
  expect(plain(0).toSorted((x, y) => x - y)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(plain(0)).toEqual(shuffleSampler(100, { seed: 1 })(0));
  expect(plain(0)).not.toEqual(plain(1));
  expect(plain(0)).not.toEqual(shuffleSampler(100, { seed: 2 })(0));

  const even = balancedSampler(labels, { seed: 1 })(0);
  expect(tally(even.map((i) => labels[i]))).toEqual({ a: 34, b: 33, c: 33 });
  const b = Object.values(tally(even.filter((i) => labels[i] === "b").map(String)));
  expect(Math.max(...b) - Math.min(...b)).toBeLessThanOrEqual(1);
  expect(new Set(even.filter((i) => labels[i] === "a")).size).toBe(34);
  expect(tally(balancedSampler(labels, { strength: 0 })(3).map((i) => labels[i]))).toEqual({ a: 90, b: 9, c: 1 });
  expect(balancedSampler(labels, { size: 7 })(0).length).toBe(7);

  const difficulty = Array.from({ length: 100 }, (_, i) => (i * 37) % 100);
  const steps = curriculumSampler(difficulty, { epochs: 4, start: 0.25 });
  const sizes = [0, 1, 2, 3, 9].map((e) => steps(e).length);
  expect(sizes[0]).toBe(25);
  expect(sizes.slice(3)).toEqual([100, 100]);
  expect(sizes.toSorted((x, y) => x - y)).toEqual(sizes);
  expect(Math.max(...steps(0).map((i) => difficulty[i] as number))).toBe(24);
});

test("raters' disagreement is their entropy in bits", () => {
  const u = turn("a", 0, "F");
  expect(raterDisagreement({ ...u, softLabel: { a: 1 } })).toBe(0);
  expect(raterDisagreement({ ...u, softLabel: { a: 0.5, b: 0.5 } })).toBe(1);
  expect(raterDisagreement(u)).toBe(0.5);
});

test("from one corpus' scheme to another's, by name", () => {
  const scheme = betweenSchemes(emotionScheme("meld-7"), emotionScheme("iemocap-4"));
  expect(scheme.labels).toEqual(["angry", "happy", "sad", "neutral"]);
  const label = (l: string) => mapLabel({ ...turn("a", 0, "F"), label: l }, scheme)?.label;
  expect(["joy", "anger", "sadness", "neutral", "surprise"].map(label)).toEqual([
    "happy",
    "angry",
    "sad",
    "neutral",
    undefined,
  ]);
  const merged = betweenSchemes(emotionScheme("iemocap-6"), emotionScheme("meld-7"), { excited: "joy" });
  expect(merged.mapping["excited"]).toBe("joy");
  expect(() => betweenSchemes(emotionScheme("meld-3"), { name: "z", labels: ["q"], mapping: {} })).toThrow(
    /no label in common/,
  );
});
