/** @file A synthetic IEMOCAP release with the layout, file formats and oddities of the real one. */
import { APPLE_DOUBLE, type SyntheticCorpus, type SyntheticOptions, Tree } from "./tree.ts";

export interface SyntheticIemocapOptions extends SyntheticOptions {
  /** Default 5. */
  sessions?: number;
  /** Rated turns in each dialogue. Default 8. */
  turns?: number;
  /** Dialogues of each speaker's marker half per session. Default 2. */
  dialogues?: number;
  /** Puts one clip of session 1 into session 2 as well, 3 dB louder: a leak between folds. Default false. */
  leak?: boolean;
}

const CODES = ["ang", "hap", "sad", "neu", "exc", "fru", "xxx", "neu", "sur", "fea"];
const WORDS: Readonly<Record<string, string>> = {
  ang: "Anger",
  hap: "Happiness",
  sad: "Sadness",
  neu: "Neutral",
  exc: "Excited",
  fru: "Frustration",
  sur: "Surprise",
  fea: "Fear",
  xxx: "Other",
};

interface Turn {
  name: string;
  letter: "F" | "M";
  code: string;
  start: number;
  end: number;
}

/** Writes the tree; turns of both speakers in dialogues of both marker halves, so that dialogue letter and speaker differ. */
export function writeIemocap(root: string, options: SyntheticIemocapOptions = {}): SyntheticCorpus {
  const { sessions = 5, turns: turnCount = 8, dialogues = 2, quirks = true } = options;
  const tree = new Tree(root, options);
  for (let s = 1; s <= sessions; s++) {
    const session = `Session${s}`;
    for (const half of ["F", "M"] as const)
      for (let d = 0; d < dialogues; d++) {
        const prefix = `Ses${String(s).padStart(2, "0")}${half}_`;
        const number = String(Math.floor(d / 2) + 1).padStart(2, "0");
        const odd = s === 3 && half === "M" && d === 0 ? "b" : "";
        const dialogue = d % 2 === 0 ? `${prefix}impro${number}${odd}` : `${prefix}script${number}_1`;
        const turns = dialogueTurns(dialogue, turnCount, s * 3 + d + (half === "M" ? 5 : 0));
        const first = s === 1 && half === "F" && d === 0;
        writeDialogue(tree, session, dialogue, turns, quirks && first);
        for (const t of turns) tree.expect(t.code, `${String(s).padStart(2, "0")}${t.letter}`);
        tree.problem("label_no_agreement", turns.filter((t) => t.code === "xxx").length);
      }
  }
  if (quirks) addQuirks(tree, turnCount);
  if (options.leak) addLeak(tree);
  for (const [code, n] of Object.entries(tree.corpus.problems))
    if (n === 0) delete tree.corpus.problems[code as keyof typeof tree.corpus.problems];
  return tree.corpus;
}

function dialogueTurns(dialogue: string, count: number, offset: number): Turn[] {
  const numbers = { F: 0, M: 0 };
  return Array.from({ length: count }, (_, i) => {
    const letter = i % 2 === 0 ? "F" : "M";
    const number = String(numbers[letter]++).padStart(3, "0");
    const start = 5 + i * 3.25;
    const code = CODES[(i + offset) % CODES.length] as string;
    return { name: `${dialogue}_${letter}${number}`, letter, code, start, end: start + 2.5 };
  });
}

function writeDialogue(tree: Tree, session: string, dialogue: string, turns: readonly Turn[], odd: boolean): void {
  const evaluation = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""];
  const transcript: string[] = [];
  for (const [i, t] of turns.entries()) {
    const word = WORDS[t.code] as string;
    const second = t.code === "xxx" ? "Neutral" : word;
    evaluation.push(
      `[${t.start.toFixed(4)} - ${t.end.toFixed(4)}]\t${t.name}\t${t.code}\t[2.5000, ${(2 + (i % 3)).toFixed(4)}, 3.0000]`,
      `C-E1:\t${word};\t()`,
      `C-E2:\t${second};\t()`,
      t.code === "hap" ? `C-E4:\tHappiness; Excited;\t()` : `C-E4:\t${word};\t(a remark)`,
      `C-${t.letter}1:\tOther;\t()`,
      `A-E1:\tval 3; act ${2 + (i % 3)}; dom  ${i === 0 ? " " : "3"};\t()`,
      `A-${t.letter}1:\tval 2; act 2; dom  3;\t()`,
      "",
    );
    const time = `[${t.start.toFixed(4).padStart(8, "0")}-${t.end.toFixed(4).padStart(8, "0")}]`;
    transcript.push(`${t.name} ${time}: Turn ${i} of ${dialogue}. [LAUGHTER]`);
    tree.clip(`${session}/sentences/wav/${dialogue}/${t.name}.wav`);
  }
  if (odd) {
    transcript.push(`${dialogue}_MXX0 [100.0000-101.0000]: Nobody rated this.`, "M: an aside without a turn");
    tree.problem("turn_without_label");
  }
  tree.file(`${session}/dialog/EmoEvaluation/${dialogue}.txt`, `${evaluation.join("\n")}\n`);
  tree.file(`${session}/dialog/transcriptions/${dialogue}.txt`, `${transcript.join("\n")}\n`);
}

