/** @file Who says what, when and how: the whole corpus as data, before a sound is made. */
import { drawCues, drawIntensity, type Code, type Cues } from "./emotions.ts";
import { rate, type Ratings } from "./raters.ts";
import { randomOf } from "./random.ts";
import { SENTENCES } from "./sentences.ts";
import { SPEAKERS, type Speaker } from "./speakers.ts";

/** One clip to be made. */
export interface PlannedClip {
  /** IEMOCAP's turn name, e.g. `Ses01F_impro01_M003`. */
  readonly turn: string;
  readonly dialog: string;
  readonly session: number;
  /** Id of the {@link Speaker} who really speaks. */
  readonly speaker: string;
  readonly text: string;
  readonly cues: Cues;
  readonly ratings: Ratings;
}

/** Size and seed of a corpus. */
export interface PlanOptions {
  readonly seed: number;
  /** From 5 to 2000; about one in thirteen carries a label outside the four classes (`fru`, `xxx`). */
  readonly utterancesPerSpeaker: number;
}

/** What is to be acted, before it has a place in a dialog. */
interface Line {
  readonly speaker: Speaker;
  readonly text: string;
  readonly code: Code;
  readonly disagree: boolean;
}

/** Dialog names of a session; `Ses03M_impro05a` and `Ses05M_script01_1b` are of the odd lengths that the real corpus has. */
function dialogsOf(session: number): string[] {
  const man = session === 3 ? "impro05a" : "impro05";
  const script = session === 5 ? "script01_1b" : "script01_1";
  const head = `Ses0${session}`;
  return [
    ...["impro01", "impro04", "script01_3", "script02_2"].map((d) => `${head}F_${d}`),
    ...["impro02", man, script, "script03_2"].map((d) => `${head}M_${d}`),
  ];
}

/**
 * The lines of one speaker. Each drawn sentence is spoken once angry, once happy or excited, once neutral and once sad, so that no
 * function of the words predicts the label better than chance, neither in training nor in test.
 */
function linesOf(speaker: Speaker, { seed, utterancesPerSpeaker }: PlanOptions): Line[] {
  const random = randomOf(`${seed}/lines/${speaker.id}`);
  const quartets = Math.floor((utterancesPerSpeaker * 12) / 13 / 4);
  const pool: string[] = [];
  while (pool.length < utterancesPerSpeaker) pool.push(...random.shuffled(SENTENCES));
  const lines: Line[] = [];
  for (const [i, text] of pool.slice(0, quartets).entries()) {
    const happy: Code = i % 2 === 0 ? "hap" : "exc";
    for (const code of ["ang", happy, "neu", "sad"] as const) lines.push({ speaker, text, code, disagree: false });
  }
  for (const text of pool.slice(quartets, quartets + utterancesPerSpeaker - lines.length)) {
    const disagree = random.uniform() < 0.5;
    lines.push({
      speaker,
      text,
      code: disagree ? random.pick(["hap", "neu", "sad", "fru"] as const) : "fru",
      disagree,
    });
  }
  return lines;
}

function actedClip(line: Line, dialog: string, turn: string, seed: number): PlannedClip {
  const random = randomOf(`${seed}/clip/${turn}`);
  const intensity = line.disagree ? random.between(0.2, 0.6) : drawIntensity(random);
  const other = line.disagree ? random.pick(["ang", "sad", "exc"] as const) : undefined;
  return {
    turn,
    dialog,
    session: line.speaker.session,
    speaker: line.speaker.id,
    text: line.text,
    cues: drawCues(seed, line.speaker, line.code, intensity, random, other),
    ratings: rate(line.code, intensity, line.disagree, random),
  };
}

/** The clips of the corpus, dialog by dialog in the order they are spoken. */
export function planCorpus(options: PlanOptions): PlannedClip[] {
  const { seed, utterancesPerSpeaker } = options;
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed ${seed}: an integer is expected`);
  if (!Number.isInteger(utterancesPerSpeaker) || utterancesPerSpeaker < 5 || utterancesPerSpeaker > 2000)
    throw new RangeError(`utterancesPerSpeaker ${utterancesPerSpeaker}: an integer from 5 to 2000 is expected`);

  const clips: PlannedClip[] = [];
  for (const session of new Set(SPEAKERS.map((s) => s.session))) {
    const cast = SPEAKERS.filter((s) => s.session === session);
    const lines = randomOf(`${seed}/order/${session}`).shuffled(cast.flatMap((s) => linesOf(s, options)));
    const dialogs = dialogsOf(session);
    for (const [d, dialog] of dialogs.entries()) {
      const from = Math.floor((d * lines.length) / dialogs.length);
      const to = Math.floor(((d + 1) * lines.length) / dialogs.length);
      const spoken = { F: 0, M: 0 };
      for (const line of lines.slice(from, to)) {
        const number = String(spoken[line.speaker.gender]++).padStart(3, "0");
        clips.push(actedClip(line, dialog, `${dialog}_${line.speaker.gender}${number}`, seed));
      }
    }
  }
  return clips;
}
