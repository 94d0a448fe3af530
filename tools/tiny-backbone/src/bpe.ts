/** @file Trains byte-level byte-pair encoding (Sennrich et al. 2016; bytes as in GPT-2). Deterministic: ties go to the pair seen first. */

/**
 * How text is cut before merging: Llama 3's expression with digits one by one and contractions in lower case only (inline flags are not
 * in every engine).
 */
export const PRE_TOKENS =
  "'s|'t|'re|'ve|'m|'ll|'d|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** GPT-2's printable character for each byte. */
export const BYTE_CHARACTERS: readonly string[] = ((): string[] => {
  const printable = (b: number): boolean => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : next++));
})();

const characters = (text: string): string[] =>
  [...new TextEncoder().encode(text)].map((b) => BYTE_CHARACTERS[b] as string);

/** A trained vocabulary. */
export interface Bpe {
  /** The 256 bytes, then one token for each merge. */
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
}

interface Word {
  symbols: string[];
  readonly count: number;
}

const joined = (a: string, b: string): string => `${a} ${b}`;

function countPairs(words: readonly Word[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { symbols, count } of words)
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = joined(symbols[i] as string, symbols[i + 1] as string);
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  return counts;
}

function apply(words: readonly Word[], a: string, b: string): void {
  for (const word of words) {
    const { symbols } = word;
    const out: string[] = [];
    for (let i = 0; i < symbols.length; i++)
      if (symbols[i] === a && symbols[i + 1] === b) {
        out.push(a + b);
        i++;
      } else out.push(symbols[i] as string);
    if (out.length < symbols.length) word.symbols = out;
  }
}

/**
 * Learns merges from texts until there are `size` tokens, and makes each word of `whole` one token.
 *
 * @param whole words that must be single tokens, exactly as they follow a cut (` angry`, `angry`).
 */
export function trainBpe(texts: Iterable<string>, size: number, whole: readonly string[] = []): Bpe {
  const counts = new Map<string, number>();
  const cut = new RegExp(PRE_TOKENS, "gu");
  for (const text of texts) for (const [piece] of text.matchAll(cut)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  const words: Word[] = [...counts].map(([piece, count]) => ({ symbols: characters(piece), count }));
  const wanted: Word[] = whole.map((piece) => ({ symbols: characters(piece), count: 0 }));

  const merges: [string, string][] = [];
  const tokens = new Set(BYTE_CHARACTERS);
  const merge = (a: string, b: string): void => {
    merges.push([a, b]);
    tokens.add(a + b);
    apply(words, a, b);
    apply(wanted, a, b);
  };
  const missing = (): number => wanted.reduce((sum, { symbols }) => sum + symbols.length - 1, 0);
  const learn = (room: () => number): void => {
    while (room() > 0) {
      let best: string | undefined;
      let most = 1;
      for (const [pair, count] of countPairs(words)) if (count > most) [best, most] = [pair, count];
      if (best === undefined) break;
      const [a, b] = best.split(" ") as [string, string];
      merge(a, b);
    }
  };
  learn(() => size - tokens.size - missing());
  for (const word of wanted)
    while (word.symbols.length > 1) merge(word.symbols[0] as string, word.symbols[1] as string);
  // Words that share their parts left room.
  learn(() => size - tokens.size);
  return { tokens: [...tokens], merges };
}
