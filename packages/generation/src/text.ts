/**
 * @file Tokens to text as they come. A character may be spread over several tokens, and a token's text may depend on the one before it,
 * so text is only given once it cannot change: whole characters, and nothing that could become a stop string.
 */

/** Decodes ids, special tokens left out. */
export type Decode = (ids: readonly number[]) => string;

/** What a token added. */
export interface TextStep {
  /** Text that is certain now. */
  readonly text: string;
  /** The stop string that ended the row; nothing after it (nor itself) is given. */
  readonly stop: string | undefined;
}

/** Text of one row. */
export interface TextStream {
  push(id: number): TextStep;
  /** The rest, when no more tokens come. */
  flush(): string;
}

/** Bytes that are no character yet are decoded as this. */
const INCOMPLETE = "\uFFFD";

/** Starts the text of a row. */
export function textStream(decode: Decode, stopStrings: readonly string[] = []): TextStream {
  // Ids whose text is known but which the next one's text may lean on, then ids whose text is still open.
  let known: number[] = [];
  let open: number[] = [];
  let held = "";

  const take = (final: boolean): string => {
    const before = decode(known);
    const text = decode([...known, ...open]);
    if (!final && text.endsWith(INCOMPLETE)) return "";
    if (open.length > 0) [known, open] = [open, []];
    return text.slice(before.length);
  };
  const release = (text: string): TextStep => {
    held += text;
    const found = stopStrings
      .map((stop) => ({ stop, at: held.indexOf(stop) }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at)[0];
    if (found) {
      const before = held.slice(0, found.at);
      held = "";
      return { text: before, stop: found.stop };
    }
    const keep = Math.max(0, ...stopStrings.map((stop) => overlap(held, stop)));
    const given = held.slice(0, held.length - keep);
    held = held.slice(held.length - keep);
    return { text: given, stop: undefined };
  };
  return {
    push(id) {
      open.push(id);
      return release(take(false));
    },
    flush() {
      const { text, stop } = release(take(true));
      const rest = stop === undefined ? held : "";
      held = "";
      return text + rest;
    },
  };
}

/** Length of the longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  for (let n = Math.min(text.length, stop.length - 1); n > 0; n--) if (text.endsWith(stop.slice(0, n))) return n;
  return 0;
}
