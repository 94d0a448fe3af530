/** @file Reading `tokenizer.json` and `tokenizer_config.json`: what is needed of them, checked, with errors that name the key. */
import { EmosllmError } from "@emosllm/interfaces";
import type { AddedToken } from "./sections.ts";

export type Json = Readonly<Record<string, unknown>>;
/** Makes an error of the file at hand. */
export type Invalid = (problem: string) => EmosllmError;

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** White space, also as SentencePiece writes it. */
export const isSpace = (token: AddedToken): boolean => /^[\p{White_Space}▁]+$/u.test(token.content);

export function readAddedTokens(value: unknown, invalid: Invalid): AddedToken[] {
  if (!Array.isArray(value)) throw invalid("added_tokens must be a list");
  return value.map((entry: unknown, i) => {
    if (!isObject(entry)) throw invalid(`added_tokens[${i}] is not an object`);
    const { id, content } = entry;
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0)
      throw invalid(`added_tokens[${i}].id is ${JSON.stringify(id)}; expected a whole number from 0`);
    if (typeof content !== "string" || content === "")
      throw invalid(`added_tokens[${i}].content is ${JSON.stringify(content)}; expected text`);
    const flag = (name: string): boolean => entry[name] === true;
    return {
      id,
      content,
      special: flag("special"),
      normalized: flag("normalized"),
      lstrip: flag("lstrip"),
      rstrip: flag("rstrip"),
      single_word: flag("single_word"),
    };
  });
}

/** The BPE model of `tokenizer.json`, without merges that would build a control token out of plain text. */
export function readModel(tokenizer: Json, control: ReadonlySet<string>, invalid: Invalid): Json {
  const { model } = tokenizer;
  if (!isObject(model)) throw invalid("has no model");
  const { type, vocab, merges } = model;
  if (type !== "BPE" && !(type === undefined && Array.isArray(merges)))
    throw new EmosllmError(
      "model_unsupported",
      `${invalid("").message}model.type is ${JSON.stringify(type)}; language models here use "BPE"`,
    );
  if (!isObject(vocab)) throw invalid("model.vocab is not an object of token: id");
  if (!Array.isArray(merges)) throw invalid("model.merges is not a list");
  const bad = Object.entries(vocab).find(([, id]) => !Number.isInteger(id) || (id as number) < 0);
  if (bad !== undefined)
    throw invalid(
      `model.vocab[${JSON.stringify(bad[0])}] is ${JSON.stringify(bad[1])}; expected a whole number from 0`,
    );
  const result = (merge: unknown): string =>
    typeof merge === "string" ? merge.replace(" ", "") : Array.isArray(merge) ? merge.join("") : "";
  return { ...model, type: "BPE", merges: merges.filter((merge) => !control.has(result(merge))) };
}

/** Every `*_token` of `tokenizer_config.json`, whether written as text or as an added token. */
export function readSpecialTokens(config: Json): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const [name, value] of Object.entries(config)) {
    if (!/^[a-z]+_token$/.test(name)) continue;
    const content = isObject(value) ? value["content"] : value;
    if (typeof content === "string") tokens[name] = content;
  }
  return tokens;
}

/** `chat_template` of `tokenizer_config.json`: text, or the one called `default` of a list of named ones. */
export function readChatTemplate(config: Json, invalid: Invalid): string | undefined {
  const value = config["chat_template"];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  const named: unknown[] = Array.isArray(value) ? value : [];
  const chosen = named.find((entry) => isObject(entry) && entry["name"] === "default") ?? named[0];
  const template = isObject(chosen) ? chosen["template"] : undefined;
  if (typeof template !== "string") throw invalid("chat_template is neither text nor a list of { name, template }");
  return template;
}
