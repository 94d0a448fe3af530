/** @file Writes utterances, with their part of a split, as JSONL, CSV, Parquet, EmoBox metadata or ms-swift lines. All of it or nothing: a temporary name, then a rename. */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import type { SchemaElement } from "hyparquet";
import { readClipBytes } from "./clip-bytes.ts";
import { probeClip } from "./probe.ts";
import {
  type EXTRA_COLUMNS,
  type ManifestRecord,
  RECORD_COLUMNS,
  type RecordColumn,
  audioReference,
  toRecord,
} from "./manifests/record.ts";
import { PARTS, type Split } from "./split.ts";

export const EXPORT_FORMATS = ["jsonl", "csv", "parquet", "emobox", "ms-swift"] as const;
/** One of {@link EXPORT_FORMATS}. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  format: ExportFormat;
  /** Only utterances of the split are written, each with its part. Without one, the corpus' own parts stay. */
  split?: Split;
  /** More columns than {@link RECORD_COLUMNS}. `channel` is added when an utterance has one. */
  extra?: readonly (typeof EXTRA_COLUMNS)[number][];
  /** Parquet: puts the sound files' bytes into the table. Default false: `bytes` is null and `path` tells. */
  embedAudio?: boolean;
  /** ms-swift: the question after `<audio>`. */
  prompt?: string;
}

/** What was written. */
export interface ExportResult {
  path: string;
  rows: number;
  sha256: string;
}

/** The question of an ms-swift line. */
export const DEFAULT_PROMPT = "What emotion does the speaker express?";

interface Row {
  utterance: Utterance;
  split: string | undefined;
}

/**
 * Writes one file.
 * @throws EmosllmError `config_invalid` for a format there is not, `corpus_invalid` when nothing is left to write or an
 * utterance is in two parts, `disk_full` when the disk is full.
 */
export async function exportCorpus(
  utterances: Iterable<Utterance> | AsyncIterable<Utterance>,
  path: string,
  options: ExportOptions,
): Promise<ExportResult> {
  const write = Object.hasOwn(WRITERS, options.format) ? WRITERS[options.format] : undefined;
  if (!write)
    throw new EmosllmError("config_invalid", `no format ${options.format}; there are ${EXPORT_FORMATS.join(", ")}`);
  const rows = await chosen(utterances, options.split);
  if (rows.length === 0) throw new EmosllmError("corpus_invalid", `${path}: no utterance to write`);
  const extra = new Set<RecordColumn>(options.extra ?? []);
  if (rows.some((r) => r.utterance.audio.channel !== undefined)) extra.add("channel");
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await write(temporary, rows, [...extra], options);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    if ((cause as NodeJS.ErrnoException).code === "ENOSPC")
      throw new EmosllmError("disk_full", `${path}: the disk is full`, { cause });
    throw cause;
  }
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return { path, rows: rows.length, sha256: hash.digest("hex") };
}

async function chosen(utterances: Iterable<Utterance> | AsyncIterable<Utterance>, split?: Split): Promise<Row[]> {
  const partOf = new Map<string, string>();
  if (split)
    for (const part of PARTS)
      for (const id of split[part]) {
        if (partOf.has(id))
          throw new EmosllmError("corpus_invalid", `${split.protocol}: ${id} is in ${partOf.get(id)} and in ${part}`);
        partOf.set(id, part);
      }
  const rows: Row[] = [];
  for await (const utterance of utterances) {
    const part = split ? partOf.get(utterance.id) : utterance.split;
    if (!split || part !== undefined) rows.push({ utterance, split: part });
  }
  return rows;
}

type Writer = (
  path: string,
  rows: readonly Row[],
  extra: readonly RecordColumn[],
  options: ExportOptions,
) => Promise<void>;

async function writeLines(path: string, lines: Iterable<string> | AsyncIterable<string>): Promise<void> {
  await pipeline(async function* () {
    let block = "";
    for await (const line of lines) {
      block += line;
      if (block.length > 1 << 16) {
        yield block;
        block = "";
      }
    }
    yield block;
  }, createWriteStream(path));
}

