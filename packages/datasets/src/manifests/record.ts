/** @file The one flat record that all manifests share: how an utterance is written to a row, and read back from one. */
import { isAbsolute, resolve } from "node:path";
import type { AudioClip, ChannelChoice, Gender, SoftLabel, Utterance } from "@emosllm/interfaces";
import { type OnProblem, problem, shown } from "../problems.ts";

/** The columns of an export, in order. */
export const RECORD_COLUMNS = [
  "id",
  "audio",
  "start",
  "end",
  "text",
  "label",
  "soft_label",
  "speaker",
  "gender",
  "session",
  "dialogue",
  "turn",
  "valence",
  "activation",
  "dominance",
  "split",
] as const;
/** Columns that are written only when asked for or needed. */
export const EXTRA_COLUMNS = ["channel", "language", "corpus", "duration", "attributes"] as const;
/** One of the columns. */
export type RecordColumn = (typeof RECORD_COLUMNS)[number] | (typeof EXTRA_COLUMNS)[number];

/** One row; unknown is null. */
export type ManifestRecord = Record<string, unknown>;

/** Names that other tools use for our columns, first match counts. */
const ALIASES: Readonly<Record<RecordColumn, readonly string[]>> = {
  id: ["id", "utterance_id", "key", "name"],
  audio: ["audio", "wav", "path", "file", "audio_path", "audio_filepath", "filename", "file_name"],
  start: ["start", "start_time"],
  end: ["end", "end_time"],
  text: ["text", "transcript", "transcription", "sentence"],
  label: ["label", "emotion", "emo", "major_emotion"],
  soft_label: ["soft_label"],
  speaker: ["speaker", "spk", "speaker_id", "actor"],
  gender: ["gender", "sex"],
  session: ["session"],
  dialogue: ["dialogue", "dialogue_id", "dialog"],
  turn: ["turn"],
  valence: ["valence", "EmoVal"],
  activation: ["activation", "arousal", "EmoAct"],
  dominance: ["dominance", "EmoDom"],
  split: ["split", "partition", "set", "Split_Set"],
  channel: ["channel"],
  language: ["language", "lang"],
  corpus: ["corpus", "dataset"],
  duration: ["duration", "length"],
  attributes: ["attributes"],
};

/** The absolute path `/a/b.wav`, or `tar://member::/a/b.tar` and `parquet://column[row]::/a/b.parquet` (fsspec's way to chain). */
export function audioReference(clip: AudioClip): string {
  const path = resolve(clip.path);
  return clip.container === undefined
    ? path
    : `${clip.container === "parquet" ? "parquet" : "tar"}://${clip.member}::${path}`;
}

/** The reverse of {@link audioReference}; relative paths count from `root`. */
export function parseAudioReference(reference: string, root: string): AudioClip {
  const m = /^(tar|parquet):\/\/(.+)::(.+)$/s.exec(reference);
  const path = m ? (m[3] as string) : reference;
  const full = isAbsolute(path) ? path : resolve(root, path);
  if (!m) return { path: full };
  const container = m[1] === "parquet" ? "parquet" : /\.(tar\.gz|tgz)$/i.test(full) ? "tar.gz" : "tar";
  return { path: full, container, member: m[2] as string };
}

/** An utterance as a row with {@link RECORD_COLUMNS}. */
export function toRecord(
  u: Utterance,
  extra: readonly RecordColumn[] = [],
  split: string | undefined = u.split,
): ManifestRecord {
  const row: ManifestRecord = {
    id: u.id,
    audio: audioReference(u.audio),
    start: u.audio.start ?? null,
    end: u.audio.end ?? null,
    text: u.text ?? null,
    label: u.label ?? null,
    soft_label: u.softLabel ?? null,
    speaker: u.speaker ?? null,
    gender: u.gender ?? null,
    session: u.session ?? null,
    dialogue: u.dialogue ?? null,
    turn: u.turn ?? null,
    valence: u.valence ?? null,
    activation: u.activation ?? null,
    dominance: u.dominance ?? null,
    split: split ?? null,
  };
  const more: ManifestRecord = {
    channel: u.audio.channel ?? null,
    language: u.language ?? null,
    corpus: u.corpus,
    duration: u.audio.duration ?? null,
    attributes: u.attributes ?? null,
  };
  for (const column of extra) row[column] = more[column] ?? null;
  return row;
}

