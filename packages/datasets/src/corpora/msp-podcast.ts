/**
 * @file MSP-Podcast (Lotfian and Busso 2019). `Labels/labels_consensus.{csv,json}` (older releases spell it `concensus`; EmoBox says `label/`),
 * `Audios/` or `Audio/`, `Transcripts/*.txt`, `Labels/labels_detailed.json` with every rater.
 */
import { EmosllmError, type Gender, type SoftLabel, type Utterance } from "@emosllm/interfaces";
import { type CorpusFiles, openCorpusFiles } from "../corpus-files.ts";
import { columnIndex, csvAssembler } from "../csv.ts";
import { type LoaderOptions, cleanList, findFolder, join, uniqueIds } from "../loader.ts";
import { problem, shown } from "../problems.ts";
import { decodeLines, readLineBatches } from "../text.ts";

export interface MspPodcastOptions extends LoaderOptions {
  /** Reads `labels_detailed.json` (all of it at once) for the raters' shares. Default false. */
  softLabels?: boolean;
  /** Reads each turn's transcript file where there is one. Default true. */
  transcripts?: boolean;
}

const LABELS = ["labels_consensus", "labels_concensus"];
const FOLDERS = ["Labels", "labels", "label", "Label"];
/** A angry, H happy, S sad, N neutral, U surprise, F fear, D disgust, C contempt, O other, X no agreement. */
export const MSP_CODES: readonly string[] = ["A", "H", "S", "N", "U", "F", "D", "C", "O", "X"];
const MAJOR: Readonly<Record<string, string>> = {
  angry: "A",
  happy: "H",
  sad: "S",
  neutral: "N",
  surprise: "U",
  fear: "F",
  disgust: "D",
  contempt: "C",
  other: "O",
};
const COLUMNS = ["FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set"];
type Field = (name: string) => string;

/** The turns of MSP-Podcast with consensus label (a letter), attributes on 1 to 7, speaker where known, and official part. */
export async function* mspPodcast(root: string, options: MspPodcastOptions = {}): AsyncGenerator<Utterance> {
  const { onProblem } = options;
  const files = await openCorpusFiles(root);
  const names = (extension: string): string[] => FOLDERS.flatMap((f) => LABELS.map((l) => `${f}/${l}.${extension}`));
  const table = await findFolder(files, [...names("csv"), ...names("json")]);
  if (table === undefined)
    throw new EmosllmError(
      "corpus_invalid",
      `${root}: no MSP-Podcast release: expected Labels/labels_consensus.csv or .json`,
    );
  const base = table.split("/").slice(0, -2).join("/");
  const audio = await existing(files, base, ["Audios", "Audio", "audios", "audio"]);
  const transcripts =
    options.transcripts === false ? undefined : await existing(files, base, ["Transcripts", "transcripts"]);
  const clips = new Set<string>();
  if (audio !== undefined)
    for (const e of await cleanList(files, audio, onProblem)) if (/\.wav$/i.test(e.name)) clips.add(e.name);
  const soft = options.softLabels ? await detailed(files, table, onProblem) : undefined;
  const isNew = uniqueIds(onProblem);
  const named = new Set<string>();
  const path = files.display(table);
  for await (const { get, line } of rows(files, table, onProblem)) {
    const file = get("FileName").trim();
    if (!/^[^/\\]+\.wav$/i.test(file)) {
      onProblem?.(problem("annotation_invalid", `FileName ${shown(file)} is no .wav name`, { path, line }));
      continue;
    }
    named.add(file);
    const u = utterance(file, get, path, line, options);
    if (!u || !isNew(u.id, path, line)) continue;
    const clip = audio === undefined ? "Audios" : audio;
    if (!clips.has(file)) {
      onProblem?.(problem("audio_missing", "no such clip", { id: u.id, path: files.display(join(clip, file)) }));
      if (!options.keepMissing) continue;
    }
    const text = transcripts === undefined ? undefined : await transcript(files, join(transcripts, `${u.id}.txt`));
    const shares = soft?.get(file);
    yield {
      ...u,
      audio: clips.has(file) ? files.clip(join(clip, file)) : { path: files.display(join(clip, file)) },
      ...(text === undefined ? {} : { text }),
      ...(shares ? { softLabel: shares } : {}),
    };
  }
  for (const file of clips) {
    if (named.has(file)) continue;
    const id = file.slice(0, -4);
    const clip = join(audio as string, file);
    onProblem?.(problem("clip_unlabelled", "the table has no such clip", { id, path: files.display(clip) }));
    if (options.keepUnlabelled) yield { id, corpus: "msp-podcast", audio: files.clip(clip), language: "en" };
  }
}

async function existing(files: CorpusFiles, base: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) if (files.has(join(base, name))) return join(base, name);
  return undefined;
}

async function transcript(files: CorpusFiles, path: string): Promise<string | undefined> {
  if (!files.has(path)) return undefined;
  return decodeLines(await files.read(path), files.display(path))
    .map((l) => l.text)
    .join(" ")
    .trim();
}

