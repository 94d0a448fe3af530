/**
 * @file EmoBox metadata (Ma et al. 2024): `data/{ds}/{ds}.jsonl` and `data/{ds}/fold_{k}/{ds}_{train|valid|test}_fold_{k}.jsonl`, k from 1,
 * or the same as JSON objects by key. Its speakers of IEMOCAP are those of the dialogue, not of the turn: they are put right.
 */
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import { parseTurnName } from "../corpora/iemocap-annotations.ts";
import { uniqueRows } from "../loader.ts";
import { problem } from "../problems.ts";
import type { Part } from "../split.ts";
import { type ManifestRecord, type RecordReading, fromRecord } from "./record.ts";
import { type ManifestOptions, jsonLines, readingOf } from "./text-manifests.ts";

export interface EmoBoxOptions extends ManifestOptions {
  /** Reads one fold's files instead of the whole list, and gives each utterance its part. From 1. */
  fold?: number;
}

const PARTS: Readonly<Record<string, Part>> = { train: "train", valid: "validation", test: "test" };
/** EmoBox's `channel`: 1 mono, 2 stereo, 3 everything else, in practice 5.1 with the centre third. */
const CHANNELS: Readonly<Record<string, "downmix" | "centre">> = { "2": "downmix", "3": "centre" };

/**
 * The lines of an EmoBox metadata file or dataset folder. The id is the key without its data set's prefix, so that it meets
 * the raw loaders' ids. Audio paths count from `audioRoot`, by default EmoBox's own root (three folders above the file).
 */
export async function* emobox(path: string, options: EmoBoxOptions = {}): AsyncGenerator<Utterance> {
  const isNew = uniqueRows(options.onProblem);
  for (const { file, part } of metadataFiles(path, options.fold)) {
    const reading = readingOf(file, "emobox", { ...options, audioRoot: options.audioRoot ?? emoboxRoot(file) });
    for await (const { row, line } of metadataRows(file, options)) {
      const u = fromEmoBox(row, reading, line);
      if (!u) continue;
      const kept = isNew(part === undefined ? u : { ...u, split: part }, file, line);
      if (kept) yield kept;
    }
  }
}

/** Every fold of a dataset folder as a table id -> part, for `applyProtocol` on any loader's utterances of that corpus. */
export async function emoboxFolds(folder: string): Promise<ReadonlyMap<string, readonly Part[]>[]> {
  const folds: Map<string, readonly Part[]>[] = [];
  for (let fold = 1; existsSync(join(folder, `fold_${fold}`)); fold++) {
    const table = new Map<string, readonly Part[]>();
    for (const { file, part } of metadataFiles(folder, fold))
      for await (const u of emobox(file)) table.set(u.id, [...(table.get(u.id) ?? []), part as Part]);
    folds.push(table);
  }
  if (folds.length === 0) throw new EmosllmError("corpus_invalid", `${folder}: no fold_1`);
  return folds;
}

function metadataFiles(path: string, fold: number | undefined): { file: string; part?: Part }[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new EmosllmError("corpus_not_found", `${path}: no such file or folder`);
  if (found.isFile()) return [{ file: path }];
  const dataset = basename(resolve(path));
  if (fold === undefined) {
    const file = [`${dataset}.jsonl`, `${dataset}.json`].map((n) => join(path, n)).find((f) => existsSync(f));
    if (file !== undefined) return [{ file }];
    throw new EmosllmError("corpus_invalid", `${path}: no ${dataset}.jsonl`);
  }
  const folder = join(path, `fold_${fold}`);
  if (!existsSync(folder)) throw new EmosllmError("corpus_invalid", `${path}: no fold_${fold}`);
  const files: { file: string; part: Part }[] = [];
  const names = readdirSync(folder).filter((n) => !n.startsWith("."));
  for (const [word, part] of Object.entries(PARTS)) {
    const name =
      names.filter((n) => n.endsWith(`_${word}_fold_${fold}.jsonl`))[0] ??
      names.filter((n) => n.endsWith(`_${word}_fold_${fold}.json`))[0];
    if (name !== undefined) files.push({ file: join(folder, name), part });
  }
  if (files.length === 0) throw new EmosllmError("corpus_invalid", `${folder}: no ..._train_fold_${fold}.jsonl`);
  return files;
}

/** `EmoBox/data/iemocap/[fold_1/]x.jsonl` -> `EmoBox`; the file's folder for a file elsewhere. */
function emoboxRoot(file: string): string {
  const folders = resolve(file).split("/");
  const data = folders.lastIndexOf("data");
  return data > 0 && folders.length - data <= 4 ? folders.slice(0, data).join("/") : dirname(file);
}

async function* metadataRows(
  file: string,
  options: ManifestOptions,
): AsyncGenerator<{ row: ManifestRecord; line: number }> {
  if (!file.endsWith(".json")) {
    for await (const rows of jsonLines(file, options.onProblem)) yield* rows;
    return;
  }
  let table: unknown;
  try {
    table = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new EmosllmError("corpus_invalid", `${file}: no JSON: ${(cause as Error).message}`, { cause });
  }
  let line = 0;
  for (const [key, row] of Object.entries((table ?? {}) as Record<string, unknown>)) {
    line++;
    if (typeof row === "object" && row !== null) yield { row: { key, ...row }, line };
    else options.onProblem?.(problem("annotation_invalid", `${key} is no object`, { path: file, line }));
  }
}

function fromEmoBox(row: ManifestRecord, reading: RecordReading, line: number): Utterance | undefined {
  const dataset = typeof row["dataset"] === "string" ? row["dataset"] : reading.corpus;
  const key = typeof row["key"] === "string" ? row["key"] : undefined;
  const id = key?.startsWith(`${dataset}-`) ? key.slice(dataset.length + 1) : key;
  const channel = "channel_choice" in row ? row["channel_choice"] : CHANNELS[String(row["channel"])];
  row["id"] = id;
  row["corpus"] = dataset;
  row["channel"] = channel;
  const u = fromRecord(row, reading, line);
  if (!u) return undefined;
  return dataset === "iemocap" ? trueSpeaker(u, reading, line) : u;
}

function trueSpeaker(u: Utterance, reading: RecordReading, line: number): Utterance {
  const parsed = parseTurnName(u.id);
  if (!parsed || !/^[FM]$/.test(parsed.speaker)) return u;
  const speaker = String(parsed.session).padStart(2, "0") + parsed.speaker;
  if (u.speaker !== undefined && u.speaker !== speaker)
    reading.onProblem?.(
      problem("speaker_corrected", `${u.speaker} is who wore the markers; ${speaker} speaks`, {
        id: u.id,
        path: reading.path,
        line,
      }),
    );
  const gender = parsed.speaker === "F" ? ("female" as const) : ("male" as const);
  return { ...u, speaker, gender, session: String(parsed.session), dialogue: parsed.dialogue };
}
