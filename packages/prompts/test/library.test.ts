import { describe, expect, test } from "vitest";
import {
  answersOf,
  drawPrompt,
  labelLexicon,
  labelOrders,
  labelWords,
  loadTokenizer,
  promptHash,
  promptLibrary,
  PROMPT_TASKS,
  renderPrompt,
  type SlotValues,
} from "../src/index.ts";
import { FAMILIES, fixture } from "./families.ts";

const library = await promptLibrary();
const lexicon = await labelLexicon();
/** The label sets of the corpora's schemes. */
const SCHEMES = [
  ["angry", "happy", "sad", "neutral"],
  ["angry", "happy", "sad", "neutral", "excited", "frustrated"],
  ["angry", "happy", "sad", "neutral", "excited", "frustrated", "fearful", "surprised", "disgusted", "other"],
  ["neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"],
  ["negative", "neutral", "positive"],
  ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgusted", "surprised"],
  ["angry", "happy", "sad", "neutral", "surprised", "fearful", "disgusted", "contemptuous"],
  ["angry", "bored", "disgusted", "fearful", "happy", "sad", "neutral"],
];
const LANGUAGES = ["en", "fr", "de", "es", "it", "pt", "zh", "ja"];

describe("the library", () => {
  test("at least twelve English prompts for each task, and each task in every language", async () => {
    for (const task of PROMPT_TASKS) {
      expect((await promptLibrary({ task, language: "en" })).length).toBeGreaterThanOrEqual(12);
      for (const language of LANGUAGES)
        expect((await promptLibrary({ task, language: `${language}-XX` })).length).toBeGreaterThanOrEqual(2);
    }
  });

  test("no two prompts are the same", () => {
    expect(new Set(library.map((prompt) => prompt.name)).size).toBe(library.length);
    expect(new Set(library.map(promptHash)).size).toBe(library.length);
  });

  test.each(FAMILIES)("prompts render for %s, whichever slots are filled", async (family) => {
    const tokenizer = await loadTokenizer(fixture(family));
    const full: SlotValues = {
      transcript: "TRANSCRIPT",
      voice: "VOICE",
      context: [{ speaker: "A", text: "CONTEXT" }],
      labels: [{ word: "angry", definition: "DEFINITION" }, "sad"],
      examples: [{ transcript: "EXAMPLE", answer: "sad" }],
    };
    const values = ["TRANSCRIPT", "VOICE", "CONTEXT", "angry", "EXAMPLE"];
    // Every prompt for one family, each third for the others.
    const share = library.filter((_, i) => family === "llama3" || i % 3 === FAMILIES.indexOf(family) % 3);
    for (const prompt of share) {
      const all = renderPrompt(prompt, full, tokenizer);
      expect(all.missing).toEqual([]);
      // What is left out does not depend on the family.
      const slots = ["labels", "transcript", "voice", "context", "examples"] as const;
      for (const only of family === "llama3" ? slots : slots.slice(0, 1)) {
        const { text, audioAt } = renderPrompt(prompt, { [only]: full[only] }, tokenizer);
        expect(audioAt, prompt.name).not.toBeNull();
        for (const value of values) if (text.includes(value)) expect(all.text).toContain(value);
        expect(text).not.toMatch(/["'“„«「]\s*["'”“»」]|\(\s*\)|:\s*\.|[{}]/u);
      }
      // Without audio there is nothing to transcribe or describe; an emotion can still be read from the words.
      if (prompt.task !== "emotion" && prompt.task !== "context") continue;
      const silent = renderPrompt(prompt, { ...full, audio: false }, tokenizer);
      expect(silent.audioAt).toBeNull();
    }
  });

  test("a filter that leaves nothing says what there is", async () => {
    await expect(promptLibrary({ task: "emotion", name: "no-such" })).rejects.toThrow(/emotion-plain, /);
  });
});

describe("label words", () => {
  test.each(LANGUAGES)(
    "%s: every label of every scheme has a word of its own, synonyms shared with none",
    (language) => {
      for (const labels of SCHEMES)
        for (const form of ["adjective", "noun"] as const) {
          const words = labelWords(labels, lexicon, { language, form });
          expect(words.map((word) => word.label)).toEqual(labels);
          const all = words.flatMap((word) => [word.word, ...word.synonyms]);
          expect(new Set(all).size).toBe(all.length);
          for (const word of words) expect(word.synonyms.length, `${language} ${word.label}`).toBeGreaterThan(0);
        }
    },
  );

  test("a scheme's own names come first in English", () => {
    for (const labels of SCHEMES) expect(labelWords(labels, lexicon).map((word) => word.word)).toEqual(labels);
    expect(labelWords(["joy", "anger"], lexicon, { form: "adjective" }).map((l) => l.word)).toEqual(["happy", "angry"]);
    expect(
      labelWords(["happy", "odd"], lexicon, { language: "fr", form: "noun", variant: 1 }).map((l) => l.word),
    ).toEqual(["bonheur", "odd"]);
  });

  test("an unknown language, or a label twice, is refused", () => {
    expect(() => labelWords(["sad"], lexicon, { language: "tlh" })).toThrow(
      /no label words in 'tlh'; there are en, fr/,
    );
    expect(() => labelWords(["sad", "sad"], lexicon)).toThrow(/'sad' stands twice/);
  });

  test("orders are permutations, all different, the given one first, the same for a seed", () => {
    const labels = ["a", "b", "c", "d"];
    const orders = labelOrders(labels, 10, 3);
    expect(orders).toHaveLength(10);
    expect(orders[0]).toEqual(labels);
    expect(new Set(orders.map((order) => order.join())).size).toBe(10);
    for (const order of orders) expect([...order].sort()).toEqual(labels);
    expect(labelOrders(labels, 10, 3)).toEqual(orders);
    expect(labelOrders(labels, 10, 4)).not.toEqual(orders);
    expect(labelOrders(labels, 100)).toHaveLength(24);
    expect(labelOrders(["a", "b"], 1)).toEqual([["a", "b"]]);
    expect(labelOrders(labels, 0)).toEqual([]);
  });
});

describe("draws", () => {
  const prompts = library.filter((prompt) => prompt.task === "emotion" && prompt.language === "en");
  const labels = labelWords(["angry", "happy", "sad", "neutral"], lexicon);

  test("depend on seed and key alone", () => {
    const draw = (seed: number, key: string) => drawPrompt(prompts, labels, seed, key, { synonyms: true });
    expect(draw(1, "0:a")).toEqual(draw(1, "0:a"));
    const draws = Array.from({ length: 40 }, (_, i) => JSON.stringify(draw(1, `${i}`)));
    expect(new Set(draws).size).toBeGreaterThan(35);
    expect(draws).not.toEqual(Array.from({ length: 40 }, (_, i) => JSON.stringify(draw(2, `${i}`))));
  });

  test("are uniform over prompts and first labels", () => {
    const n = 6000;
    const count = new Map<string, number>();
    for (let i = 0; i < n; i++) {
      const { prompt, labels: order } = drawPrompt(prompts, labels, 7, i);
      for (const key of [prompt.name, order[0]?.label ?? ""]) count.set(key, (count.get(key) ?? 0) + 1);
    }
    // Five standard deviations of a binomial count.
    const near = (key: string, p: number): void =>
      expect(Math.abs((count.get(key) ?? 0) - n * p)).toBeLessThan(5 * Math.sqrt(n * p * (1 - p)));
    for (const prompt of prompts) near(prompt.name, 1 / prompts.length);
    for (const label of labels) near(label.label, 1 / labels.length);
  });

  test("answers follow the style of the prompt", () => {
    const find = (name: string) =>
      prompts.filter((prompt) => prompt.name === name).map((prompt) => answersOf(prompt, labels))[0];
    expect(find("emotion-plain")).toEqual(["angry", "happy", "sad", "neutral"]);
    expect(find("emotion-lettered")).toEqual(["A", "B", "C", "D"]);
    expect(find("emotion-numbered")).toEqual(["1", "2", "3", "4"]);
  });
});
