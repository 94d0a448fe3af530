import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Template } from "@huggingface/jinja";
import { Tokenizer as Hub } from "@huggingface/tokenizers";
import { loadTokenizer, type ChatMessage } from "@emosllm/prompts";
import { beforeAll, expect, test } from "vitest";
import {
  CONFIG,
  CONTROL_TOKENS,
  RECIPE,
  tokenizerConfig,
  tokenizerJson,
  trainBpe,
  vocabularyText,
  VOCABULARY_SIZE,
  wholeWords,
} from "../src/index.ts";

const folder = fileURLToPath(new URL("../model/", import.meta.url));
const json = (name: string): unknown => JSON.parse(readFileSync(folder + name, "utf8"));
// Made by transformers and tokenizers in Python: tools/oracle/tiny_backbone.py.
const oracle = JSON.parse(readFileSync(new URL("fixtures/tokenizer.json", import.meta.url), "utf8")) as {
  parameters: number;
  texts: { text: string; ids: number[] }[];
  chats: { messages: ChatMessage[]; text: string; ids: number[] }[];
};
let tokenizer: Awaited<ReturnType<typeof loadTokenizer>>;
beforeAll(async () => {
  tokenizer = await loadTokenizer(folder);
});

test("the committed files are what the recipe makes today", async () => {
  const bpe = trainBpe(await vocabularyText(RECIPE.seed), VOCABULARY_SIZE - CONTROL_TOKENS.length, await wholeWords());
  expect(json("tokenizer.json")).toEqual(tokenizerJson(bpe));
  expect(json("tokenizer_config.json")).toEqual(tokenizerConfig());
  expect(json("config.json")).toEqual(CONFIG);
});

test("ids equal Python's, through our tokenizer and through the hub's own", () => {
  const hub = new Hub(json("tokenizer.json") as object, json("tokenizer_config.json") as object);
  for (const { text, ids } of oracle.texts) {
    expect(tokenizer.encode(text, { addSpecialTokens: false }), text).toEqual(ids);
    expect(tokenizer.encode(text), text).toEqual([0, ...ids]);
    expect(hub.encode(text, { add_special_tokens: false }).ids, text).toEqual(ids);
    expect(tokenizer.decode(ids), text).toBe(text);
  }
});

test("the chat template gives Python's text and ids", () => {
  const config = json("tokenizer_config.json") as { chat_template: string; bos_token: string };
  for (const { messages, text, ids } of oracle.chats) {
    expect(tokenizer.renderChat(messages)).toBe(text);
    expect(tokenizer.encodeChat(messages)).toEqual(ids);
    const template = new Template(config.chat_template);
    expect(template.render({ messages, bos_token: config.bos_token, add_generation_prompt: true })).toBe(text);
  }
});

test("label words are one token with a space and without", async () => {
  const words = await wholeWords();
  expect(words).toEqual(expect.arrayContaining(["angry", " angry", "happy", "neutral", " sad", " A"]));
  for (const word of words) expect(tokenizer.encodePlain(word).length, JSON.stringify(word)).toBe(1);
});

test("the configuration agrees with the tokenizer, and has 1 to 2 million parameters", () => {
  expect(tokenizer.vocabSize).toBe(CONFIG["vocab_size"]);
  expect(tokenizer.endOfTurn).toBe(CONFIG["eos_token_id"]);
  expect(tokenizer.idOf("<|pad|>")).toBe(CONFIG["pad_token_id"]);
  expect(oracle.parameters).toBeGreaterThan(1e6);
  expect(oracle.parameters).toBeLessThan(2e6);
});

test("merges are learned by frequency, ties by first appearance, and wanted words become whole", () => {
  // "ab" three times, "abc" twice: (a,b) 5, then (ab,c) 2. "zq" never occurs but is wanted.
  const { merges, tokens } = trainBpe(["ab", "ab", "ab", "abc", "abc"], 259, ["zq"]);
  expect(merges).toEqual([
    ["a", "b"],
    ["ab", "c"],
    ["z", "q"],
  ]);
  expect(tokens.length).toBe(259);
});
