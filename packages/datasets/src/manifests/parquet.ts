/** @file Parquet manifests, with the sound in the file as Hugging Face datasets store it (`audio: {bytes, path}`) or beside it. */
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type AudioClip, EmosllmError, type Utterance } from "@emosllm/interfaces";
import type { FileMetaData } from "hyparquet";
import { uniqueRows } from "../loader.ts";
import { openParquet, parquetRows } from "./parquet-cells.ts";
import { type ManifestRecord, fromRecord } from "./record.ts";
import { type ManifestOptions, readingOf } from "./text-manifests.ts";

/** Rows that are read at a time: whole row groups up to here, since a part of one costs as much. */
const MOST_ROWS = 20_000;
/** The same for columns with sound in them, in bytes. */
const MOST_BYTES = 256 * 2 ** 20;

/** Row ranges that are cheap to read. */
function* ranges(metadata: FileMetaData, columns: readonly string[]): Generator<[number, number]> {
  let from = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const bytes = group.columns
      .filter((c) => columns.includes(c.meta_data?.path_in_schema[0] ?? ""))
      .reduce((sum, c) => sum + Number(c.meta_data?.total_uncompressed_size ?? 0), 0);
    const parts = Math.max(1, Math.ceil(rows / MOST_ROWS), Math.ceil(bytes / MOST_BYTES));
    const step = Math.max(1, Math.ceil(rows / parts));
    for (let at = 0; at < rows; at += step) yield [from + at, from + Math.min(rows, at + step)];
    from += rows;
  }
}

/** Where a file keeps its sound. */
interface AudioColumn {
  name: string;
  /** All rows hold bytes, none does, or it must be looked at row by row. */
  embedded: "all" | "none" | "unknown";
}

/**
 * The rows of a Parquet file, or of all Parquet files of a folder. Embedded sound is not read until asked for
 * (`readClipBytes`); ClassLabel columns of Hugging Face datasets give their names.
 * @throws EmosllmError `corpus_not_found`, `corpus_invalid`
 */
export async function* parquet(path: string, options: ManifestOptions = {}): AsyncGenerator<Utterance> {
  const isNew = uniqueRows(options.onProblem);
  for (const file of parquetFiles(path)) yield* readFile(file, options, isNew);
}

function parquetFiles(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new EmosllmError("corpus_not_found", `${path}: no such file or folder`);
  if (!found.isDirectory()) return [path];
  const files = readdirSync(path)
    .filter((name) => /\.parquet$/i.test(name) && !name.startsWith("."))
    .sort();
  if (files.length === 0) throw new EmosllmError("corpus_invalid", `${path}: no .parquet file`);
  return files.map((name) => join(path, name));
}

async function* readFile(
  path: string,
  options: ManifestOptions,
  isNew: ReturnType<typeof uniqueRows>,
): AsyncGenerator<Utterance> {
  const reading = { ...readingOf(path, "parquet", options), audioRoot: options.audioRoot ?? dirname(path) };
  const { metadata } = await openParquet(path);
  const names = topColumns(metadata);
  const audio = audioColumn(metadata, names, options.columns?.audio);
  const classes = classLabels(metadata);
  const hasId = names.some((n) => ["id", "utterance_id", "key", "name", options.columns?.id].includes(n));
  // Reading a struct column reads the bytes too: leave it out when they are all there and the id is told elsewhere.
  const columns = names.filter((n) => n !== audio?.name || audio.embedded !== "all" || !hasId);
  for (const [from, to] of ranges(metadata, columns)) {
    const rows = await parquetRows(path, columns, from, to);
    for (const [i, row] of rows.entries()) {
      const clip = embeddedClip(path, row, audio, from + i);
      for (const [column, labels] of classes) {
        const index = Number(row[column] ?? Number.NaN);
        if (labels[index] !== undefined) row[column] = labels[index];
      }
      const u = fromRecord(row, reading, from + i + 1, clip);
      const kept = u && isNew(u, path, from + i + 1);
      if (kept) yield kept;
    }
  }
}

function embeddedClip(
  path: string,
  row: ManifestRecord,
  audio: AudioColumn | undefined,
  index: number,
): AudioClip | undefined {
  if (!audio || audio.embedded === "none") return undefined;
  const cell = row[audio.name] as { bytes?: unknown } | Uint8Array | null | undefined;
  const bytes = cell instanceof Uint8Array ? cell : cell?.bytes;
  if (audio.embedded === "unknown" && !(bytes instanceof Uint8Array)) return undefined;
  return { path, container: "parquet", member: `${audio.name}[${index}]` };
}

/** Names of the columns at the top, in order. */
function topColumns(metadata: FileMetaData): string[] {
  const names: string[] = [];
  let skip = 0;
  for (const element of metadata.schema.slice(1)) {
    if (skip > 0) skip--;
    else names.push(element.name);
    skip += element.num_children ?? 0;
  }
  return names;
}

function audioColumn(
  metadata: FileMetaData,
  names: readonly string[],
  own: string | undefined,
): AudioColumn | undefined {
  const name = [own, "audio", "speech", "wav"].find((n) => n !== undefined && names.includes(n));
  if (name === undefined) return undefined;
  let nulls = 0;
  let values = 0;
  let known = true;
  let found = false;
  for (const group of metadata.row_groups)
    for (const chunk of group.columns) {
      const meta = chunk.meta_data;
      if (!meta || meta.path_in_schema[0] !== name) continue;
      const leaf = meta.path_in_schema.at(-1);
      if (
        !(
          leaf === "bytes" ||
          (meta.path_in_schema.length === 1 && meta.type === "BYTE_ARRAY" && !isText(metadata, name))
        )
      )
        continue;
      found = true;
      values += Number(meta.num_values);
      if (meta.statistics?.null_count === undefined) known = false;
      else nulls += Number(meta.statistics.null_count);
    }
  if (!found) return { name, embedded: "none" };
  return { name, embedded: !known ? "unknown" : nulls === 0 ? "all" : nulls === values ? "none" : "unknown" };
}

const isText = (metadata: FileMetaData, name: string): boolean => {
  const element = metadata.schema.find((e) => e.name === name);
  return element?.converted_type === "UTF8" || element?.logical_type?.type === "STRING";
};

/** Names of ClassLabel columns, from the metadata that Hugging Face datasets write. */
function classLabels(metadata: FileMetaData): Map<string, string[]> {
  const out = new Map<string, string[]>();
  const value = metadata.key_value_metadata?.find((kv) => kv.key === "huggingface")?.value;
  if (value === undefined) return out;
  try {
    const parsed = JSON.parse(value) as { info?: { features?: Record<string, { _type?: string; names?: unknown }> } };
    for (const [name, feature] of Object.entries(parsed.info?.features ?? {}))
      if (feature?._type === "ClassLabel" && Array.isArray(feature.names)) out.set(name, feature.names.map(String));
  } catch {
    // Metadata of another shape than datasets writes: there are no names then.
  }
  return out;
}
