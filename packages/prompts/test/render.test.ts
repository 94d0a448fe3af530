/** Oracle: tools/oracle/prompts_tokenizers.py (apply_chat_template with the audio as a special token). Ids: equality, no tolerance. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { definePrompt, loadTokenizer, renderPrompt, type PromptMessage } from "../src/index.ts";
import { FAMILIES, fixture } from "./families.ts";

interface PromptCase {
  messages: PromptMessage[];
  values: { transcript: string; voice: string };
  before: number[];
  after: number[];
}

const question = definePrompt({
  name: "question",
  messages: [
    { role: "system", content: "Setting: {context}. You hear emotion." },
    { role: "user", content: '{audio}\nThe words are "{transcript}". Voice: {voice}.\n\nAnswer with one of: {labels}' },
  ],
});
const labels = ["angry", "sad"];

/** Every family's control tokens, template syntax, and the marks that this package itself uses. */
const HOSTILE =
  `<s> </s> <unk> <pad> <bos> <eos> [INST] [/INST] [TOOL_CALLS] <start_of_turn> <end_of_turn> <|im_start|> <|im_end|>
<|endoftext|> <think> </think> <tool_call> <|begin_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|> <|python_tag|> <|user|>
<|assistant|> <|system|> <|end|> <|vision_start|> <|reserved_special_token_0|> <|fim_prefix|> <|end_of_text|> <0x0A> <0xF0> <h1> ▁ ▁▁ Ġ Ċ
{{bos_token}} {%endfor%} {#x#} {audio} {transcript} /no_think system \uE0F10\uE0F2 \uE0F11\uE0F2 \uE0F0 \uD800 \u{F0000} \u0000 e\u0301 𝄞`
    .split(/[ \n]/)
    .concat(" ", "\r\n\n");

describe.each(FAMILIES)("%s", (family) => {
  const { prompt: cases } = JSON.parse(readFileSync(fixture(family, "cases.json"), "utf8")) as { prompt: PromptCase[] };
  const loaded = loadTokenizer(fixture(family));

  test("ids on both sides of the audio", async () => {
    const tokenizer = await loaded;
    for (const { messages, values, before, after } of cases) {
      const prompt = definePrompt({ name: "case", messages });
      const rendered = renderPrompt(prompt, values, tokenizer);
      expect(rendered, JSON.stringify({ messages, values })).toMatchObject({ before, after, audioAt: before.length });
    }
  });

  test("slot content cannot inject: it brings no control token and stays the text it was", async () => {
    const tokenizer = await loaded;
    const control = new Set(tokenizer.controlTokens.values());
    const controlsOf = (ids: readonly number[]): number[] => ids.filter((id) => control.has(id));
    const benign = renderPrompt(question, { transcript: "x", voice: "x", context: "x", labels: ["x"] }, tokenizer);
    const hostile = fc
      .array(
        fc.oneof(
          fc.constantFrom(...HOSTILE, ...tokenizer.controlTokens.keys()),
          fc.string({ unit: "binary", maxLength: 3 }),
        ),
        { minLength: 1, maxLength: 8 },
      )
      .map((parts) => parts.join(""))
      .filter((text) => text.replace(/[\p{White_Space}\p{Cc}]/gu, "") !== "");
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, (transcript, voice, context, label) => {
        const rendered = renderPrompt(question, { transcript, voice, context, labels: [label] }, tokenizer);
        expect(controlsOf(rendered.before)).toEqual(controlsOf(benign.before));
        expect(controlsOf(rendered.after)).toEqual(controlsOf(benign.after));
        // NFC is the tokenizer's own normaliser; white space next to stripping tokens goes, as it does in Python.
        const squash = (text: string): string => text.normalize("NFC").replace(/[\p{White_Space}▁]/gu, "");
        const said = squash(transcript.replace(/\p{Surrogate}/gu, "\uFFFD").replace(/\p{Cc}/gu, " "));
        expect(squash(tokenizer.decode(rendered.after))).toContain(said);
        for (const id of tokenizer.encodePlain(transcript)) expect(control.has(id)).toBe(false);
      }),
      { numRuns: 60, seed: 8 },
    );
  });

  test("missing slots leave with their sentence", async () => {
    const tokenizer = await loaded;
    const text = (values: Parameters<typeof renderPrompt>[1]): string => renderPrompt(question, values, tokenizer).text;
    expect(text({ transcript: "hi", labels })).toContain(
      '<audio>\nThe words are "hi".\n\nAnswer with one of: angry, sad',
    );
    expect(text({ voice: "loud", labels })).toContain("<audio>\nVoice: loud.\n\nAnswer with one of: angry, sad");
    expect(text({ labels })).toContain("<audio>\n\nAnswer with one of: angry, sad");
    expect(text({ labels })).toContain("You hear emotion.");
    expect(text({ labels })).not.toContain("Setting");
    const silent = renderPrompt(question, { audio: false, transcript: " \n", labels }, tokenizer);
    expect(silent).toMatchObject({ audioAt: null, after: [], missing: ["audio", "transcript", "voice", "context"] });
    expect(silent.text).not.toContain("<audio>");
  });

  test("an answer continues the prompt: its ids are those of the whole text", async () => {
    const tokenizer = await loaded;
    for (const answer of ["angry", "A", "怒り", "a neutral voice"]) {
      const messages = [
        { role: "user", content: "x" },
        { role: "assistant", content: answer },
      ] as const;
      const whole = tokenizer.encodeChat(messages, { addGenerationPrompt: false });
      const open = tokenizer.encodeChat(messages.slice(0, 1));
      const expected = [...open, ...tokenizer.encodeAnswer(answer), tokenizer.endOfTurn];
      expect(whole.slice(0, expected.length)).toEqual(expected);
    }
    for (const token of tokenizer.controlTokens.keys())
      expect(tokenizer.encodeAnswer(token)).not.toContain(tokenizer.idOf(token));
  });
});
