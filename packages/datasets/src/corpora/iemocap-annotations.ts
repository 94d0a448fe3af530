/**
 * @file IEMOCAP's two annotation formats. `dialog/EmoEvaluation/{dialog}.txt` holds a line per turn with the majority label and
 * mean attributes, and below it one line per rater; `dialog/transcriptions/{dialog}.txt` holds the words.
 * Any bytes give parsed lines or problems with file and line number, never an exception.
 */
import type { SoftLabel } from "@emosllm/interfaces";
import { type OnProblem, problem, shown } from "../problems.ts";
import { decodeLines } from "../text.ts";

/** One rated turn. Times are seconds into the dialogue; attributes lie on 1 to 5. */
export interface IemocapTurn {
  name: string;
  start: number;
  end: number;
  /** The raw code: `ang`, `hap`, ..., `xxx` (no majority). */
  label: string;
  valence?: number;
  activation?: number;
  dominance?: number;
  /** Share of raters by raw code; a rater who named several counts in equal parts. Self-evaluations do not count. */
  softLabel?: SoftLabel;
  line: number;
}

/** Rater words to raw codes. */
const CATEGORIES: Readonly<Record<string, string>> = {
  anger: "ang",
  angry: "ang",
  happiness: "hap",
  happy: "hap",
  sadness: "sad",
  sad: "sad",
  neutral: "neu",
  "neutral state": "neu",
  excited: "exc",
  excitement: "exc",
  frustration: "fru",
  frustrated: "fru",
  fear: "fea",
  surprise: "sur",
  surprised: "sur",
  disgust: "dis",
  other: "oth",
};

/** The raw codes of the release. */
export const IEMOCAP_CODES: readonly string[] = [
  "ang",
  "hap",
  "sad",
  "neu",
  "exc",
  "fru",
  "fea",
  "sur",
  "dis",
  "oth",
  "xxx",
];

