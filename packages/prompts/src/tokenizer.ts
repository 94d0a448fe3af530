/**
 * @file A language model's tokenizer and chat template. Ids equal Python's `tokenizers` and `apply_chat_template`; text that
 * somebody said never becomes a control token.
 */
import { EmosllmError } from "@emosllm/interfaces";
import { Tokenizer as Hub } from "@huggingface/tokenizers";
import { probeAnswerFrame } from "./answers.ts";
import { compileChatTemplate, type ChatMessage, type ChatOptions, type ChatTemplate } from "./chat-template.ts";
import { compileEncoder, type EncodePieces, type HubTokenizer } from "./encoder.ts";
import type { AddedToken } from "./sections.ts";
import {
  isObject,
  isSpace,
  readAddedTokens,
  readChatTemplate,
  readModel,
  readSpecialTokens,
  type Json,
} from "./tokenizer-json.ts";

/** What {@link createTokenizer} needs: the parsed files of a model folder. */
export interface TokenizerFiles {
  /** `tokenizer.json` */
  readonly tokenizer: unknown;
  /** `tokenizer_config.json` */
  readonly config: unknown;
  /** `chat_template.jinja`, where the folder has one; else the one in `config` counts. */
  readonly chatTemplate?: string | undefined;
  /** Named in errors. */
  readonly folder?: string;
}

/** Text to ids and back, and conversations to ids. */
export interface Tokenizer {
  /** One more than the largest id. */
  readonly vocabSize: number;
  /** `bos_token`, `eos_token`, ... by their name in `tokenizer_config.json`. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** Every added token that is not white space, by content: those that untrusted text can never produce. */
  readonly controlTokens: ReadonlyMap<string, number>;
  /** The id that ends the assistant's turn (`<|eot_id|>`, `<|im_end|>`, ...): the last target of an answer in training. */
  readonly endOfTurn: number;
  /** Whether the chat template takes a system turn; where not, it is put before the first user turn's text. */
  readonly acceptsSystem: boolean;
  /** Ids of trusted text: control tokens in it are control tokens. `addSpecialTokens` (default `true`) as in Python. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[];
  /** Ids of text in which everything is text: no control token can come out. */
  encodePlain(text: string): number[];
  /** Ids of one text made of pieces that are trusted or not; no token border is forced between pieces. */
  readonly encodePieces: EncodePieces;
  /** Ids of an answer as it follows the template's generation prompt, without {@link Tokenizer.endOfTurn}. */
  encodeAnswer(answer: string): number[];
  decode(ids: readonly number[], options?: { readonly skipSpecialTokens?: boolean }): string;
  tokenOf(id: number): string | undefined;
  idOf(token: string): number | undefined;
  /** The conversation as text. Throws `prompt_invalid` where there is no template or it refuses. */
  renderChat(messages: readonly ChatMessage[], options?: ChatOptions): string;
  /** The conversation as ids, its content trusted: those of `apply_chat_template`. */
  encodeChat(messages: readonly ChatMessage[], options?: ChatOptions): number[];
}

/** Stands for a text while the post-processor puts special tokens around it. */
const MARKER = "\u{F0000}";

/**
 * Makes a tokenizer from the parsed files of a model folder; `loadTokenizer` reads them from disk.
 *
 * @throws EmosllmError `checkpoint_invalid` for a malformed file, `model_unsupported` for a model other than BPE.
 */
