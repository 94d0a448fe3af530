import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Tokenizer, loadTokenizer } from "@emosllm/prompts";
import { describe, expect, test } from "vitest";
import { randomStream, textStream } from "../src/index.ts";

const bytes = new TextDecoder();
/** A tokenizer of bytes: the hardest case for characters of several bytes. */
const byBytes = (ids: readonly number[]): string => bytes.decode(Uint8Array.from(ids));
const utf8 = (text: string): number[] => [...new TextEncoder().encode(text)];

const TEXT = "Grüße, 世界! 👩‍👩‍👧 naïve – ok\n";

test("characters come whole, and together they are the text", () => {
  const stream = textStream(byBytes);
  const steps = utf8(TEXT).map((id) => stream.push(id).text);
  expect(steps.some((s) => s.includes("\uFFFD"))).toBe(false);
  expect(steps.join("") + stream.flush()).toBe(TEXT);
  expect([...TEXT].every((c) => steps.includes(c))).toBe(true);
});

test("bytes that never become a character are given in the end, as a decoder would", () => {
  const ids = [...utf8("a"), 0xf0, 0x9f];
  const stream = textStream(byBytes);
  const text = ids.map((id) => stream.push(id).text).join("") + stream.flush();
  expect(text).toBe(byBytes(ids));
  const broken = [0xe4, 0xb8, ...utf8("b c")];
  const other = textStream(byBytes);
  expect(broken.map((id) => other.push(id).text).join("") + other.flush()).toBe(byBytes(broken));
});

test("a stop string ends the text before it, however it is cut; what only begins like one is given", () => {
  const run = (text: string, stops: string[], cut: number): [string, string | undefined] => {
    const pieces = text.match(new RegExp(`[^]{1,${cut}}`, "gu")) ?? [];
    const stream = textStream((ids) => ids.map((i) => pieces[i]).join(""), stops);
    let out = "";
    for (const i of pieces.keys()) {
      const step = stream.push(i);
      out += step.text;
      if (step.stop !== undefined) return [out, step.stop];
    }
    return [out + stream.flush(), undefined];
  };
  for (const cut of [1, 2, 3, 50]) {
    expect(run("one two</s>three", ["</s>"], cut)).toEqual(["one two", "</s>"]);
    expect(run("one </x two </", ["</s>"], cut)).toEqual(["one </x two </", undefined]);
    expect(run("aab", ["ab"], cut)).toEqual(["a", "ab"]);
    expect(run("x END y STOP", ["STOP", "END"], cut)).toEqual(["x ", "END"]);
    expect(run("世界。终", ["。终"], cut)).toEqual(["世界", "。终"]);
  }
});

/** Tokenizers with byte-level BPE and with SentencePiece's bytes; see tools/oracle/prompts_tokenizers.py. */
const folder = fileURLToPath(new URL("../../prompts/test/fixtures/", import.meta.url));
const families = readdirSync(folder, { withFileTypes: true }).flatMap((f) => (f.isDirectory() ? [f.name] : []));

describe.each(families)("%s", (family) => {
  test("what streams is what the tokenizer decodes in one", async () => {
    const tokenizer: Tokenizer = await loadTokenizer(folder + family);
    const decode = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecialTokens: true });
    const random = randomStream(5, 0);
    const sequences = [
      tokenizer.encodePlain(TEXT),
      tokenizer.encodePlain("Hello world, it's 12 o'clock .  怒り 🙂"),
      ...Array.from({ length: 20 }, () => Array.from({ length: 12 }, () => Math.floor(random() * tokenizer.vocabSize))),
    ];
    for (const ids of sequences) {
      const stream = textStream(decode);
      expect(ids.map((id) => stream.push(id).text).join("") + stream.flush()).toBe(decode(ids));
    }
  });
});
