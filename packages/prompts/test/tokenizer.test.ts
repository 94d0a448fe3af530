/** Oracle: tools/oracle/prompts_tokenizers.py (Python's tokenizers and transformers). Ids are whole numbers: equality, no tolerance. */
import { readFileSync } from "node:fs";
import { expect, test, describe } from "vitest";
import { loadTokenizer } from "../src/index.ts";
import { FAMILIES, fixture } from "./families.ts";

interface EncodeCase {
  text: string;
  ids: number[];
  special: number[];
  plain: number[];
  decoded: string;
  skipped: string;
}
interface ChatCase {
  messages: { role: "system" | "user" | "assistant"; content: string }[];
  add_generation_prompt: boolean;
  enable_thinking: boolean;
  text?: string;
  ids?: number[];
  error?: string;
}

describe.each(FAMILIES)("%s", (family) => {
  const { encode, chat } = JSON.parse(readFileSync(fixture(family, "cases.json"), "utf8")) as {
    encode: EncodeCase[];
    chat: ChatCase[];
  };
  const loaded = loadTokenizer(fixture(family));

  test("ids of text, with and without special tokens, and as plain text", async () => {
    const tokenizer = await loaded;
    for (const { text, ids, special, plain } of encode) {
      expect(tokenizer.encode(text, { addSpecialTokens: false }), JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(special);
      expect(tokenizer.encodePlain(text), JSON.stringify(text)).toEqual(plain);
    }
  });

  test("text of ids, with and without special tokens", async () => {
    const tokenizer = await loaded;
    for (const { text, ids, decoded, skipped } of encode) {
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true }), JSON.stringify(text)).toBe(skipped);
    }
  });

  test("conversations as apply_chat_template renders and encodes them", async () => {
    const tokenizer = await loaded;
    for (const { messages, add_generation_prompt, enable_thinking, text, ids, error } of chat) {
      const options = { addGenerationPrompt: add_generation_prompt, variables: { enable_thinking } };
      if (error === undefined) {
        expect(tokenizer.renderChat(messages, options)).toBe(text);
        expect(tokenizer.encodeChat(messages, options)).toEqual(ids);
      } else if (tokenizer.acceptsSystem || messages[0]?.role !== "system") {
        expect(() => tokenizer.renderChat(messages, options)).toThrow(error);
      } else {
        const [system, user, ...rest] = messages;
        const folded = [{ role: "user" as const, content: `${system?.content}\n\n${user?.content}` }, ...rest];
        expect(tokenizer.renderChat(messages, options)).toBe(tokenizer.renderChat(folded, options));
      }
    }
  });
});