const cell = (value: unknown): string => {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

function* csvLines(rows: readonly Row[], extra: readonly RecordColumn[]): Generator<string> {
  const columns = [...RECORD_COLUMNS, ...extra];
  yield `${columns.join(",")}\n`;
  for (const { utterance, split } of rows) {
    const record = toRecord(utterance, extra, split);
    yield `${columns.map((c) => cell(record[c])).join(",")}\n`;
  }
}

function* jsonLines(rows: readonly Row[], extra: readonly RecordColumn[]): Generator<string> {
  for (const { utterance, split } of rows) yield `${JSON.stringify(toRecord(utterance, extra, split))}\n`;
}

function* msSwiftLines(rows: readonly Row[], extra: readonly RecordColumn[], prompt: string): Generator<string> {
  for (const { utterance, split } of rows) {
    const { audio, ...record } = toRecord(utterance, extra, split);
    const messages = [
      { role: "user", content: `<audio>${prompt}` },
      { role: "assistant", content: utterance.label ?? "" },
    ];
    yield `${JSON.stringify({ messages, audios: [audio], ...record })}\n`;
  }
}

/** EmoBox's own keys first, then ours; `length`, `sample_rate` and `num_frame` come from the sound file's header. */
async function* emoboxLines(rows: readonly Row[], extra: readonly RecordColumn[]): AsyncGenerator<string> {
  for (const { utterance: u, split } of rows) {
    const found = await probeClip(u.audio);
    const header = "header" in found ? found.header : undefined;
    const { id, audio, start, end, label, speaker, channel, ...rest } = toRecord(u, extra, split);
    const line: ManifestRecord = {
      key: `${u.corpus}-${id as string}`,
      dataset: u.corpus,
      wav: audio,
      type: "raw",
      sample_rate: header?.sampleRate ?? null,
      num_frame: header?.frames ?? null,
      task: "category",
      length: header?.seconds ?? u.audio.duration ?? null,
      emo: label,
      channel: header === undefined || header.channels === 1 ? 1 : header.channels === 2 ? 2 : 3,
    };
    line["channel_choice"] = channel ?? null;
    if (start !== null) line["start_time"] = start;
    if (end !== null) line["end_time"] = end;
    yield `${JSON.stringify({ ...line, spk: speaker, ...rest })}\n`;
  }
}

const TEXT = { type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" } as const;
const DOUBLE = { type: "DOUBLE", repetition_type: "OPTIONAL" } as const;
const INTEGER = { type: "INT32", repetition_type: "OPTIONAL" } as const;
const NUMBERS: ReadonlySet<string> = new Set(["start", "end", "valence", "activation", "dominance", "duration"]);

function parquetSchema(columns: readonly string[]): SchemaElement[] {
  const schema: SchemaElement[] = [{ name: "root", num_children: columns.length }];
  for (const name of columns) {
    if (name === "audio")
      schema.push(
        { name, num_children: 2, repetition_type: "OPTIONAL" },
        { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
        { name: "path", ...TEXT },
      );
    else schema.push({ name, ...(NUMBERS.has(name) ? DOUBLE : name === "turn" ? INTEGER : TEXT) });
  }
  return schema;
}

/** What Hugging Face datasets read to know that `audio` is sound. */
function featureMetadata(columns: readonly string[]): string {
  const features: Record<string, unknown> = {};
  for (const name of columns)
    features[name] =
      name === "audio"
        ? { _type: "Audio" }
        : { dtype: NUMBERS.has(name) ? "float64" : name === "turn" ? "int32" : "string", _type: "Value" };
  return JSON.stringify({ info: { features } });
}

async function writeParquet(
  path: string,
  rows: readonly Row[],
  extra: readonly RecordColumn[],
  options: ExportOptions,
): Promise<void> {
  const { fileWriter, parquetWriteRows } = await import("hyparquet-writer");
  const columns = [...RECORD_COLUMNS, ...extra];
  const records = async function* (): AsyncGenerator<ManifestRecord> {
    for (const { utterance, split } of rows) {
      const record = toRecord(utterance, extra, split);
      for (const name of ["soft_label", "attributes", "channel"])
        if (record[name] !== null && record[name] !== undefined)
          record[name] = typeof record[name] === "object" ? JSON.stringify(record[name]) : String(record[name]);
      const bytes = options.embedAudio ? await readClipBytes(utterance.audio) : null;
      yield { ...record, audio: { bytes, path: audioReference(utterance.audio) } };
    }
  };
  await parquetWriteRows({
    writer: fileWriter(path),
    rows: records(),
    columns: columns.map((name) => ({ name })),
    schema: parquetSchema(columns),
    // Readers take one row of sound at a time: small groups keep that cheap.
    rowGroupSize: options.embedAudio ? 64 : 10_000,
    kvMetadata: [{ key: "huggingface", value: featureMetadata(columns) }],
    createdBy: "@emosllm/datasets",
  });
}

const WRITERS: Readonly<Record<ExportFormat, Writer>> = {
  jsonl: (path, rows, extra) => writeLines(path, jsonLines(rows, extra)),
  csv: (path, rows, extra) => writeLines(path, csvLines(rows, extra)),
  parquet: writeParquet,
  emobox: (path, rows, extra) => writeLines(path, emoboxLines(rows, extra)),
  "ms-swift": (path, rows, extra, options) =>
    writeLines(path, msSwiftLines(rows, extra, options.prompt ?? DEFAULT_PROMPT)),
};
