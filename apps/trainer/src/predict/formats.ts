/** @file Answers as text: bars for people, JSON lines and CSV (RFC 4180) for programs. */
import type { EmotionAnswer } from "@emosllm/model";
import { csvLine } from "../csv-line.ts";

/** An answer and what it is of; `id` where a manifest or corpus has one. */
export interface NamedAnswer {
  readonly file: string;
  readonly id: string | undefined;
  readonly answer: EmotionAnswer;
}

/** An optional first line, and what one answer adds to it. */
export interface AnswerFormat {
  readonly head?: (labels: readonly string[]) => string;
  readonly line: (named: NamedAnswer) => string;
}

/** By name of `--format`; `text` is what a terminal gets. */
export const ANSWER_FORMATS = {
  text: { line: ({ file, answer }) => bars(file, answer) },
  jsonl: {
    line: ({ file, id, answer }) => JSON.stringify({ file, ...(id === undefined ? {} : { id }), ...answer }),
  },
  csv: {
    head: (labels) => csvLine(["file", "id", "label", "reliability", "seconds", ...labels]),
    line: ({ file, id = "", answer: { label, reliability, seconds, probabilities } }) =>
      csvLine([
        file,
        id,
        label ?? "",
        String(reliability),
        String(seconds),
        ...Object.values(probabilities).map(String),
      ]),
  },
} as const satisfies Readonly<Record<string, AnswerFormat>>;

/** Accepted by `--format` without `--timeline`. */
export const ANSWER_FORMAT_NAMES = ["text", "jsonl", "csv"] as const;

function bars(file: string, { label, probabilities, reliability, seconds }: EmotionAnswer): string {
  const width = Math.max(...Object.keys(probabilities).map((l) => l.length));
  const rows = Object.entries(probabilities)
    .sort(([, a], [, b]) => b - a)
    .map(
      ([name, p]) => `  ${name.padEnd(width)} ${(100 * p).toFixed(1).padStart(5)} %  ${"#".repeat(Math.round(40 * p))}`,
    );
  const note = reliability < 1 ? [`  only ${seconds.toFixed(2)} s of sound: odds drawn towards even`] : [];
  return [`${file}: ${label ?? "no clear emotion"}`, ...rows, ...note].join("\n");
}