const NUMBER = String.raw`(-?\d+(?:\.\d+)?)`;
const TURN = new RegExp(
  String.raw`^\[\s*${NUMBER}\s*-\s*${NUMBER}\s*\]\s+(\S+)\s+(\S+)\s+\[\s*${NUMBER}\s*,\s*${NUMBER}\s*,\s*${NUMBER}\s*\]\s*$`,
);
const CATEGORY = /^C-([A-Z]+\d*):\s*([^()]*)(?:\(.*)?$/i;
const ATTRIBUTE = /^A-([A-Z]+\d*):\s*val\s*([\d.]*)\s*;\s*act\s*([\d.]*)\s*;\s*dom\s*([\d.]*)\s*;/i;
/** `Ses01F_impro04_F000`: session, who wore the markers, dialogue, who speaks, number. */
const NAME = /^(Ses(\d{2})[FM]_\w+)_([A-Z])([A-Z]*\d+)$/i;

/** Parts of a turn's name; the speaker is the letter of the turn, not that of the dialogue (who wore the markers). */
export function parseTurnName(name: string): { dialogue: string; session: number; speaker: string } | undefined {
  const m = NAME.exec(name);
  return m ? { dialogue: m[1] as string, session: Number(m[2]), speaker: (m[3] as string).toUpperCase() } : undefined;
}

/** The turns of one EmoEvaluation file. */
export function parseIemocapEvaluation(bytes: Uint8Array, path: string, onProblem?: OnProblem): IemocapTurn[] {
  const turns: IemocapTurn[] = [];
  let turn: IemocapTurn | undefined;
  let votes = new Map<string, number>();
  const close = (): void => {
    const total = [...votes.values()].reduce((a, b) => a + b, 0);
    if (turn && total > 0) turn.softLabel = Object.fromEntries([...votes].map(([code, n]) => [code, n / total]));
    votes = new Map();
  };
  for (const { text, line } of decodeLines(bytes, path, onProblem)) {
    const first = text.charCodeAt(0);
    if (first === 91 /* [ */) {
      close();
      turn = undefined;
      const m = TURN.exec(text);
      if (!m) onProblem?.(problem("annotation_invalid", `not a turn line: ${shown(text)}`, { path, line }));
      else turns.push((turn = turnOf(m, path, line, onProblem)));
    } else if ((first === 67 || first === 99) && text[1] === "-") {
      const at = { path, line, id: turn?.name };
      const m = CATEGORY.exec(text);
      if (!m) onProblem?.(problem("annotation_invalid", `not a rater's category line: ${shown(text)}`, at));
      else if (!/^[FM]/i.test(m[1] as string)) addVotes(m[2] as string, votes, at, onProblem);
    } else if ((first === 65 || first === 97) && text[1] === "-") {
      // The turn line has the means; rater lines are only checked. 36 of the release lack dominance.
      if (!ATTRIBUTE.test(text))
        onProblem?.(
          problem("annotation_invalid", `not a rater's attribute line: ${shown(text)}`, { path, line, id: turn?.name }),
        );
    } else if (text.trim() !== "" && text[0] !== "%") {
      onProblem?.(problem("annotation_invalid", `neither a turn nor a rater's line: ${shown(text)}`, { path, line }));
    }
  }
  close();
  return turns;
}

function turnOf(m: RegExpExecArray, path: string, line: number, onProblem?: OnProblem): IemocapTurn {
  const turn: IemocapTurn = {
    name: m[3] as string,
    start: Number(m[1]),
    end: Number(m[2]),
    label: m[4] as string,
    line,
  };
  for (const [i, key] of (["valence", "activation", "dominance"] as const).entries()) {
    const value = Number(m[5 + i]);
    if (value >= 0.5 && value <= 5.5) turn[key] = value;
    else
      onProblem?.(
        problem("value_invalid", `${key} ${value} lies outside 1 to 5; left out`, { id: turn.name, path, line }),
      );
  }
  if (!(turn.end > turn.start && turn.start >= 0))
    onProblem?.(
      problem("value_invalid", `the turn ends at ${turn.end} s, not after its start at ${turn.start} s`, {
        id: turn.name,
        path,
        line,
      }),
    );
  return turn;
}

/** What raters' words mean, remembered: the same few hundred combinations come again and again. */
const readings = new Map<string, { codes: readonly string[]; unknown: readonly string[] }>();

function readCategories(words: string): { codes: readonly string[]; unknown: readonly string[] } {
  const codes: string[] = [];
  const unknown: string[] = [];
  for (const word of words.split(";")) {
    const name = word.trim().toLowerCase();
    if (name === "") continue;
    const code = Object.hasOwn(CATEGORIES, name) ? CATEGORIES[name] : undefined;
    if (code === undefined) unknown.push(word.trim());
    else codes.push(code);
  }
  return { codes, unknown };
}

function addVotes(
  words: string,
  votes: Map<string, number>,
  at: { path: string; line: number; id: string | undefined },
  onProblem?: OnProblem,
): void {
  let reading = readings.get(words);
  if (!reading) {
    reading = readCategories(words);
    if (readings.size < 1000) readings.set(words, reading);
  }
  for (const word of reading.unknown) onProblem?.(problem("label_unknown", `rater's category ${shown(word)}`, at));
  for (const code of reading.codes) votes.set(code, (votes.get(code) ?? 0) + 1 / reading.codes.length);
}

const TRANSCRIPT = /^(\S+)\s+\[\s*-?[\d.]+\s*-\s*-?[\d.]+\s*\]:?\s?(.*)$/;

/** Turn name to words. Lines that are no turn (`M: ...` remarks, blank lines) are tolerated; broken turn lines are reported. */
export function parseIemocapTranscript(bytes: Uint8Array, path: string, onProblem?: OnProblem): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { text, line } of decodeLines(bytes, path, onProblem)) {
    const m = TRANSCRIPT.exec(text);
    if (m && NAME.test(m[1] as string)) texts.set(m[1] as string, (m[2] as string).trim());
    else if (/^Ses\d/i.test(text))
      onProblem?.(problem("annotation_invalid", `not a transcript line: ${shown(text)}`, { path, line }));
    else if (text.trim() !== "" && !/^\s*[A-Z]{1,2}\s*:/i.test(text))
      onProblem?.(problem("annotation_invalid", `no transcript line: ${shown(text)}`, { path, line }));
  }
  return texts;
}
