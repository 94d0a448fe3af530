/** @file Reads a JSONL file of any length line by line; every problem is named by file and line. */
import { createReadStream } from "node:fs";
import { EmosllmError } from "@emosllm/interfaces";

/** A parsed line: a JSON object. */
export type Line = Readonly<Record<string, unknown>>;

/** A line longer than this is not a prediction. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/**
 * Calls `each` with every line's object and its place (`FILE:12`). Blank lines, a byte order mark and CRLF are taken.
 *
 * @throws EmosllmError `corpus_not_found` when the file cannot be opened, `corpus_invalid` for a line that is no JSON object
 */
export async function forEachLine(path: string, each: (line: Line, place: string) => void): Promise<void> {
  let number = 0;
  let rest: Buffer | undefined;
  const take = (bytes: Buffer): void => {
    number++;
    let text = bytes.toString("utf8");
    if (number === 1 && text.startsWith("\uFEFF")) text = text.slice(1);
    if (text.trim() !== "") each(parse(text, `${path}:${number}`), `${path}:${number}`);
  };
  const stream = createReadStream(path, { highWaterMark: 1 << 20 });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const data = rest ? Buffer.concat([rest, chunk]) : chunk;
      let start = 0;
      for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, start)) {
        take(data.subarray(start, end));
        start = end + 1;
      }
      rest = data.subarray(start);
      if (rest.length > MAX_LINE_BYTES)
        throw new EmosllmError("corpus_invalid", `${path}:${number + 1}: the line is longer than 64 MiB; not JSONL?`);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") throw new EmosllmError("corpus_not_found", `${path}: no such file`, { cause: error });
    if (code === "EISDIR" || code === "EACCES")
      throw new EmosllmError("corpus_not_found", `${path}: not a readable file (${code})`, { cause: error });
    throw error;
  }
  if (rest && rest.length > 0) take(rest);
}

function parse(text: string, place: string): Line {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new EmosllmError("corpus_invalid", `${place}: not JSON (${(error as Error).message})`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new EmosllmError("corpus_invalid", `${place}: ${text.slice(0, 40)} is not a JSON object {"id": ..., ...}`);
  return value as Line;
}
