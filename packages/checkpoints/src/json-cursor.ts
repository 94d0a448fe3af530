/**
 * @file A strict JSON reader over bytes. `JSON.parse` keeps the last of two equal keys, says no byte, and builds every
 * value before anyone can object; a file's header is checked key by key instead, and refused at the first wrong byte.
 */

/** A place in a JSON text. */
export interface JsonCursor {
  readonly bytes: Buffer;
  at: number;
  /** Throws the caller's own error; `at` is an index into `bytes`. */
  readonly fail: (message: string, at: number) => never;
}

const MAX_DEPTH = 64;
/** Longest string in bytes; decoding one takes several times its size. */
const MAX_STRING = 4 * 1024 * 1024;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const code = (c: string): number => c.charCodeAt(0);
const QUOTE = code('"');
const BACKSLASH = code("\\");

/** Skips white space and gives the next byte, or -1 at the end. */
export function peek(c: JsonCursor): number {
  for (;;) {
    const b = c.bytes[c.at];
    if (b === undefined) return -1;
    if (b !== 32 && b !== 10 && b !== 13 && b !== 9) return b;
    c.at++;
  }
}

const shown = (b: number): string =>
  b < 0 ? "the end" : b > 32 && b < 127 ? `'${String.fromCharCode(b)}'` : `byte 0x${b.toString(16).padStart(2, "0")}`;

/** Takes one punctuation character. */
export function expectChar(c: JsonCursor, char: string): void {
  const found = peek(c);
  if (found !== code(char)) c.fail(`expected '${char}', found ${shown(found)}`, c.at);
  c.at++;
}

/** Takes a string. Escapes and UTF-8 are checked. */
export function readString(c: JsonCursor): string {
  expectChar(c, '"');
  const start = c.at;
  let escaped = false;
  let seen = 0;
  for (;;) {
    const b = c.bytes[c.at];
    if (b === undefined) return c.fail("a string does not end", start - 1);
    if (b === QUOTE) break;
    if (b < 32) c.fail(`a control character (${shown(b)}) in a string`, c.at);
    if (b === BACKSLASH) {
      escaped = true;
      c.at++;
    }
    seen |= b;
    c.at++;
  }
  const end = c.at++;
  if (end - start > MAX_STRING) c.fail(`a string of ${end - start} bytes; at most ${MAX_STRING} are accepted`, start);
  // ASCII needs no decoder: a header is full of short strings, and a view for each would be most of the memory.
  if (!escaped && seen < 128) return c.bytes.toString("latin1", start, end);
  try {
    const text = utf8.decode(c.bytes.subarray(start, end));
    return escaped ? (JSON.parse(`"${text}"`) as string) : text;
  } catch {
    return c.fail("a string is not valid UTF-8 or has a wrong escape", start);
  }
}

/** Takes a whole number from 0 to 2^53 - 1, written without sign, fraction or exponent. */
export function readCount(c: JsonCursor): number {
  const first = peek(c);
  const start = c.at;
  if (first < 48 || first > 57) c.fail(`expected a whole number, found ${shown(first)}`, start);
  let value = 0;
  for (let b = c.bytes[c.at]; b !== undefined && b >= 48 && b <= 57; b = c.bytes[++c.at]) {
    value = value * 10 + (b - 48);
    if (value > Number.MAX_SAFE_INTEGER) c.fail("a number above 2^53 - 1", start);
  }
  const next = c.bytes[c.at];
  if (next === code(".") || next === code("e") || next === code("E")) c.fail("expected a whole number", start);
  if (first === 48 && c.at - start > 1) c.fail("a number with a leading zero", start);
  return value;
}

/** Takes `[ ... ]`, calling `element` at each element. */
export function readArray(c: JsonCursor, element: (index: number) => void): void {
  expectChar(c, "[");
  if (peek(c) === code("]")) {
    c.at++;
    return;
  }
  for (let i = 0; ; i++) {
    element(i);
    if (peek(c) === code("]")) break;
    expectChar(c, ",");
  }
  c.at++;
}

/** Takes `{ ... }`, calling `member` with each key (which must take the value). Refusing equal keys is `member`'s work. */
export function readObject(c: JsonCursor, member: (key: string, at: number) => void): void {
  expectChar(c, "{");
  if (peek(c) === code("}")) {
    c.at++;
    return;
  }
  for (;;) {
    peek(c);
    const at = c.at;
    const key = readString(c);
    expectChar(c, ":");
    member(key, at);
    if (peek(c) === code("}")) break;
    expectChar(c, ",");
  }
  c.at++;
}

/** Takes any value and forgets it. */
export function skipValue(c: JsonCursor, depth = 0): void {
  if (depth > MAX_DEPTH) c.fail(`values nested deeper than ${MAX_DEPTH}`, c.at);
  const b = peek(c);
  if (b === QUOTE) readString(c);
  else if (b === code("{")) readObject(c, () => skipValue(c, depth + 1));
  else if (b === code("[")) readArray(c, () => skipValue(c, depth + 1));
  else {
    const start = c.at;
    while (c.at < c.bytes.length && /[-+.0-9a-zA-Z]/.test(String.fromCharCode(c.bytes[c.at]!))) c.at++;
    const text = c.bytes.toString("latin1", start, c.at);
    if (!/^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)$/.test(text))
      c.fail(`expected a value, found ${text === "" ? shown(b) : `'${text.slice(0, 20)}'`}`, start);
  }
}

/** Checks that nothing but white space is left. */
export function expectEnd(c: JsonCursor): void {
  const b = peek(c);
  if (b !== -1) c.fail(`expected the end, found ${shown(b)}`, c.at);
}
