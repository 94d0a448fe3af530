import { fileURLToPath } from "node:url";
import { loadTokenizer, type Tokenizer } from "@emosllm/prompts";
import { beforeAll, expect, test } from "vitest";
import { RECIPE, trainingExamples, type TrainingExample } from "../src/index.ts";
import { MOODS } from "../src/voices.ts";

let tokenizer: Tokenizer;
async function take(seed: number, n: number): Promise<TrainingExample[]> {
  const out: TrainingExample[] = [];
  for (const example of await trainingExamples(seed, tokenizer)) if (out.push(example) === n) break;
  return out;
}
const answerOf = ({ ids, lossMask }: TrainingExample): string => tokenizer.decode(ids.filter((_, i) => lossMask?.[i]));

let examples: TrainingExample[];
beforeAll(async () => {
  tokenizer = await loadTokenizer(fileURLToPath(new URL("../model/", import.meta.url)));
  examples = await take(5, 600);
});

test("the same seed gives the same examples, another seed others", async () => {
  expect(await take(5, 50)).toEqual(examples.slice(0, 50));
  expect(await take(6, 50)).not.toEqual(examples.slice(0, 50));
});

test("every example begins a text, fits, and ends what it says", () => {
  for (const { ids, lossMask } of examples) {
    expect(ids[0]).toBe(tokenizer.idOf("<|begin_of_text|>"));
    expect(ids.length).toBeLessThanOrEqual(RECIPE.maxTokens);
    const ends = lossMask === undefined ? tokenizer.idOf("<|end_of_text|>") : tokenizer.endOfTurn;
    expect(ids.at(-1)).toBe(ends);
    expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < tokenizer.vocabSize)).toBe(true);
    if (lossMask === undefined) continue;
    expect(lossMask.length).toBe(ids.length);
    // Targets are one run at the end: the answer and its end of turn.
    const first = lossMask.indexOf(true);
    expect(first).toBeGreaterThan(5);
    expect(lossMask.slice(first).every(Boolean)).toBe(true);
  }
});

test("all kinds occur: reading, moods, copies, answers", () => {
  const chats = examples.filter((e) => e.lossMask !== undefined);
  expect(examples.length - chats.length).toBeGreaterThan(15);
  const answers = chats.map((e) => answerOf(e).replace("<|eot_id|>", ""));
  const moods = answers.filter((answer) => MOODS.includes(answer));
  for (const mood of ["angry", "happy", "neutral", "sad"])
    expect(moods.filter((m) => m === mood).length).toBeGreaterThan(20);
  const copies = chats.filter((e, i) => {
    const prompt = tokenizer.decode(e.ids.filter((_, k) => !e.lossMask![k]));
    return (answers[i]?.length ?? 0) > 12 && prompt.includes(answers[i] ?? "");
  });
  expect(copies.length).toBeGreaterThan(60);
});

test("labels are told by the voice, not by the words that are said", async () => {
  // How often each answer goes with a word that transcripts contain; were words a hint, one answer would stand out.
  const four = ["angry", "happy", "neutral", "sad"];
  const words = ["the ", "to ", "a ", "and ", "is "];
  const counts = words.map(() => four.map(() => 0));
  const total = four.map(() => 0);
  for (const e of await take(7, 2500)) {
    const answer = four.indexOf(answerOf(e).replace("<|eot_id|>", ""));
    if (answer < 0) continue;
    const prompt = tokenizer.decode(e.ids.filter((_, k) => !e.lossMask![k]));
    const said = /(?:ranscript|ords|said|says)[^"]*"([^"]*)"/.exec(prompt)?.[1];
    if (said === undefined) continue;
    total[answer]!++;
    for (const [w, word] of words.entries()) if (`${said} `.includes(word)) counts[w]![answer]!++;
  }
  for (const [w, row] of counts.entries()) {
    const share = row.reduce((sum, n) => sum + n, 0) / total.reduce((sum, n) => sum + n, 0);
    for (const [a, n] of row.entries()) {
      // Four standard deviations of a binomial: a chance finding once in some thousand seeds, and the seed is fixed.
      const expected = share * total[a]!;
      expect(Math.abs(n - expected), `${words[w]} ${four[a]}`).toBeLessThan(4 * Math.sqrt(expected * (1 - share)) + 1);
      expect(expected).toBeGreaterThan(3);
    }
  }
});