/** How to read rows. */
export interface RecordReading {
  /** For rows that do not say it. */
  corpus: string;
  /** Relative audio paths count from here. */
  audioRoot: string;
  /** Our column -> the manifest's own name for it, where it is none of the usual ones. */
  columns?: Partial<Record<RecordColumn, string>>;
  onProblem?: OnProblem | undefined;
  path: string;
}

const GENDERS: Readonly<Record<string, Gender>> = {
  m: "male",
  male: "male",
  man: "male",
  f: "female",
  female: "female",
  woman: "female",
  other: "other",
  unknown: "unknown",
};

const text = (value: unknown): string | undefined => {
  if (typeof value === "string") return value === "" ? undefined : value;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return String(value);
  return undefined;
};

const ALL_COLUMNS = Object.keys(ALIASES) as RecordColumn[];
const COLUMN_NUMBERS = Object.fromEntries(ALL_COLUMNS.map((c, i) => [c, i])) as Record<RecordColumn, number>;

/** What a manifest's name can mean: our column, and its place among that column's names. */
type NameTable = ReadonlyMap<string, readonly { column: number; rank: number }[]>;

function nameTable(own: RecordReading["columns"]): NameTable {
  const table = new Map<string, { column: number; rank: number }[]>();
  for (const column of ALL_COLUMNS)
    for (const [rank, name] of (own?.[column] === undefined ? ALIASES[column] : [own[column]]).entries())
      table.set(name, [...(table.get(name) ?? []), { column: COLUMN_NUMBERS[column], rank }]);
  return table;
}

const USUAL = nameTable(undefined);
const tables = new WeakMap<object, NameTable>();

function columnsByName(own: RecordReading["columns"]): NameTable {
  if (!own) return USUAL;
  let table = tables.get(own);
  if (!table) tables.set(own, (table = nameTable(own)));
  return table;
}

/** One pass over the row's keys; of several names for one column the first of {@link ALIASES} that has a value counts. */
function byColumn(row: ManifestRecord, table: NameTable): unknown[] {
  const values: unknown[] = Array.from({ length: ALL_COLUMNS.length });
  const ranks = new Uint8Array(ALL_COLUMNS.length).fill(255);
  for (const key in row) {
    const meanings = table.get(key);
    if (!meanings) continue;
    const value = row[key];
    if (value === undefined || value === null) continue;
    for (const { column, rank } of meanings)
      if (rank < (ranks[column] as number)) {
        ranks[column] = rank;
        values[column] = value;
      }
  }
  return values;
}

