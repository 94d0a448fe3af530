/** @file IEMOCAP (Busso et al. 2008): five dyadic sessions of two speakers each. Release layout: `Session{1..5}/{dialog,sentences}/...`. */
import { EmosllmError, type AudioClip, type Gender, type Utterance } from "@emosllm/interfaces";
import { type CorpusFiles, openCorpusFiles } from "../corpus-files.ts";
import { type LoaderOptions, cleanList, join, uniqueIds } from "../loader.ts";
import { problem, shown } from "../problems.ts";
import {
  IEMOCAP_CODES,
  type IemocapTurn,
  parseIemocapEvaluation,
  parseIemocapTranscript,
  parseTurnName,
} from "./iemocap-annotations.ts";

export interface IemocapOptions extends LoaderOptions {
  /** `sentences`: the release's cut turns; `dialogue`: the whole recording with start and end. Default `sentences`. */
  audio?: "sentences" | "dialogue";
  /** Leaves `[LAUGHTER]`, `[BREATHING]`, ... out of the text. Default false. */
  stripTags?: boolean;
}

const GENDERS: Readonly<Record<string, Gender>> = { F: "female", M: "male" };

/**
 * The rated turns of IEMOCAP in dialogue order, with raw label codes (`ang`, ..., `xxx`), raters' shares, and the **true**
 * speaker (`01M`): the letter of the turn, not that of the dialogue, which tells who wore the markers.
 *
 * @param root The release's folder, the folder that holds it, or its `.tar` / `.tar.gz`.
 * @throws EmosllmError `corpus_not_found` when there is nothing, `corpus_invalid` when nothing there looks like IEMOCAP.
 * @example
 * for await (const u of iemocap("IEMOCAP_full_release")) console.log(u.id, u.speaker, u.label, u.text);
 * // Ses01F_impro01_F000 01F neu Excuse me.
 */
export async function* iemocap(root: string, options: IemocapOptions = {}): AsyncGenerator<Utterance> {
  const files = await openCorpusFiles(root);
  const { base, sessions } = await findSessions(files);
  const isNew = uniqueIds(options.onProblem);
  for (const session of sessions) {
    const folder = join(base, session, "dialog/EmoEvaluation");
    for (const entry of await cleanList(files, folder, options.onProblem))
      if (!entry.folder && entry.name.endsWith(".txt"))
        yield* dialogueTurns(files, join(base, session), entry.name.slice(0, -4), isNew, options);
  }
}

async function findSessions(files: CorpusFiles): Promise<{ base: string; sessions: string[] }> {
  const bases = ["", ...(await files.list("")).filter((e) => e.folder && !e.name.startsWith(".")).map((e) => e.name)];
  for (const base of bases) {
    const sessions = (await files.list(base))
      .filter((e) => e.folder && /^Session\d+$/.test(e.name) && files.has(join(base, e.name, "dialog/EmoEvaluation")))
      .map((e) => e.name)
      .sort((a, b) => Number(a.slice(7)) - Number(b.slice(7)));
    if (sessions.length > 0) return { base, sessions };
  }
  throw new EmosllmError(
    "corpus_invalid",
    `${files.root}: no IEMOCAP release: expected Session1/dialog/EmoEvaluation there or one folder below`,
  );
}