export function createTokenizer({ tokenizer, config, chatTemplate, folder = "tokenizer" }: TokenizerFiles): Tokenizer {
  const invalid = (problem: string, cause?: unknown): EmosllmError =>
    new EmosllmError("checkpoint_invalid", `${folder}/tokenizer.json: ${problem}`, { cause });
  const invalidConfig = (problem: string): EmosllmError =>
    new EmosllmError("checkpoint_invalid", `${folder}/tokenizer_config.json: ${problem}`);
  if (!isObject(tokenizer)) throw invalid("is not a JSON object");
  if (!isObject(config)) throw invalidConfig("is not a JSON object");
  const added = readAddedTokens(tokenizer["added_tokens"] ?? [], invalid);
  const controlTokens = new Map(added.filter((token) => !isSpace(token)).map((token) => [token.content, token.id]));
  const model = readModel(tokenizer, new Set(controlTokens.keys()), invalid);

  const stages = attempt(() => openStages(tokenizer, config, model, added, controlTokens), invalid);
  const { hub, encodePieces, idOf, head, tail } = stages;
  const { vocab } = hub.model;

  const specialTokens = readSpecialTokens(config);
  const source = chatTemplate ?? readChatTemplate(config, invalidConfig);
  const template: ChatTemplate =
    source === undefined
      ? () => {
          throw new EmosllmError(
            "prompt_invalid",
            `${folder} has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json): take an instruction-tuned model`,
          );
        }
      : compileChatTemplate(source, specialTokens, folder);
  const { opening, lead, closing, acceptsSystem } = probeAnswerFrame(template);
  const controlIds = new Set(controlTokens.values());
  const encodeTrusted = (text: string): number[] => encodePieces([{ text, trusted: true }]);
  const openingIds = encodeTrusted(opening);
  const eos = specialTokens["eos_token"];
  const endOfTurn = encodeTrusted(closing).find((id) => controlIds.has(id)) ?? (eos === undefined ? eos : idOf(eos));
  if (endOfTurn === undefined)
    throw invalidConfig("names no eos_token that is in the vocabulary, and no chat template ends a turn");
  const renderChat = (messages: readonly ChatMessage[], options: ChatOptions = {}): string =>
    template(acceptsSystem ? messages : foldSystem(messages), options);
  const decoding = { clean_up_tokenization_spaces: config["clean_up_tokenization_spaces"] === true };

  return {
    vocabSize: vocab.length,
    specialTokens,
    controlTokens,
    endOfTurn,
    acceptsSystem,
    encode: (text, { addSpecialTokens = true } = {}) =>
      addSpecialTokens ? [...head, ...encodeTrusted(text), ...tail] : encodeTrusted(text),
    encodePlain: (text) => encodePieces([{ text, trusted: false }]),
    encodePieces,
    encodeAnswer: (answer) => {
      const ids = encodePieces([
        { text: opening + lead, trusted: true },
        { text: answer, trusted: false },
      ]);
      const continues = openingIds.every((id, i) => ids[i] === id);
      return continues ? ids.slice(openingIds.length) : encodePieces([{ text: lead + answer, trusted: false }]);
    },
    decode: (ids, { skipSpecialTokens = false } = {}) =>
      ids.length === 0 ? "" : hub.decode([...ids], { skip_special_tokens: skipSpecialTokens, ...decoding }),
    tokenOf: (id) => vocab[id],
    idOf,
    renderChat,
    encodeChat: (messages, options) => encodeTrusted(renderChat(messages, options)),
  };
}

/** The library's stages with our own search for added tokens around them, run once so that a malformed stage shows at once. */
function openStages(
  tokenizer: Json,
  config: Json,
  model: Json,
  added: readonly AddedToken[],
  controlTokens: ReadonlyMap<string, number>,
) {
  const absent = { decoder: null, post_processor: null, pre_tokenizer: null, normalizer: null };
  const hub = new Hub({ ...absent, ...tokenizer, model, added_tokens: added }, config) as unknown as HubTokenizer;
  const { tokens_to_ids, unk_token, unk_token_id } = hub.model;
  // Nor may text reach a control token by being a word of the vocabulary (`ignore_merges`). Decoding reads `vocab`.
  for (const content of controlTokens.keys()) if (content !== unk_token) tokens_to_ids.delete(content);
  const encodePieces = compileEncoder(hub, added);
  const idOf = (token: string): number | undefined => controlTokens.get(token) ?? tokens_to_ids.get(token);
  const framed = hub.post_processor === null ? [MARKER] : hub.post_processor([MARKER], null, true).tokens;
  const frame = (tokens: readonly string[]): number[] => tokens.flatMap((token) => idOf(token) ?? unk_token_id ?? []);
  const at = framed.indexOf(MARKER);
  const ids = encodePieces([{ text: " It's 12\n  é, 怒り 🙂", trusted: true }]);
  if (ids.length > 0) hub.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  return { hub, encodePieces, idOf, head: frame(framed.slice(0, at)), tail: frame(framed.slice(at + 1)) };
}

/** What the library throws on a malformed file is a `TypeError` from its depths; here it becomes an error of that file. */
function attempt<T>(work: () => T, invalid: (problem: string, cause: unknown) => EmosllmError): T {
  try {
    return work();
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** For templates without a system turn: its text goes before that of the first user turn. */
function foldSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const system = messages.filter((message) => message.role === "system").map((message) => message.content);
  const rest = messages.filter((message) => message.role !== "system");
  const first = rest.findIndex((message) => message.role === "user");
  return rest.map((message, i) =>
    i === first ? { ...message, content: [...system, message.content].join("\n\n") } : message,
  );
}
