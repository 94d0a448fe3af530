/**
 * @file MELD (Poria et al. 2019): dialogues of a television series in three official parts, `{part}_sent_emo.csv` and one clip per
 * turn. Reads the unpacked release in its usual layouts, the three inner `.tar.gz`, or `MELD.Raw.tar.gz` itself.
 */
import { EmosllmError, type Gender, type Utterance } from "@emosllm/interfaces";
import { type CorpusFiles, openCorpusFiles } from "../corpus-files.ts";
import { columnIndex, csvRecords } from "../csv.ts";
import { type LoaderOptions, cleanList, findFolder, join, uniqueIds } from "../loader.ts";
import { problem, shown } from "../problems.ts";

export interface MeldOptions extends LoaderOptions {
  /** Which parts. Default all. */
  parts?: readonly MeldPart[];
  /** Also gives the clips that are known to be broken. Default false. */
  keepBroken?: boolean;
}

/** MELD's own part names. */
export type MeldPart = "train" | "dev" | "test";

const CLIPS: Readonly<Record<MeldPart, string>> = {
  train: "train_splits",
  dev: "dev_splits_complete",
  test: "output_repeated_splits_test",
};
export const MELD_EMOTIONS: readonly string[] = ["neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"];
const SENTIMENTS = ["negative", "neutral", "positive"];
const GENDERS: Readonly<Record<string, Gender>> = {
  Monica: "female",
  Rachel: "female",
  Phoebe: "female",
  Ross: "male",
  Joey: "male",
  Chandler: "male",
};
/** Cannot be decoded in the published release (MELD issues 39 and 52). */
const BROKEN = new Set(["train_dia125_utt3"]);
/** Far longer than the turn they name (MELD issue 20). */
const WRONG_CUT: Readonly<Record<string, string>> = {
  test_dia38_utt4: "304.96 s",
  test_dia220_utt0: "235.07 s",
  train_dia309_utt0: "41.05 s",
};
const REQUIRED = ["Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"];

/**
 * The turns of MELD with id `train_dia0_utt0`, official part, emotion as label and `attributes.sentiment`.
 * The clips' sound is 5.1 with speech in the centre, or stereo: `audio.channel` is `centre`.
 * @throws EmosllmError `corpus_not_found`, `corpus_invalid` when no part's table is found.
 */
export async function* meld(root: string, options: MeldOptions = {}): AsyncGenerator<Utterance> {
  const files = await openCorpusFiles(root);
  let tables = 0;
  for (const part of options.parts ?? (["train", "dev", "test"] as const)) {
    const table = await findFolder(files, [`${part}_sent_emo.csv`, `${part}/${part}_sent_emo.csv`]);
    if (table === undefined) {
      // The parts' tables lie inside the parts' archives in some copies.
      const inner = await findFolder(files, [`${part}.tar.gz`]);
      if (inner === undefined || !files.has(inner)) continue;
    }
    tables++;
    yield* readPart(part, files, table, options);
  }
  if (tables === 0)
    throw new EmosllmError(
      "corpus_invalid",
      `${root}: no MELD release: expected train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv there or one folder below`,
    );
}

interface Clips {
  files: CorpusFiles;
  folder: string;
  /** Stem to file name; sound that was taken out of the video comes first. */
  names: Map<string, string>;
}

async function findClips(part: MeldPart, files: CorpusFiles, options: LoaderOptions): Promise<Clips | undefined> {
  const candidates = [CLIPS[part], `${part}/${CLIPS[part]}`];
  let holder = files;
  let folder = await findFolder(files, candidates);
  if (folder === undefined) {
    const inner = await findFolder(files, [`${part}.tar.gz`]);
    if (inner === undefined || files.display(inner).includes("!")) return undefined;
    holder = await openCorpusFiles(files.display(inner));
    folder = await findFolder(holder, candidates);
    if (folder === undefined) return undefined;
  }
  const names = new Map<string, string>();
  for (const e of await cleanList(holder, folder, options.onProblem)) {
    const m = /^(.*)\.(wav|flac|mp3|m4a|mp4)$/i.exec(e.name);
    if (m && !e.folder && (/\.(wav|flac)$/i.test(e.name) || !names.has(m[1] as string)))
      names.set(m[1] as string, e.name);
  }
  return { files: holder, folder, names };
}