/** A row to an utterance; undefined (and a problem) for a row without usable audio. `audio` overrides the row's own. */
export function fromRecord(
  row: ManifestRecord,
  reading: RecordReading,
  line?: number,
  audio?: AudioClip,
): Utterance | undefined {
  const { onProblem, path } = reading;
  const values = byColumn(row, columnsByName(reading.columns));
  const get = (column: RecordColumn): unknown => values[COLUMN_NUMBERS[column]];
  const reference = get("audio");
  const file = typeof reference === "object" ? (reference as { path?: unknown } | null)?.path : reference;
  if (!audio && (typeof file !== "string" || file === "")) {
    onProblem?.(problem("annotation_invalid", `no audio in ${shown(safeJson(row))}`, { path, line }));
    return undefined;
  }
  const clip = audio ?? parseAudioReference(file as string, reading.audioRoot);
  const id = text(get("id")) ?? (typeof file === "string" && file !== "" ? stem(file) : `row-${line}`);
  const at = { id, path, line };
  const number = (column: RecordColumn): number | undefined => {
    const value = get(column);
    if (value === undefined || value === null || value === "") return undefined;
    const n =
      typeof value === "bigint" ? Number(value) : typeof value === "string" ? Number(value.trim() || "x") : value;
    if (typeof n === "number" && Number.isFinite(n)) return n;
    onProblem?.(problem("value_invalid", `${column} ${shown(String(value))} is no number; left out`, at));
    return undefined;
  };
  const [start, end] = [number("start"), number("end")];
  if ((start !== undefined && start < 0) || (end !== undefined && end <= (start ?? 0))) {
    onProblem?.(problem("annotation_invalid", `a clip from ${start ?? 0} s to ${end} s`, at));
    return undefined;
  }
  if (start !== undefined) clip.start = start;
  if (end !== undefined) clip.end = end;
  const duration = number("duration");
  if (duration !== undefined && duration >= 0) clip.duration = duration;
  const channel = channelOf(get("channel"));
  if (channel !== undefined) clip.channel = channel;

  const u: Utterance = { id, corpus: text(get("corpus")) ?? reading.corpus, audio: clip };
  for (const column of ["text", "label", "speaker", "session", "dialogue", "split", "language"] as const) {
    const value = text(get(column));
    if (value !== undefined) u[column] = value;
  }
  const gender = GENDERS[text(get("gender"))?.trim().toLowerCase() ?? ""];
  if (gender) u.gender = gender;
  for (const column of ["valence", "activation", "dominance"] as const) {
    const value = number(column);
    if (value !== undefined) u[column] = value;
  }
  const turn = number("turn");
  if (turn !== undefined && Number.isInteger(turn)) u.turn = turn;
  else if (turn !== undefined) onProblem?.(problem("value_invalid", `turn ${turn} is no whole number; left out`, at));
  const soft = softLabelOf(get("soft_label"));
  if (soft === "invalid")
    onProblem?.(problem("value_invalid", "soft_label holds no shares that sum to 1; left out", at));
  else if (soft) u.softLabel = soft;
  const attributes = objectOf(get("attributes"));
  if (attributes)
    u.attributes = Object.fromEntries(
      Object.entries(attributes).flatMap(([k, v]) => (text(v) === undefined ? [] : [[k, text(v) as string]])),
    );
  return u;
}

/** The file name without folder and ending. */
export const stem = (path: string): string =>
  (path.split(/[/\\]/).at(-1) ?? path).replace(/\.[A-Za-z0-9]{1,5}$/, "") || path;

function channelOf(value: unknown): ChannelChoice | undefined {
  if (value === "centre" || value === "center") return "centre";
  if (value === "downmix") return "downmix";
  const n = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof n === "number" && Number.isInteger(n) && n >= 0 ? n : undefined;
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  let found = value;
  if (typeof value === "string" && value.startsWith("{")) {
    try {
      found = JSON.parse(value);
    } catch {
      return undefined;
    }
  }
  return typeof found === "object" && found !== null && !Array.isArray(found)
    ? (found as Record<string, unknown>)
    : undefined;
}

function softLabelOf(value: unknown): SoftLabel | undefined | "invalid" {
  if (value === undefined || value === null || value === "") return undefined;
  const found = objectOf(value);
  if (!found) return "invalid";
  const out: Record<string, number> = {};
  let total = 0;
  for (const [label, share] of Object.entries(found)) {
    if (share === null) continue; // a struct column has every label in every row
    if (typeof share !== "number" || !(share >= 0 && share <= 1)) return "invalid";
    out[label] = share;
    total += share;
  }
  return Math.abs(total - 1) < 1e-3 ? out : "invalid";
}

/** JSON of anything a file can hold. */
export function safeJson(value: unknown): string {
  return (
    JSON.stringify(value, (_, v: unknown) =>
      typeof v === "bigint" ? Number(v) : v instanceof Uint8Array ? `${v.length} bytes` : v,
    ) ?? ""
  );
}