/** The rows of the table, a CSV on disk in batches. No field of this table holds a line end, so an open quote at the end is dropped. */
async function* rows(
  files: CorpusFiles,
  table: string,
  onProblem: LoaderOptions["onProblem"],
): AsyncGenerator<{ get: Field; line: number | undefined }> {
  const path = files.display(table);
  if (table.endsWith(".json")) {
    for (const [file, row] of Object.entries(await readJson(files, table))) {
      if (typeof row !== "object" || row === null) {
        onProblem?.(problem("annotation_invalid", `${shown(file)} is no object`, { path }));
        continue;
      }
      const fields = row as Record<string, unknown>;
      yield {
        get: (n) => (n === "FileName" ? file : fields[n] === undefined ? "" : String(fields[n])),
        line: undefined,
      };
    }
    return;
  }
  const batches = path.includes("!")
    ? [decodeLines(await files.read(table), path, onProblem, { keepReturns: true })]
    : readLineBatches(path, onProblem, { keepReturns: true });
  const assembler = csvAssembler(path, onProblem);
  let index: Map<string, number> | undefined;
  for await (const batch of batches)
    for (const { fields, line } of batch.flatMap(assembler.push)) {
      if (!index) {
        index = columnIndex(fields, COLUMNS.slice(0, 2), path, onProblem);
        if (!index) return;
      } else if (fields.length !== index.size)
        onProblem?.(
          problem("annotation_invalid", `${fields.length} fields, the header has ${index.size}`, { path, line }),
        );
      else yield { get: (name) => fields[index?.get(name) ?? -1] ?? "", line };
    }
}

async function readJson(files: CorpusFiles, path: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(await files.read(path)).toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new Error("no object");
  } catch (cause) {
    throw new EmosllmError(
      "corpus_invalid",
      `${files.display(path)}: no JSON object by file name: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function utterance(
  file: string,
  get: Field,
  path: string,
  line: number | undefined,
  options: LoaderOptions,
): Omit<Utterance, "audio"> | undefined {
  const id = file.slice(0, -4);
  const at = { id, path, line };
  const label = get("EmoClass").trim();
  if (!MSP_CODES.includes(label)) {
    options.onProblem?.(problem("label_unknown", `EmoClass ${shown(label)} is none of ${MSP_CODES.join(", ")}`, at));
    return undefined;
  }
  if (label === "X") options.onProblem?.(problem("label_no_agreement", "the raters did not agree (X)", at));
  const u: Omit<Utterance, "audio"> = { id, corpus: "msp-podcast", label, language: "en" };
  const m = /^(?:MSP-PODCAST_)?(\d+)_(\d+)/i.exec(id);
  if (m) u.attributes = { podcast: m[1] as string, segment: m[2] as string };
  const speaker = get("SpkrID").trim();
  if (speaker !== "" && speaker.toLowerCase() !== "unknown") u.speaker = speaker;
  else options.onProblem?.(problem("speaker_unknown", "SpkrID is Unknown", at));
  const gender = get("Gender").trim().toLowerCase();
  if (["male", "female"].includes(gender)) u.gender = gender as Gender;
  for (const [key, column] of [
    ["valence", "EmoVal"],
    ["activation", "EmoAct"],
    ["dominance", "EmoDom"],
  ] as const) {
    const raw = get(column).trim();
    if (raw === "") continue;
    const value = Number(raw);
    if (value >= 1 && value <= 7) u[key] = value;
    else options.onProblem?.(problem("value_invalid", `${column} ${shown(raw)} lies outside 1 to 7; left out`, at));
  }
  const split = get("Split_Set").trim();
  if (split !== "") u.split = split;
  return u;
}

/** Raters' shares by file from `labels_detailed.json`: file -> worker -> EmoClass_Major. */
async function detailed(
  files: CorpusFiles,
  table: string,
  onProblem: LoaderOptions["onProblem"],
): Promise<Map<string, SoftLabel>> {
  const path = join(table.split("/").slice(0, -1).join("/"), "labels_detailed.json");
  const out = new Map<string, SoftLabel>();
  if (!files.has(path)) return out;
  for (const [file, workers] of Object.entries(await readJson(files, path))) {
    const votes = new Map<string, number>();
    for (const rating of Object.values((workers ?? {}) as Record<string, unknown>)) {
      const word = String((rating as Record<string, unknown> | null)?.["EmoClass_Major"] ?? "");
      const code = MAJOR[(/^[a-z]+/i.exec(word)?.[0] ?? "").toLowerCase()];
      if (code === undefined)
        onProblem?.(problem("label_unknown", `EmoClass_Major ${shown(word)}`, { id: file, path: files.display(path) }));
      else votes.set(code, (votes.get(code) ?? 0) + 1);
    }
    const total = [...votes.values()].reduce((a, b) => a + b, 0);
    if (total > 0) out.set(file, Object.fromEntries([...votes].map(([c, n]) => [c, n / total])));
  }
  return out;
}
