/**
 * @file The text of a message: literal text and slots, in sentences. A slot without a value leaves with its sentence.
 *
 * A sentence ends at a line break, or at `. ! ? …` (and closing quotes or brackets) before white space, or at `。 ！ ？`. A line that
 * ends with a colon goes on in the next: its heading leaves with what it announces.
 */

/** Literal text, or the name of a slot. */
export type ContentPart = { readonly text: string } | { readonly slot: string };

/** A line of a message as its sentences; white space between sentences belongs to the one before. */
export type ContentLine = readonly (readonly ContentPart[])[];

/** Something wrong in a text, and at which character. */
export interface ContentProblem {
  readonly offset: number;
  readonly message: string;
}

/** A text as lines of sentences, the slots in it in order (with repetitions), and what is wrong with it. */
export interface Content {
  readonly lines: readonly ContentLine[];
  readonly slots: readonly string[];
  readonly problems: readonly ContentProblem[];
}

/** Marks slots while a chat template renders; private use, so that no text has it by right. */
export const SLOT_OPEN = "\uE0F1";
export const SLOT_CLOSE = "\uE0F2";

const BRACES = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;
const BORDER = /\n|[.!?…]["'”’»)\]]*(?=\s)[ \t]*|[。！？]["'”’」』）]*[ \t]*/gu;

/** Parses a text whose slots are among `accepted`. */
export function parseContent(text: string, accepted: readonly string[]): Content {
  const parts: ContentPart[] = [];
  const problems: ContentProblem[] = [];
  const literal = (piece: string): void => {
    if (piece !== "") parts.push({ text: piece });
  };
  let from = 0;
  for (const match of text.matchAll(BRACES)) {
    const [all, name] = match;
    literal(text.slice(from, match.index));
    from = match.index + all.length;
    if (all === "{{" || all === "}}") literal(all.slice(1));
    else if (name !== undefined && accepted.includes(name)) parts.push({ slot: name });
    else
      problems.push({
        offset: match.index,
        message:
          name === undefined
            ? `'${all}' has no partner; a brace that is text is written '${all}${all}'`
            : `'{${name}}' is not a slot; accepted: ${accepted.map((slot) => `{${slot}}`).join(", ")} ('{{' for a brace)`,
      });
  }
  literal(text.slice(from));
  const reserved = text.search(new RegExp(`[${SLOT_OPEN}${SLOT_CLOSE}\uE0F0]`, "u"));
  if (reserved >= 0)
    problems.push({
      offset: reserved,
      message: `U+${(text.codePointAt(reserved) ?? 0).toString(16).toUpperCase()} is reserved for marking slots`,
    });
  const slots = parts.flatMap((part) => ("slot" in part ? [part.slot] : []));
  return { lines: splitLines(joinText(parts)), slots, problems };
}

function joinText(parts: readonly ContentPart[]): ContentPart[] {
  const joined: ContentPart[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if ("text" in part && last !== undefined && "text" in last)
      joined[joined.length - 1] = { text: last.text + part.text };
    else joined.push(part);
  }
  return joined;
}

function splitLines(parts: readonly ContentPart[]): ContentLine[] {
  const lines: ContentPart[][][] = [[[]]];
  const push = (part: ContentPart): void => {
    lines.at(-1)?.at(-1)?.push(part);
  };
  for (const part of parts) {
    if ("slot" in part) {
      push(part);
      continue;
    }
    let from = 0;
    for (const match of part.text.matchAll(BORDER)) {
      const end = match.index + match[0].length;
      const isBreak = match[0] === "\n";
      // The heading's line break: neither the end of a line nor of a sentence.
      if (isBreak && /[:：][ \t]*$/.test(part.text.slice(0, match.index)) && part.text[end] !== "\n") continue;
      const piece = part.text.slice(from, isBreak ? match.index : end);
      if (piece !== "") push({ text: piece });
      if (isBreak) lines.push([[]]);
      else lines.at(-1)?.push([]);
      from = end;
    }
    if (from < part.text.length) push({ text: part.text.slice(from) });
  }
  return lines.map((line) => line.filter((sentence) => sentence.length > 0));
}

/**
 * The content with the sentences left out that hold a slot for which `has` is false; a line that loses all its sentences goes with
 * its break, and no two blank lines meet where it was.
 */
export function fillContent(content: Content, has: (slot: string) => boolean, write: (slot: string) => string): string {
  const kept: string[] = [];
  for (const line of content.lines) {
    const sentences = line.filter((sentence) => sentence.every((part) => !("slot" in part) || has(part.slot)));
    if (sentences.length === 0 && line.length > 0) continue;
    const whole = sentences.length === line.length;
    const text = sentences.flatMap((s) => s.map((part) => ("slot" in part ? write(part.slot) : part.text))).join("");
    if (text === "" && (kept.length === 0 || kept.at(-1) === "") && !isWhole(content, has)) continue;
    kept.push(whole ? text : text.trimEnd());
  }
  const text = kept.join("\n");
  return isWhole(content, has) ? text : text.trim();
}

const isWhole = (content: Content, has: (slot: string) => boolean): boolean => content.slots.every(has);