/** One dialogue of session 1 with everything that is wrong somewhere, in files of its own so that the counts stay known. */
function addQuirks(tree: Tree, turnCount: number): void {
  const dialogue = "Ses01M_impro09";
  const evaluation = "Session1/dialog/EmoEvaluation";
  const wav = `Session1/sentences/wav/${dialogue}`;
  const line = (name: string, code: string, i: number): string =>
    `[${(i * 3).toFixed(4)} - ${(i * 3 + 2).toFixed(4)}]\t${dialogue}_${name}\t${code}\t[3.0000, 3.0000, 3.0000]`;
  const lines = [
    "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]",
    line("F000", "neu", 1),
    "C-E1:\tNeutral;\t()",
    line("M000", "ang", 2), // no sound
    line("F001", "sad", 3), // empty file
    line("M001", "neu", 4), // cut short
    line("F002", "hap", 5), // too short
    line("M002", "exc", 6), // two channels
    line("F003", "sad", 7), // too long
    line("M003", "neu", 8), // the same sound as F000
    line("X000", "neu", 9), // no true speaker
    line("F004", "zzz", 10), // no such code
    "[30.0000 - oops]\tbroken",
    line("F000", "ang", 11), // a second time
    "[40.0000 - 41.0000]\tSes02F_impro09_F000\tneu\t[9.0000, 3.0000, 3.0000]", // another session, valence off the scale
  ];
  tree.file(`${evaluation}/${dialogue}.txt`, `${lines.join("\r\n")}\r\n`);
  const names = ["F000", "M000", "F001", "M001", "F002", "M002", "F003", "M003", "X000"];
  const transcript = names.map((n, i) => `${dialogue}_${n} [00${i}.0000-00${i + 1}.0000]: Line ${i}`);
  transcript.push("Ses02F_impro09_F000 [040.0000-041.0000]: It\u2019s odd.", `${dialogue}_F004 [1.0-2.0]: Unused`);
  // The apostrophe as the single byte 0x92, as Windows editors left it.
  const bytes = Buffer.from(transcript.join("\n").replace("\u2019", "\u0092"), "latin1");
  tree.file(`Session1/dialog/transcriptions/${dialogue}.txt`, bytes);

  const sound = tree.sound();
  tree.file(`${wav}/${dialogue}_F000.wav`, sound);
  tree.file(`${wav}/${dialogue}_F001.wav`, "");
  tree.file(`${wav}/${dialogue}_M001.wav`, tree.sound().subarray(0, 1000));
  tree.file(`${wav}/${dialogue}_F002.wav`, tree.sound(0.05));
  tree.file(`${wav}/${dialogue}_M002.wav`, tree.sound(0.4, 16000, 2));
  tree.file(`${wav}/${dialogue}_F003.wav`, tree.sound(41, 4000));
  tree.file(`${wav}/${dialogue}_M003.wav`, sound);
  tree.file(`${wav}/${dialogue}_X000.wav`, tree.sound());
  tree.file(`${wav}/Ses02F_impro09_F000.wav`, tree.sound());
  tree.file(`${wav}/${dialogue}_F099.wav`, tree.sound()); // no annotation
  tree.file(`${wav}/._${dialogue}_F000.wav`, APPLE_DOUBLE);
  tree.file(`${evaluation}/._${dialogue}.txt`, APPLE_DOUBLE);
  tree.file(`${evaluation}/Categorical/${dialogue}_e1_cat.txt`, `${dialogue}_F000 :Neutral; ()\n`);
  tree.file(`${evaluation}/Self-evaluation/${dialogue}_f1.txt`, "not an evaluation file\n");
  if (turnCount > 0) tree.file("Session1/dialog/.DS_Store", "junk");

  const kept: [string, string | undefined][] = [
    ["neu", "01F"],
    ["sad", "01F"],
    ["neu", "01M"],
    ["hap", "01F"],
    ["exc", "01M"],
    ["sad", "01F"],
    ["neu", "01M"],
    ["neu", undefined],
    ["neu", "02F"],
  ];
  for (const [label, speaker] of kept) tree.expect(label, speaker);
  tree.problem("line_endings_crlf");
  tree.problem("encoding_cp1252");
  tree.problem("audio_missing");
  tree.problem("speaker_unknown");
  tree.problem("label_unknown");
  tree.problem("annotation_invalid");
  tree.problem("duplicate_id");
  tree.problem("value_invalid");
  tree.problem("session_mismatch");
  tree.problem("clip_unlabelled");
  tree.problem("apple_double", 2);
  tree.audioProblem("audio_empty");
  tree.audioProblem("audio_corrupt");
  tree.audioProblem("audio_too_short");
  tree.audioProblem("audio_multichannel");
  tree.audioProblem("audio_too_long");
  tree.audioProblem("audio_duplicate");
}

function addLeak(tree: Tree): void {
  const sound = tree.sound(1.2);
  const louder = Buffer.from(sound);
  for (let at = 44; at + 1 < louder.length; at += 2)
    louder.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(louder.readInt16LE(at) * 1.2))), at);
  tree.file("Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav", sound);
  tree.file("Session2/sentences/wav/Ses02F_impro01/Ses02F_impro01_F000.wav", louder);
  tree.audioProblem("audio_duplicate");
}
