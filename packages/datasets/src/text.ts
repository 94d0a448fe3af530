/** @file Annotation bytes to numbered lines: UTF-8 where it is, Windows-1252 where it is not, every doubt reported. */
import { isUtf8 } from "node:buffer";
import { type OnProblem, problem } from "./problems.ts";

/** One line without its line end; `line` counts from 1. */
export interface TextLine {
  text: string;
  line: number;
}

/** Windows-1252's 0x80-0x9F, the only range where it differs from Latin-1; undefined positions stay as they are. */
const CP1252_HIGH =
  "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f" +
  "\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";

const C1 = /[\u0080-\u009f]/g;

/** Replaces C1 control characters by what Windows-1252 means by them (`\u0092` is an apostrophe). */
export function repairC1(text: string): string {
  return text.replace(C1, (c) => CP1252_HIGH[c.charCodeAt(0) - 0x80] ?? c);
}

const decodeCp1252 = (bytes: Uint8Array): string =>
  repairC1(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1"));

/** Decodes a whole annotation file; reports non-UTF-8 lines, C1 characters and CRLF (once per file). Never throws. */
export function* decodeLines(bytes: Uint8Array, path: string, onProblem?: OnProblem): Generator<TextLine> {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    onProblem?.(problem("encoding_utf16", "UTF-16 text", { path }));
    yield* numbered(new TextDecoder(bytes[0] === 0xff ? "utf-16le" : "utf-16be").decode(bytes), path, onProblem);
    return;
  }
  const body = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
  if (isUtf8(body)) {
    yield* numbered(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"), path, onProblem);
    return;
  }
  let from = 0;
  let line = 0;
  let crlf = false;
  while (from < body.length) {
    let to = body.indexOf(0x0a, from);
    if (to < 0) to = body.length;
    let end = to;
    if (end > from && body[end - 1] === 0x0d) {
      end--;
      if (!crlf) onProblem?.(problem("line_endings_crlf", "CRLF line ends", { path }));
      crlf = true;
    }
    line++;
    const raw = body.subarray(from, end);
    if (isUtf8(raw))
      yield {
        text: repair(Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString("utf8"), path, line, onProblem),
        line,
      };
    else {
      onProblem?.(problem("encoding_cp1252", "not UTF-8, read as Windows-1252", { path, line }));
      yield { text: decodeCp1252(raw), line };
    }
    from = to + 1;
  }
}

function* numbered(text: string, path: string, onProblem?: OnProblem): Generator<TextLine> {
  if (text.includes("\r\n")) onProblem?.(problem("line_endings_crlf", "CRLF line ends", { path }));
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  for (let i = 0; i < lines.length; i++)
    yield { text: repair(lines[i] as string, path, i + 1, onProblem), line: i + 1 };
}

function repair(text: string, path: string, line: number, onProblem?: OnProblem): string {
  if (text.search(C1) < 0) return text;
  onProblem?.(problem("encoding_c1", "Windows-1252 punctuation stored as control characters", { path, line }));
  return repairC1(text);
}
