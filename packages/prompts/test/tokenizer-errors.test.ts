import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { createTokenizer, loadTokenizer, type TokenizerFiles } from "../src/index.ts";
import { fixture } from "./families.ts";

const folder = mkdtempSync(join(tmpdir(), "emosllm-tokenizer-"));
afterAll(() => rmSync(folder, { recursive: true }));

const read = (family: string): { tokenizer: Record<string, unknown>; config: Record<string, unknown> } => ({
  tokenizer: JSON.parse(readFileSync(fixture(family, "tokenizer.json"), "utf8")) as Record<string, unknown>,
  config: JSON.parse(readFileSync(fixture(family, "tokenizer_config.json"), "utf8")) as Record<string, unknown>,
});
const { tokenizer, config } = read("qwen2");
const model = tokenizer["model"] as Record<string, unknown>;
const refusal = (files: Partial<TokenizerFiles>): string => {
  try {
    createTokenizer({ tokenizer, config, folder: "m", ...files });
  } catch (error) {
    expect(error).toBeInstanceOf(EmosllmError);
    return `${(error as EmosllmError).code}: ${(error as EmosllmError).message}`;
  }
  return "none";
};

test("files that are missing or are not JSON", async () => {
  await expect(loadTokenizer(join(folder, "none"))).rejects.toMatchObject({ code: "checkpoint_not_found" });
  writeFileSync(join(folder, "tokenizer.json"), "{");
  await expect(loadTokenizer(folder)).rejects.toThrow(/tokenizer_config.json does not exist/);
  writeFileSync(join(folder, "tokenizer_config.json"), "{}");
  await expect(loadTokenizer(folder)).rejects.toThrow(/tokenizer.json is not JSON/);
});

test.each<[Partial<TokenizerFiles>, string]>([
  [{ tokenizer: [] }, "checkpoint_invalid: m/tokenizer.json: is not a JSON object"],
  [{ config: null }, "checkpoint_invalid: m/tokenizer_config.json: is not a JSON object"],
  [{ tokenizer: { added_tokens: [] } }, "checkpoint_invalid: m/tokenizer.json: has no model"],
  [
    { tokenizer: { ...tokenizer, model: { type: "Unigram", vocab: [] } } },
    'model_unsupported: m/tokenizer.json: model.type is "Unigram"',
  ],
  [
    { tokenizer: { ...tokenizer, model: { ...model, merges: 3 } } },
    "checkpoint_invalid: m/tokenizer.json: model.merges is not a list",
  ],
  [
    { tokenizer: { ...tokenizer, model: { ...model, vocab: { a: -1 } } } },
    'checkpoint_invalid: m/tokenizer.json: model.vocab["a"] is -1',
  ],
  [
    { tokenizer: { ...tokenizer, added_tokens: [{ id: 1.5, content: "x" }] } },
    "checkpoint_invalid: m/tokenizer.json: added_tokens[0].id is 1.5",
  ],
  [
    { tokenizer: { ...tokenizer, normalizer: { type: "Odd" } } },
    "checkpoint_invalid: m/tokenizer.json: Unknown Normalizer type: Odd",
  ],
  [{ config: {} }, "checkpoint_invalid: m/tokenizer_config.json: names no eos_token"],
  [{ chatTemplate: "{% for %}" }, "checkpoint_invalid: m: the chat template is not valid Jinja"],
  [
    { config: { ...config, chat_template: 3 } },
    "checkpoint_invalid: m/tokenizer_config.json: chat_template is neither",
  ],
])("%# is refused in place", (files, message) => {
  expect(refusal(files)).toContain(message);
});

test("a tokenizer without a chat template encodes, and says so when asked to chat", () => {
  const { chat_template: _, ...rest } = config;
  const plain = createTokenizer({ tokenizer, config: rest, folder: "m" });
  expect(plain.encode("angry").length).toBeGreaterThan(0);
  expect(() => plain.renderChat([{ role: "user", content: "x" }])).toThrow(/m has no chat template/);
  expect(plain.endOfTurn).toBe(plain.idOf("<|im_end|>"));
});

test("a damaged tokenizer.json is refused, or works: no other error, no hang", () => {
  const text = JSON.stringify({
    ...tokenizer,
    model: { ...model, merges: (model["merges"] as unknown[]).slice(0, 20) },
  });
  let refused = 0;
  const damage = fc.record({
    at: fc.nat(text.length - 1),
    drop: fc.nat(30),
    add: fc.constantFrom("", "null", "-1", "[]", "{}", '"x"', "1e999", "true"),
  });
  fc.assert(
    fc.property(damage, ({ at, drop, add }) => {
      let parsed: unknown;
      try {
        // Damage that JSON survives; the rest is one error, tested above.
        const start = at + (/[:,[]/.exec(text.slice(at))?.index ?? 0) + 1;
        parsed = JSON.parse(
          text.slice(0, start) +
            add +
            text.slice(start + (add === "" ? drop : (/[,}\]]/.exec(text.slice(start))?.index ?? 0))),
        );
      } catch {
        return;
      }
      try {
        createTokenizer({ tokenizer: parsed, config }).encode("it's angry 🙂 <|im_end|>");
      } catch (error) {
        expect(error).toBeInstanceOf(EmosllmError);
        refused++;
      }
    }),
    { numRuns: Number(process.env["EMOSLLM_FULL"] ?? 0) > 0 ? 20_000 : 1500, seed: 3 },
  );
  expect(refused).toBeGreaterThan(10);
});

test("text cannot reach a control token through merges, or as a word of the vocabulary", () => {
  const vocab = Object.fromEntries(
    ["<", "e", "n", "d", ">", "<e", "nd", "nd>", "<end>", " "].map((token, id) => [token, id]),
  );
  const merges = ["< e", "n d", "nd >", "<e nd>"];
  const make = (ignore_merges: boolean) =>
    createTokenizer({
      tokenizer: {
        model: { type: "BPE", vocab, merges, ignore_merges },
        added_tokens: [{ id: 8, content: "<end>", special: true, normalized: false }],
      },
      config: { eos_token: "<end>" },
    });
  for (const ignore of [false, true]) {
    const made = make(ignore);
    expect(made.encode("<end>")).toEqual([8]);
    expect(made.encodePlain("<end>")).toEqual([5, 7]);
    expect(made.decode([5, 7, 8])).toContain("<end>");
  }
});
