/** @file Annotation bytes to numbered lines: UTF-8 where it is, Windows-1252 where it is not, every doubt reported. */
import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { type OnProblem, problem } from "./problems.ts";

/** One line without its line end; `line` counts from 1. */
export interface TextLine {
  text: string;
  line: number;
}

/** How to read bytes that are not UTF-8. */
export type FallbackEncoding = "windows-1252" | "gb18030";

export interface LineOptions {
  /** Default `windows-1252`. */
  fallback?: FallbackEncoding;
  /** Only a line feed ends a line, a carriage return before it stays: for CSV, where it may be inside a field. Default false. */
  keepReturns?: boolean;
}

/** Windows-1252's 0x80-0x9F, the only range where it differs from Latin-1; undefined positions stay as they are. */
const CP1252_HIGH =
  "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f" +
  "\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";

const C1 = /[\u0080-\u009f]/g;
/** A line longer than this is no annotation; it is reported and left out. */
const LONGEST_LINE = 1 << 24;

/** Replaces C1 control characters by what Windows-1252 means by them (`\u0092` is an apostrophe). */
export function repairC1(text: string): string {
  return text.replace(C1, (c) => CP1252_HIGH[c.charCodeAt(0) - 0x80] ?? c);
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const utf8 = (bytes: Uint8Array): string => asBuffer(bytes).toString("utf8");

/** Decodes lines chunk by chunk; a chunk must end at a line's end or at the end of the file. */
function lineDecoder(path: string, onProblem: OnProblem | undefined, options: LineOptions) {
  const { fallback = "windows-1252", keepReturns = false } = options;
  let line = 0;
  let crlf = false;
  const sawCrlf = (): void => {
    if (!crlf) onProblem?.(problem("line_endings_crlf", "CRLF line ends", { path }));
    crlf = true;
  };
  const repaired = (text: string): string => {
    if (text.search(C1) < 0) return text;
    onProblem?.(problem("encoding_c1", "Windows-1252 punctuation stored as control characters", { path, line }));
    return repairC1(text);
  };
  const decodeText = (text: string): TextLine[] => {
    if (!keepReturns && text.includes("\r\n")) sawCrlf();
    const lines = text.split(keepReturns ? "\n" : /\r\n|\n|\r/);
    if (lines.at(-1) === "") lines.pop();
    const clean = text.search(C1) < 0;
    return lines.map((t) => {
      line++;
      return { text: clean ? t : repaired(t), line };
    });
  };
  const decodeMixed = (bytes: Uint8Array): TextLine[] => {
    const out: TextLine[] = [];
    for (let from = 0; from < bytes.length;) {
      let to = bytes.indexOf(0x0a, from);
      if (to < 0) to = bytes.length;
      const end = !keepReturns && to > from && bytes[to - 1] === 0x0d ? to - 1 : to;
      if (end < to) sawCrlf();
      line++;
      const raw = bytes.subarray(from, end);
      if (isUtf8(raw)) out.push({ text: repaired(utf8(raw)), line });
      else {
        const code = fallback === "gb18030" ? "encoding_gb18030" : "encoding_cp1252";
        onProblem?.(problem(code, `not UTF-8, read as ${fallback}`, { path, line }));
        const text =
          fallback === "gb18030" ? new TextDecoder("gb18030").decode(raw) : repairC1(asBuffer(raw).toString("latin1"));
        out.push({ text, line });
      }
      from = to + 1;
    }
    return out;
  };
  return {
    bytes: (bytes: Uint8Array): TextLine[] => (isUtf8(bytes) ? decodeText(utf8(bytes)) : decodeMixed(bytes)),
    text: decodeText,
    skip: (): void => {
      line++;
      onProblem?.(problem("annotation_invalid", `a line of more than ${LONGEST_LINE} bytes`, { path, line }));
    },
  };
}

const isUtf16 = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
const withoutBom = (bytes: Uint8Array): Uint8Array =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;

/** Decodes a whole annotation file; reports non-UTF-8 lines, C1 characters and CRLF (once per file). Never throws. */
export function decodeLines(
  bytes: Uint8Array,
  path: string,
  onProblem?: OnProblem,
  options: LineOptions = {},
): TextLine[] {
  const decoder = lineDecoder(path, onProblem, options);
  if (isUtf16(bytes)) {
    onProblem?.(problem("encoding_utf16", "UTF-16 text", { path }));
    return decoder.text(new TextDecoder(bytes[0] === 0xff ? "utf-16le" : "utf-16be").decode(bytes));
  }
  return decoder.bytes(withoutBom(bytes));
}

/** The lines of a file of any size in batches, with memory for one batch. UTF-16 is not read this way. */
export async function* readLineBatches(
  path: string,
  onProblem?: OnProblem,
  options: LineOptions = {},
): AsyncGenerator<TextLine[]> {
  const decoder = lineDecoder(path, onProblem, options);
  let rest: Buffer = Buffer.alloc(0);
  let first = true;
  let tooLong = false;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf(0x0a);
    rest = end < 0 ? bytes : bytes.subarray(end + 1);
    if (end >= 0) {
      let whole: Uint8Array = bytes.subarray(0, end + 1);
      if (tooLong) {
        decoder.skip();
        whole = whole.subarray(whole.indexOf(0x0a) + 1);
        tooLong = false;
      }
      yield decoder.bytes(first ? withoutBom(whole) : whole);
      first = false;
    }
    if (rest.length > LONGEST_LINE) {
      tooLong = true;
      rest = Buffer.alloc(0);
    }
  }
  if (tooLong) decoder.skip();
  else if (rest.length > 0) yield decoder.bytes(first ? withoutBom(rest) : rest);
}
