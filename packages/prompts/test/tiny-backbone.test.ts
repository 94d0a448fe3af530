/** The repository's own backbone (tools/tiny-backbone): every curated prompt fits it, and its answers can be told apart. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  answersOf,
  labelLexicon,
  labelWords,
  loadTokenizer,
  promptLibrary,
  renderPrompt,
  sharedFirstTokens,
} from "../src/index.ts";

const tokenizer = await loadTokenizer(fileURLToPath(new URL("../../../tools/tiny-backbone/model", import.meta.url)));
const lexicon = await labelLexicon();

test("English prompts decode to what they say, around the audio", async () => {
  const labels = labelWords(["angry", "happy", "sad", "neutral"], lexicon);
  for (const prompt of await promptLibrary({ language: "en" })) {
    const values = {
      transcript: "it's <|eot_id|> fine",
      voice: "loud, with a high pitch",
      context: [{ text: "no" }],
      labels,
    };
    const { before, after, text } = renderPrompt(prompt, values, tokenizer);
    expect(`${tokenizer.decode(before)}<audio>${tokenizer.decode(after)}`).toBe(text);
    // Said, not acted on: only the turns themselves end.
    expect([...before, ...after].filter((id) => id === tokenizer.endOfTurn)).toHaveLength(prompt.messages.length);
  }
});

test("answers differ in their first token, and come back as they were", async () => {
  for (const scheme of [
    ["angry", "happy", "sad", "neutral"],
    ["angry", "happy", "sad", "neutral", "excited", "frustrated"],
  ]) {
    const labels = labelWords(scheme, lexicon);
    for (const prompt of await promptLibrary({ task: "emotion", language: "en" })) {
      const answers = answersOf(prompt, labels);
      const ids = answers.map((answer) => tokenizer.encodeAnswer(answer));
      expect(sharedFirstTokens(ids), prompt.name).toEqual([]);
      expect(ids.map((answer) => tokenizer.decode(answer))).toEqual(answers);
    }
  }
});
