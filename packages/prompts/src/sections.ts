/**
 * @file Finding added tokens (`<|im_end|>`, `[INST]`, ...) in text, as Hugging Face's tokenizers do: leftmost, then longest, with
 * `lstrip`, `rstrip` and `single_word`. What differs: each piece of text says whether it is trusted (template and prompt) or
 * not (what somebody said); in text that is not trusted only white-space tokens are found, so that it cannot inject.
 */

/** An entry of `added_tokens` in `tokenizer.json`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly single_word: boolean;
}

/** Text and where it comes from: `trusted` text may hold control tokens, other text is tokenised as plain words. */
export interface TextPiece {
  readonly text: string;
  readonly trusted: boolean;
}

/** One part of a text: an added token, or the pieces of text between two of them. */
export type Section = { readonly token: AddedToken } | { readonly pieces: readonly TextPiece[] };

interface Match {
  readonly token: AddedToken;
  readonly start: number;
  readonly end: number;
}

interface TrieNode {
  readonly next: Map<string, TrieNode>;
  token?: AddedToken;
}

/** Finds added tokens in one string; `key` gives the form of the content to look for. */
export type Finder = (text: string) => Match[];

const LEADING_SPACE = /^\p{White_Space}+/u;
const TRAILING_SPACE = /\p{White_Space}+$/u;
const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;

/** Compiles a finder for `tokens`, each sought in the form `form(token)`. */
export function compileFinder(
  tokens: readonly AddedToken[],
  form: (token: AddedToken) => string = (token) => token.content,
): Finder {
  const root: TrieNode = { next: new Map() };
  for (const token of tokens) {
    let node = root;
    for (const unit of form(token)) {
      let child = node.next.get(unit);
      if (child === undefined) node.next.set(unit, (child = { next: new Map() }));
      node = child;
    }
    if (node !== root) node.token ??= token;
  }
  if (root.next.size === 0) return () => [];
  return (text) => {
    const units = [...text];
    const matches: Match[] = [];
    let offset = 0;
    for (let i = 0; i < units.length;) {
      let node: TrieNode | undefined = root;
      let best: { token: AddedToken; count: number } | undefined;
      for (let j = i; j < units.length; j++) {
        node = node.next.get(units[j] ?? "");
        if (node === undefined) break;
        if (node.token !== undefined) best = { token: node.token, count: j + 1 - i };
      }
      const length = best === undefined ? (units[i] ?? "").length : units.slice(i, i + best.count).join("").length;
      const inWord =
        best?.token.single_word === true && (WORD.test(units[i - 1] ?? " ") || WORD.test(units[i + best.count] ?? " "));
      if (best !== undefined && !inWord) matches.push({ token: best.token, start: offset, end: offset + length });
      offset += length;
      i += best?.count ?? 1;
    }
    return matches;
  };
}

/** Cuts `pieces` at the added tokens: all of them in trusted text, white-space tokens alone in the rest. */
export function splitSections(
  pieces: readonly TextPiece[],
  finders: { readonly all: Finder; readonly space: Finder },
): Section[] {
  const sections: Section[] = [];
  let open: TextPiece[] = [];
  const close = (): void => {
    if (open.length > 0) sections.push({ pieces: open });
    open = [];
  };
  for (const piece of joinPieces(pieces)) {
    let from = 0;
    for (const { token, start, end } of (piece.trusted ? finders.all : finders.space)(piece.text)) {
      if (start > from) open.push({ text: piece.text.slice(from, start), trusted: piece.trusted });
      close();
      sections.push({ token });
      from = end;
    }
    if (from < piece.text.length) open.push({ text: piece.text.slice(from), trusted: piece.trusted });
  }
  close();
  return strip(sections);
}

/** Drops empty pieces and joins neighbours of equal trust. */
export function joinPieces(pieces: readonly TextPiece[]): TextPiece[] {
  const joined: TextPiece[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (piece.text === "") continue;
    if (last?.trusted === piece.trusted) joined[joined.length - 1] = { ...last, text: last.text + piece.text };
    else joined.push(piece);
  }
  return joined;
}

/** `rstrip` eats the white space after a token, `lstrip` the white space before it. */
function strip(sections: readonly Section[]): Section[] {
  return sections.flatMap((section, i): Section[] => {
    if ("token" in section) return [section];
    const before = sections[i - 1];
    const after = sections[i + 1];
    let pieces: readonly TextPiece[] = section.pieces;
    if (before !== undefined && "token" in before && before.token.rstrip) pieces = trimStart(pieces);
    if (after !== undefined && "token" in after && after.token.lstrip) pieces = trimEnd(pieces);
    return pieces.length === 0 ? [] : [{ pieces }];
  });
}

function trimStart(pieces: readonly TextPiece[]): TextPiece[] {
  const [first, ...rest] = pieces;
  if (first === undefined) return [];
  const text = first.text.replace(LEADING_SPACE, "");
  return text === "" ? trimStart(rest) : [{ ...first, text }, ...rest];
}

function trimEnd(pieces: readonly TextPiece[]): TextPiece[] {
  const last = pieces.at(-1);
  if (last === undefined) return [];
  const rest = pieces.slice(0, -1);
  const text = last.text.replace(TRAILING_SPACE, "");
  return text === "" ? trimEnd(rest) : [...rest, { ...last, text }];
}
