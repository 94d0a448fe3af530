/** @file Manifests in text: JSONL, CSV and ms-swift's `messages` / `audios` lines. Read in batches, with memory for one batch. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import { csvAssembler } from "../csv.ts";
import { type LoaderOptions, uniqueRows } from "../loader.ts";
import { type OnProblem, problem, shown } from "../problems.ts";
import { readLineBatches } from "../text.ts";
import { type ManifestRecord, type RecordColumn, type RecordReading, fromRecord } from "./record.ts";

export interface ManifestOptions extends Pick<LoaderOptions, "onProblem"> {
  /** Relative audio paths count from here. Default: the manifest's folder. */
  audioRoot?: string;
  /** For rows that do not say it. Default: the kind of manifest. */
  corpus?: string;
  /** Our column -> the manifest's own name for it, where it is none of the usual ones. */
  columns?: Partial<Record<RecordColumn, string>>;
}

/** Where rows come from, resolved. @throws EmosllmError `corpus_not_found` when the manifest is no file. */
export function readingOf(path: string, kind: string, options: ManifestOptions): RecordReading {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new EmosllmError("corpus_not_found", `${path}: no such file`);
  return {
    corpus: options.corpus ?? kind,
    audioRoot: options.audioRoot ?? dirname(path),
    ...(options.columns ? { columns: options.columns } : {}),
    onProblem: options.onProblem,
    path,
  };
}

/** The JSON objects of a file, one per line; broken lines are reported. */
export async function* jsonLines(
  path: string,
  onProblem: OnProblem | undefined,
): AsyncGenerator<{ row: ManifestRecord; line: number }[]> {
  for await (const batch of readLineBatches(path, onProblem)) {
    const rows: { row: ManifestRecord; line: number }[] = [];
    for (const { text, line } of batch) {
      if (text.trim() === "") continue;
      let row: unknown;
      try {
        row = JSON.parse(text);
      } catch {
        onProblem?.(problem("annotation_invalid", `no JSON: ${shown(text)}`, { path, line }));
        continue;
      }
      if (typeof row === "object" && row !== null && !Array.isArray(row))
        rows.push({ row: row as ManifestRecord, line });
      else onProblem?.(problem("annotation_invalid", `no JSON object: ${shown(text)}`, { path, line }));
    }
    yield rows;
  }
}

/**
 * A JSONL manifest with a row per utterance: `id, audio, start, end, text, label, ...` or the usual other names for them.
 * @throws EmosllmError `corpus_not_found`
 */
export async function* jsonl(path: string, options: ManifestOptions = {}): AsyncGenerator<Utterance> {
  const reading = readingOf(path, "jsonl", options);
  const isNew = uniqueRows(options.onProblem);
  for await (const rows of jsonLines(path, options.onProblem))
    for (const { row, line } of rows) {
      const u = fromRecord(row, reading, line);
      const kept = u && isNew(u, path, line);
      if (kept) yield kept;
    }
}

/** A CSV (or, by its ending, tab-separated) manifest with a header row. @throws EmosllmError `corpus_not_found` */
export async function* csv(path: string, options: ManifestOptions = {}): AsyncGenerator<Utterance> {
  const { onProblem } = options;
  const reading = readingOf(path, "csv", options);
  const isNew = uniqueRows(onProblem);
  const assembler = csvAssembler(path, onProblem, /\.tsv$/i.test(path) ? "\t" : ",");
  let header: string[] | undefined;
  const read = (fields: string[], line: number): Utterance | undefined => {
    if (!header) {
      header = fields.map((f) => f.trim());
      return undefined;
    }
    if (fields.length !== header.length) {
      onProblem?.(
        problem("annotation_invalid", `${fields.length} fields, the header has ${header.length}`, { path, line }),
      );
      return undefined;
    }
    const row: ManifestRecord = {};
    for (const [i, name] of header.entries()) row[name] = fields[i] === "" ? null : fields[i];
    const u = fromRecord(row, reading, line);
    return u && isNew(u, path, line);
  };
  for await (const batch of readLineBatches(path, onProblem, { keepReturns: true }))
    for (const line of batch)
      for (const record of assembler.push(line)) {
        const u = read(record.fields, record.line);
        if (u) yield u;
      }
  for (const record of assembler.end()) {
    const u = read(record.fields, record.line);
    if (u) yield u;
  }
}

/**
 * ms-swift's lines `{"messages":[...],"audios":["x.wav"]}`: the answer is the label unless the line has a `label` of its own;
 * further keys (`speaker`, `split`, ...) are read as in {@link jsonl}. The older `query` / `response` form is read too.
 */
export async function* msSwift(path: string, options: ManifestOptions = {}): AsyncGenerator<Utterance> {
  const { onProblem } = options;
  const reading = readingOf(path, "ms-swift", options);
  const isNew = uniqueRows(onProblem);
  for await (const rows of jsonLines(path, onProblem))
    for (const { row, line } of rows) {
      const audios = Array.isArray(row["audios"]) ? (row["audios"] as unknown[]) : [];
      if (audios.length !== 1) {
        onProblem?.(problem("annotation_invalid", `${audios.length} audios in a line; one is read`, { path, line }));
        if (audios.length === 0) continue;
      }
      const answer = answerOf(row);
      const filled: ManifestRecord = { ...row, audio: audios[0] };
      if (filled["label"] === undefined && answer !== undefined) filled["label"] = answer;
      const u = fromRecord(filled, reading, line);
      const kept = u && isNew(u, path, line);
      if (kept) yield kept;
    }
}

function answerOf(row: ManifestRecord): string | undefined {
  if (typeof row["response"] === "string") return row["response"].trim();
  const messages = Array.isArray(row["messages"]) ? (row["messages"] as unknown[]) : [];
  const last = messages.findLast((m) => (m as { role?: unknown } | null)?.role === "assistant") as
    | { content?: unknown }
    | undefined;
  return typeof last?.content === "string" ? last.content.trim() : undefined;
}
