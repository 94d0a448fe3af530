/** @file Small prediction files with known contents, in a folder of their own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "emosllm-report-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
/** Writes lines (objects as JSON, strings and bytes as they are) and gives the path. */
export function writeLines(lines: readonly unknown[]): string {
  const path = join(folder, `predictions-${files++}.jsonl`);
  const text = (line: unknown): string => (typeof line === "string" ? line : JSON.stringify(line));
  writeFileSync(path, lines.map((line) => `${text(line)}\n`).join(""));
  return path;
}

/** A path in the folder that does not exist. */
export const nowhere: string = join(folder, "missing.jsonl");

const labels = ["angry", "happy", "sad"];

/** Deterministic rows: the answer is right in two of three, confidence follows. */
export function rows(count: number, options: { shift?: number; extra?: (i: number) => object } = {}): object[] {
  return Array.from({ length: count }, (_, i) => {
    const truth = (i * 7 + (i >> 3)) % 3;
    const answer = (i + (options.shift ?? 0)) % 3 === 0 ? (truth + 1 + (i % 2)) % 3 : truth;
    const top = 0.4 + ((i * 37) % 100) / 200;
    const probabilities = Object.fromEntries(labels.map((l, j) => [l, j === answer ? top : (1 - top) / 2]));
    return { id: `u${i}`, label: labels[truth], prediction: labels[answer], probabilities, ...options.extra?.(i) };
  });
}