async function* dialogueTurns(
  files: CorpusFiles,
  session: string,
  dialogue: string,
  isNew: (id: string, path: string, line?: number) => boolean,
  options: IemocapOptions,
): AsyncGenerator<Utterance> {
  const { onProblem } = options;
  const path = join(session, "dialog/EmoEvaluation", `${dialogue}.txt`);
  const shownPath = files.display(path);
  const turns = parseIemocapEvaluation(await files.read(path), shownPath, onProblem);
  turns.sort((a, b) => a.start - b.start || a.line - b.line);

  const transcriptPath = join(session, "dialog/transcriptions", `${dialogue}.txt`);
  const transcript = files.display(transcriptPath);
  let texts = new Map<string, string>();
  if (files.has(transcriptPath))
    texts = parseIemocapTranscript(await files.read(transcriptPath), transcript, onProblem);
  else onProblem?.(problem("text_missing", "the dialogue has no transcript file", { path: transcript }));

  const wavFolder = join(session, "sentences/wav", dialogue);
  const wavs = new Set<string>();
  for (const e of await cleanList(files, wavFolder, onProblem))
    if (!e.folder && /\.wav$/i.test(e.name)) wavs.add(e.name.slice(0, -4));

  const rated = new Set<string>();
  for (const [i, turn] of turns.entries()) {
    rated.add(turn.name);
    const at = { id: turn.name, path: shownPath, line: turn.line };
    if (!isNew(turn.name, shownPath, turn.line)) continue;
    if (!IEMOCAP_CODES.includes(turn.label)) {
      onProblem?.(problem("label_unknown", `${shown(turn.label)} is none of ${IEMOCAP_CODES.join(", ")}`, at));
      continue;
    }
    if (turn.label === "xxx") onProblem?.(problem("label_no_agreement", "the raters did not agree (xxx)", at));
    const audio = clipOf(files, session, dialogue, turn, wavs, options);
    if (!audio) {
      onProblem?.(
        problem("audio_missing", "a rated turn without sound", {
          id: turn.name,
          path: files.display(`${wavFolder}/${turn.name}.wav`),
        }),
      );
      if (!options.keepMissing) continue;
    }
    const text = texts.get(turn.name);
    if (text === undefined && texts.size > 0)
      onProblem?.(problem("text_missing", "no transcript", { id: turn.name, path: transcript }));
    const clip = audio ?? { path: files.display(`${wavFolder}/${turn.name}.wav`) };
    yield utterance(turn, i, dialogue, session, text, clip, at, options);
  }
  for (const name of texts.keys())
    if (!rated.has(name))
      onProblem?.(
        problem("turn_without_label", "a transcript of a turn that was not rated", { id: name, path: transcript }),
      );
  for (const name of wavs) {
    if (rated.has(name)) continue;
    const wav = join(wavFolder, `${name}.wav`);
    onProblem?.(problem("clip_unlabelled", "no annotation names this clip", { id: name, path: files.display(wav) }));
    if (!options.keepUnlabelled || !isNew(name, files.display(wav))) continue;
    const text = texts.get(name);
    const bare: Utterance = { id: name, corpus: "iemocap", audio: files.clip(wav), dialogue, language: "en" };
    yield {
      ...bare,
      ...(text === undefined ? {} : { text: words(text, options) }),
      ...speakerOf(parseTurnName(name), session),
    };
  }
}

function clipOf(
  files: CorpusFiles,
  session: string,
  dialogue: string,
  turn: IemocapTurn,
  wavs: ReadonlySet<string>,
  options: IemocapOptions,
): AudioClip | undefined {
  const duration = turn.end > turn.start ? turn.end - turn.start : 0;
  if (options.audio === "dialogue") {
    const path = join(session, "dialog/wav", `${dialogue}.wav`);
    return files.has(path) ? { ...files.clip(path), start: turn.start, end: turn.end, duration } : undefined;
  }
  if (!wavs.has(turn.name)) return undefined;
  return { ...files.clip(join(session, "sentences/wav", dialogue, `${turn.name}.wav`)), duration };
}

/** Session and speaker come from the turn's own name; `01M` is the man of session 1. */
function speakerOf(
  parsed: ReturnType<typeof parseTurnName>,
  session: string,
): Pick<Utterance, "speaker" | "gender" | "session"> {
  const number = parsed?.session ?? Number(/\d+$/.exec(session)?.[0] ?? 0);
  const gender = parsed && GENDERS[parsed.speaker];
  if (!parsed || !gender) return { session: String(number) };
  return { session: String(number), speaker: String(number).padStart(2, "0") + parsed.speaker, gender };
}

const words = (text: string, options: IemocapOptions): string =>
  options.stripTags
    ? text
        .replace(/\[[A-Z_ ]+\]/gi, " ")
        .replace(/\s+/g, " ")
        .trim()
    : text;

function utterance(
  turn: IemocapTurn,
  index: number,
  dialogue: string,
  session: string,
  text: string | undefined,
  audio: AudioClip,
  at: { id: string; path: string; line: number },
  options: IemocapOptions,
): Utterance {
  const parsed = parseTurnName(turn.name);
  const who = speakerOf(parsed, session);
  if (who.speaker === undefined)
    options.onProblem?.(problem("speaker_unknown", "the turn's name does not end in _F or _M and a number", at));
  if (!session.endsWith(`Session${who.session}`))
    options.onProblem?.(problem("session_mismatch", `named session ${who.session}, filed under ${session}`, at));
  const made: Utterance = {
    id: turn.name,
    corpus: "iemocap",
    audio,
    dialogue: parsed?.dialogue ?? dialogue,
    turn: index,
    ...who,
    label: turn.label,
  };
  if (text !== undefined) made.text = words(text, options);
  if (turn.softLabel) made.softLabel = turn.softLabel;
  if (turn.valence !== undefined) made.valence = turn.valence;
  if (turn.activation !== undefined) made.activation = turn.activation;
  if (turn.dominance !== undefined) made.dominance = turn.dominance;
  made.language = "en";
  made.attributes = { style: dialogue.includes("script") ? "scripted" : "improvised" };
  return made;
}