async function* readPart(
  part: MeldPart,
  files: CorpusFiles,
  tablePath: string | undefined,
  options: MeldOptions,
): AsyncGenerator<Utterance> {
  const { onProblem } = options;
  const clips = await findClips(part, files, options);
  let holder = files;
  let table = tablePath;
  if (table === undefined && clips) {
    holder = clips.files;
    table = await findFolder(holder, [`${part}_sent_emo.csv`, `${part}/${part}_sent_emo.csv`]);
  }
  if (table === undefined) throw new EmosllmError("corpus_invalid", `${files.root}: no ${part}_sent_emo.csv`);
  const path = holder.display(table);
  const isNew = uniqueIds(onProblem);
  const named = new Set<string>();
  let index: Map<string, number> | undefined;
  for (const { fields, line } of csvRecords(await holder.read(table), path, onProblem)) {
    if (!index) {
      index = columnIndex(fields, REQUIRED, path, onProblem);
      if (!index) return;
      continue;
    }
    const get = (name: string): string => fields[index?.get(name) ?? -1] ?? "";
    const row = readRow(part, get, fields.length, index.size, path, line, options);
    if (!row) continue;
    const stem = row.id.slice(part.length + 1);
    named.add(stem);
    if (!isNew(row.id, path, line)) continue;
    const at = { id: row.id, path };
    const file = clips?.names.get(stem);
    if (file === undefined || !clips) {
      onProblem?.(problem("audio_missing", `no clip ${stem} in ${clips?.folder ?? CLIPS[part]}`, at));
      if (options.keepMissing) yield { ...row, audio: { path: files.display(join(CLIPS[part], `${stem}.mp4`)) } };
      continue;
    }
    if (BROKEN.has(row.id)) {
      onProblem?.(problem("audio_known_broken", "cannot be decoded in the published release", at));
      if (!options.keepBroken) continue;
    }
    const cut = WRONG_CUT[row.id];
    if (cut !== undefined) onProblem?.(problem("audio_wrong_cut", `lasts ${cut} in the published release`, at));
    const { duration } = row;
    const audio = clips.files.clip(join(clips.folder, file));
    delete row.duration;
    yield { ...row, audio: { ...audio, channel: "centre", ...(duration === undefined ? {} : { duration }) } };
  }
  if (clips) yield* unlabelled(part, clips, named, options);
}

async function* unlabelled(
  part: MeldPart,
  clips: Clips,
  named: ReadonlySet<string>,
  options: MeldOptions,
): AsyncGenerator<Utterance> {
  for (const [stem, file] of clips.names) {
    if (named.has(stem)) continue;
    const path = join(clips.folder, file);
    const id = `${part}_${stem}`;
    options.onProblem?.(
      problem("clip_unlabelled", "the table has no such turn", { id, path: clips.files.display(path) }),
    );
    if (options.keepUnlabelled)
      yield {
        id,
        corpus: "meld",
        audio: { ...clips.files.clip(path), channel: "centre" },
        language: "en",
        split: part,
      };
  }
}

type Row = Omit<Utterance, "audio"> & { duration?: number };

function readRow(
  part: MeldPart,
  get: (name: string) => string,
  width: number,
  columns: number,
  path: string,
  line: number,
  options: MeldOptions,
): Row | undefined {
  const bad = (why: string, code: "annotation_invalid" | "label_unknown" = "annotation_invalid"): undefined => {
    options.onProblem?.(problem(code, why, { path, line }));
    return undefined;
  };
  if (width !== columns) return bad(`${width} fields, the header has ${columns}`);
  const [dialogue, turn] = [get("Dialogue_ID").trim(), get("Utterance_ID").trim()];
  if (!/^\d{1,9}$/.test(dialogue) || !/^\d{1,9}$/.test(turn))
    return bad(`Dialogue_ID ${shown(dialogue)} and Utterance_ID ${shown(turn)} must be numbers`);
  const label = get("Emotion").trim().toLowerCase();
  if (!MELD_EMOTIONS.includes(label))
    return bad(`${shown(label)} is none of ${MELD_EMOTIONS.join(", ")}`, "label_unknown");
  const sentiment = get("Sentiment").trim().toLowerCase();
  if (!SENTIMENTS.includes(sentiment))
    return bad(`${shown(sentiment)} is none of ${SENTIMENTS.join(", ")}`, "label_unknown");
  const speaker = get("Speaker").trim();
  const row: Row = {
    id: `${part}_dia${Number(dialogue)}_utt${Number(turn)}`,
    corpus: "meld",
    text: get("Utterance"),
    dialogue: `${part}_dia${Number(dialogue)}`,
    turn: Number(turn),
    label,
    language: "en",
    split: part,
    attributes: { sentiment, season: get("Season"), episode: get("Episode") },
  };
  if (speaker !== "") row.speaker = speaker;
  const gender = GENDERS[speaker];
  if (gender) row.gender = gender;
  const duration = seconds(get("EndTime")) - seconds(get("StartTime"));
  if (duration > 0) row.duration = duration;
  return row;
}

/** `00:16:16,059` to seconds; NaN when it is something else. */
function seconds(time: string): number {
  const m = /^(\d+):(\d\d):(\d\d)[,.](\d{1,3})$/.exec(time.trim());
  return m ? Number(m[1]) * 3600 + Number(m[2]) * 60 + Number(m[3]) + Number(`0.${m[4]}`) : Number.NaN;
}
