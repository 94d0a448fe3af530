import { expect, test } from "vitest";
import { editDistance, randomOf, simulateTranscriptErrors } from "../src/index.ts";

const VOCABULARY =
  "the a it is was fine tomorrow house believe did want again see you we happy news really out get".split(" ");
const corpus = Array.from({ length: 80 }, (_, i) => {
  const random = randomOf("corpus", i);
  return Array.from(
    { length: Math.floor(random() * 14) },
    () => VOCABULARY[Math.floor(random() * VOCABULARY.length)],
  ).join(" ");
});
const wordsOf = (text: string): string[] => text.split(" ").filter((word) => word !== "");
const measured = (hypotheses: readonly string[], split = wordsOf): number =>
  corpus.reduce((total, text, i) => total + editDistance(split(text), split(hypotheses[i] ?? "")), 0) /
  corpus.reduce((total, text) => total + split(text).length, 0);

test.each([0, 0.01, 0.1, 0.3, 0.6, 1])("the measured rate is the target of %d", (wer) => {
  const result = simulateTranscriptErrors(corpus, { wer, seed: 2 });
  // Whole errors only: half a word of the set.
  expect(Math.abs(measured(result.transcripts) - wer)).toBeLessThanOrEqual(0.5 / result.words);
  expect(measured(result.transcripts)).toBeCloseTo(result.wer, 12);
  expect(simulateTranscriptErrors(corpus, { wer, seed: 2 })).toEqual(result);
});

test("no error changes nothing; another seed makes other errors; errors spread over the set", () => {
  expect(simulateTranscriptErrors(corpus, { wer: 0 }).transcripts).toEqual(corpus);
  const a = simulateTranscriptErrors(corpus, { wer: 0.2, seed: 1 }).transcripts;
  expect(a).not.toEqual(simulateTranscriptErrors(corpus, { wer: 0.2, seed: 2 }).transcripts);
  expect(a.filter((text, i) => text !== corpus[i]).length).toBeGreaterThan(40);
});

test("the mix is what is asked for", () => {
  const only = (mix: { substitution: number; deletion: number; insertion: number }): number[] =>
    simulateTranscriptErrors(corpus, { wer: 0.2, mix }).transcripts.map(
      (text, i) => wordsOf(text).length - wordsOf(corpus[i] ?? "").length,
    );
  expect(only({ substitution: 1, deletion: 0, insertion: 0 }).every((n) => n === 0)).toBe(true);
  expect(only({ substitution: 0, deletion: 1, insertion: 0 }).every((n) => n <= 0)).toBe(true);
  expect(only({ substitution: 0, deletion: 0, insertion: 1 }).every((n) => n >= 0)).toBe(true);
});

test("characters for languages without spaces", () => {
  const transcripts = ["说话人的情绪是什么", "请选择一个词回答"];
  const { transcripts: out, wer } = simulateTranscriptErrors(transcripts, { wer: 0.25, unit: "character" });
  expect(wer).toBeCloseTo(4 / 17, 12);
  expect(out.join("")).not.toContain(" ");
});

test("what cannot be done is refused", () => {
  expect(() => simulateTranscriptErrors(corpus, { wer: 1.5 })).toThrow("wer is 1.5; expected 0 to 1");
  expect(() => simulateTranscriptErrors(corpus, { wer: Number.NaN })).toThrow("wer is NaN");
  expect(() =>
    simulateTranscriptErrors(corpus, { wer: 0.1, mix: { substitution: 0, deletion: 0, insertion: 0 } }),
  ).toThrow("not all 0");
  expect(() =>
    simulateTranscriptErrors(["a a a"], { wer: 0.5, mix: { substitution: 1, deletion: 0, insertion: 0 } }),
  ).toThrow(/vocabulary of 1 words/);
  expect(simulateTranscriptErrors([], { wer: 0.5 })).toEqual({ transcripts: [], wer: 0, errors: 0, words: 0 });
  expect(simulateTranscriptErrors(["", " "], { wer: 0.5 })).toMatchObject({ transcripts: ["", " "], wer: 0 });
});
