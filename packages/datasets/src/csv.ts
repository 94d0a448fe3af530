/** @file CSV by RFC 4180, line by line with line numbers; an open quote costs one line, not the rest of the file. */
import { type OnProblem, problem } from "./problems.ts";
import { type TextLine, decodeLines } from "./text.ts";

/** One record; `line` is where it starts. */
export interface CsvRecord {
  fields: string[];
  line: number;
}

/** A quoted field may hold line ends, but no more of them than this. */
const MOST_LINES = 50;

const quotes = (text: string): number => {
  let n = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) n++;
  return n;
};

/** Splits one complete record; undefined when quotes stand where they may not. */
export function splitCsv(text: string, delimiter = ","): string[] | undefined {
  if (!text.includes('"')) return text.split(delimiter);
  const fields: string[] = [];
  for (let at = 0; ;) {
    if (text[at] === '"') {
      let value = "";
      let from = at + 1;
      for (;;) {
        const to = text.indexOf('"', from);
        if (to < 0) return undefined;
        value += text.slice(from, to);
        if (text[to + 1] !== '"') {
          at = to + 1;
          break;
        }
        value += '"';
        from = to + 2;
      }
      fields.push(value);
      if (at < text.length && text[at] !== delimiter) return undefined;
    } else {
      let to = text.indexOf(delimiter, at);
      if (to < 0) to = text.length;
      fields.push(text.slice(at, to));
      at = to;
    }
    if (at >= text.length) return fields;
    at++;
  }
}

/** Takes lines, gives the records that are complete. */
export interface CsvAssembler {
  push(line: TextLine): CsvRecord[];
  end(): CsvRecord[];
}

/** See {@link CsvAssembler}. */
export function csvAssembler(path: string, onProblem?: OnProblem, delimiter = ","): CsvAssembler {
  let open: TextLine[] = [];
  let odd = false;
  let crlf = false;
  const bad = (line: number, why: string): void => onProblem?.(problem("annotation_invalid", why, { path, line }));
  const finish = (): CsvRecord[] => {
    const line = (open[0] as TextLine).line;
    let text = open.map((l) => l.text).join("\n");
    open = [];
    odd = false;
    if (text.endsWith("\r")) {
      text = text.slice(0, -1);
      if (!crlf) onProblem?.(problem("line_endings_crlf", "CRLF line ends", { path }));
      crlf = true;
      if (text === "") return [];
    }
    const fields = splitCsv(text, delimiter);
    if (fields) return [{ fields, line }];
    bad(line, "a quote inside an unquoted field");
    return [];
  };
  const giveUp = (): CsvRecord[] => {
    const [first, ...others] = open as [TextLine, ...TextLine[]];
    bad(first.line, "a quoted field that does not end");
    open = [];
    odd = false;
    return others.flatMap(push);
  };
  function push(line: TextLine): CsvRecord[] {
    if (open.length === 0 && line.text === "") return [];
    open.push(line);
    if (quotes(line.text) % 2 === 1) odd = !odd;
    if (!odd) return finish();
    return open.length > MOST_LINES ? giveUp() : [];
  }
  return {
    push,
    end: (): CsvRecord[] => {
      const out: CsvRecord[] = [];
      while (open.length > 0) out.push(...giveUp());
      return out;
    },
  };
}

/** The records of a file in memory. */
export function* csvRecords(bytes: Uint8Array, path: string, onProblem?: OnProblem): Generator<CsvRecord> {
  const assembler = csvAssembler(path, onProblem);
  for (const line of decodeLines(bytes, path, onProblem, { keepReturns: true })) yield* assembler.push(line);
  yield* assembler.end();
}

/** Column name -> value, for the columns asked for; undefined (and a problem) when the header lacks a required one. */
export function columnIndex(
  header: readonly string[],
  required: readonly string[],
  path: string,
  onProblem?: OnProblem,
): Map<string, number> | undefined {
  const index = new Map(header.map((name, i) => [name.trim(), i]));
  const missing = required.filter((name) => !index.has(name));
  if (missing.length === 0) return index;
  onProblem?.(
    problem("column_missing", `no column ${missing.join(", ")}; there are ${header.join(", ").slice(0, 200)}`, {
      path,
      line: 1,
    }),
  );
  return undefined;
}
