/** @file Prompts in YAML: one prompt, or a list under `prompts:` with what they share above it. Errors name file, line and column. */
import { readFile } from "node:fs/promises";
import { EmosllmError } from "@emosllm/interfaces";
import { isScalar, LineCounter, parseDocument, Scalar, type Document } from "yaml";
import { readPrompt, type PromptDefinition, type PromptProblem } from "./definition.ts";

/** A problem in a prompt file; lines and columns count from 1. */
export interface PromptFileProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

type Path = readonly (string | number)[];

/**
 * Reads prompts from YAML text. Keys beside `prompts:` are defaults of each prompt below it.
 *
 * @throws EmosllmError `prompt_invalid`: one line `FILE:LINE:COLUMN: problem` for each thing wrong, the same in `details.problems`.
 */
export function parsePrompts(given: string, file = "prompts.yaml"): PromptDefinition[] {
  // The parser takes a byte order mark before a list for its indentation.
  const text = given.replace(/^\uFEFF/, "");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const problems: PromptFileProblem[] = [];
  const fail = (offset: number, message: string): void => {
    const { line, col } = lines.linePos(Math.max(0, Math.min(offset, text.length)));
    problems.push({ line: Math.max(1, line), column: Math.max(1, col), message });
  };
  for (const error of [...document.errors, ...document.warnings]) fail(error.pos[0], error.message);
  const prompts: PromptDefinition[] = [];
  if (problems.length === 0) {
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 100 }) as unknown;
    } catch (cause) {
      fail(0, (cause as Error).message);
    }
    const names = new Map<string, Path>();
    for (const [path, entry] of problems.length === 0 ? entriesOf(value) : []) {
      const result = readPrompt(entry);
      for (const problem of result.problems) fail(offsetOf(document, text, path, problem), problem.message);
      if (!("prompt" in result)) continue;
      const { name } = result.prompt;
      if (names.has(name))
        fail(offsetOf(document, text, path, { path: ["name"], message: "" }), `name '${name}' is used twice`);
      names.set(name, path);
      prompts.push(result.prompt);
    }
    if (problems.length === 0 && prompts.length === 0)
      fail(0, "holds no prompt; expected one prompt, or a list of them under 'prompts:'");
  }
  if (problems.length > 0) {
    problems.sort((a, b) => a.line - b.line || a.column - b.column);
    const message = problems.map((p) => `${file}:${p.line}:${p.column}: ${p.message}`).join("\n");
    throw new EmosllmError("prompt_invalid", message, { details: { file, problems } });
  }
  return prompts;
}

/** Reads prompts from a YAML file; errors as {@link parsePrompts}, and `prompt_invalid` where the file cannot be read. */
export async function loadPrompts(path: string | URL): Promise<PromptDefinition[]> {
  const name = path instanceof URL ? path.pathname : path;
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new EmosllmError("prompt_invalid", `${name} cannot be read: ${(cause as Error).message}`, { cause });
  }
  return parsePrompts(text, name);
}

/** Each prompt of a file with the path that leads to it. */
function entriesOf(value: unknown): [Path, unknown][] {
  if (typeof value !== "object" || value === null || !("prompts" in value)) return value === null ? [] : [[[], value]];
  const { prompts, ...shared } = value;
  if (!Array.isArray(prompts)) return [[["prompts"], prompts]];
  return prompts.map((prompt: unknown, i) => [
    ["prompts", i],
    typeof prompt === "object" && prompt !== null && !Array.isArray(prompt) ? { ...shared, ...prompt } : prompt,
  ]);
}

/** Where in the file a problem stands: its node, or the nearest one above it; inside a block of text, the very character. */
function offsetOf(document: Document, text: string, base: Path, problem: PromptProblem): number {
  const candidates = [[...base, ...problem.path], problem.path, base];
  for (const full of candidates)
    for (let length = full.length; length > (full === problem.path ? full.length - 1 : base.length - 1); length--) {
      const node: unknown = document.getIn(full.slice(0, length), true);
      const range = (node as { range?: [number, number, number] } | undefined)?.range;
      if (range === undefined || range === null) continue;
      if (length === full.length && problem.offset !== undefined && isScalar(node))
        return inside(text, node, range, problem.offset);
      return range[0];
    }
  return 0;
}

/** The place in the file of character `offset` of a scalar's (trimmed) text. */
function inside(text: string, node: Scalar, range: readonly [number, number, number], offset: number): number {
  const source = text.slice(range[0], range[1]);
  if (node.type === Scalar.PLAIN && !source.includes("\n")) return range[0] + offset;
  if (node.type === Scalar.BLOCK_LITERAL) {
    const value = String(node.value).trimStart();
    const above = value.slice(0, offset).split("\n");
    const rows = source.split("\n");
    const first = rows.findIndex((row, i) => i > 0 && row.trim() !== "");
    const indent = /^ */.exec(rows[first] ?? "")?.[0].length ?? 0;
    const row = first + above.length - 1;
    const start = rows.slice(0, row).join("\n").length + 1;
    return range[0] + start + indent + (above.at(-1)?.length ?? 0);
  }
  return range[0];
}
