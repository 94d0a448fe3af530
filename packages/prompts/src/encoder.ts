/**
 * @file Text to ids: added tokens, normaliser, pre-tokeniser, BPE, in that order, for text whose pieces may be trusted or not.
 * The stages themselves are those of `@huggingface/tokenizers`; the order and the added tokens are here.
 */
import { compileFinder, splitSections, type AddedToken, type TextPiece } from "./sections.ts";
import { isSpace } from "./tokenizer-json.ts";

/** The parts of the library's tokenizer that are used here; its own declarations do not resolve under `nodenext`. */
export interface HubTokenizer {
  readonly normalizer: ((text: string) => string) | null;
  readonly pre_tokenizer: ((text: string, options: { section_index: number }) => string[]) | null;
  readonly post_processor: ((tokens: string[], pair: null, addSpecialTokens: boolean) => { tokens: string[] }) | null;
  readonly model: ((tokens: string[]) => string[]) & {
    readonly tokens_to_ids: Map<string, number>;
    readonly vocab: string[];
    readonly unk_token: string | undefined;
    readonly unk_token_id: number | undefined;
  };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
}

/**
 * Ids of a text made of pieces that are trusted or not; no token border is forced between pieces. `continues`: something that is no text
 * stands before it, so it does not begin as a first word does.
 */
export type EncodePieces = (pieces: readonly TextPiece[], options?: { readonly continues?: boolean }) => number[];

/** Compiles {@link EncodePieces} for a tokenizer and its added tokens. */
export function compileEncoder(hub: HubTokenizer, added: readonly AddedToken[]): EncodePieces {
  const { normalizer, model } = hub;
  const normalize = (text: string): string => (normalizer === null ? text : normalizer(text));
  const isLate = (token: AddedToken): boolean => token.normalized && normalizer !== null;
  const findersOf = (tokens: readonly AddedToken[], form: (token: AddedToken) => string) => ({
    all: compileFinder(tokens, form),
    space: compileFinder(tokens.filter(isSpace), form),
  });
  // As in the reference: tokens with `normalized: false` are sought in the text, the others in what the normaliser made of it.
  const early = findersOf(
    added.filter((token) => !isLate(token)),
    (token) => token.content,
  );
  const lateTokens = added.filter(isLate);
  const late = findersOf(lateTokens, (token) => normalize(token.content));

  const encodeWords = (text: string, index: number): number[] => {
    if (text === "") return [];
    const words = hub.pre_tokenizer === null ? [text] : hub.pre_tokenizer(text, { section_index: index });
    return model(words).flatMap((token) => {
      const id = token === model.unk_token ? model.unk_token_id : model.tokens_to_ids.get(token);
      return id === undefined ? [] : [id];
    });
  };

  const encodeText = (pieces: readonly TextPiece[], index: number): number[] => {
    const text = pieces.map((piece) => piece.text).join("");
    if (lateTokens.length === 0) return encodeWords(normalize(text), index);
    const finds = (piece: TextPiece): boolean =>
      (piece.trusted ? late.all : late.space)(normalize(piece.text)).length > 0;
    // Normalising loses track of which character came from whom, so pieces part where one of them holds such a token, and only there.
    const parts = pieces.some(finds) ? pieces : [{ text, trusted: false }];
    return parts.flatMap((part, i) =>
      splitSections([{ text: normalize(part.text), trusted: part.trusted }], late).flatMap((section, j) =>
        "token" in section
          ? [section.token.id]
          : encodeWords(section.pieces.map((piece) => piece.text).join(""), index + i + j),
      ),
    );
  };

  return (pieces, { continues = false } = {}) =>
    splitSections(
      pieces.map((piece) => ({ text: wellFormed(piece.text), trusted: piece.trusted })),
      early,
    ).flatMap((section, i) =>
      "token" in section ? [section.token.id] : encodeText(section.pieces, i + Number(continues)),
    );
}

/** Half of a surrogate pair has no bytes; it becomes U+FFFD, as in every UTF-8 encoder. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}
