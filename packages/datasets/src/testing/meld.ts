/** @file A synthetic MELD release: three tables with CRLF and quotes, mp4 clips with 5.1 sound, and the oddities of the real one. */
import { mp4File } from "./mp4.ts";
import { syllables } from "./sound.ts";
import { APPLE_DOUBLE, type SyntheticCorpus, type SyntheticOptions, Tree } from "./tree.ts";

export interface SyntheticMeldOptions extends SyntheticOptions {
  /** Per part. Default 6. */
  dialogues?: number;
  /** `release`: tables and clip folders side by side; `emobox`: `train/train_sent_emo.csv`, `train/train_splits/`. Default `release`. */
  layout?: "release" | "emobox";
}

const HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime";
const EMOTIONS: readonly (readonly [string, string])[] = [
  ["neutral", "neutral"],
  ["joy", "positive"],
  ["surprise", "positive"],
  ["anger", "negative"],
  ["neutral", "neutral"],
  ["sadness", "negative"],
  ["disgust", "negative"],
  ["fear", "negative"],
];
const SPEAKERS = ["Ross", "Monica", "Chandler", "The Waiter", "Rachel"];
const FOLDERS = { train: "train_splits", dev: "dev_splits_complete", test: "output_repeated_splits_test" };
type PartName = keyof typeof FOLDERS;

/** The dialogue numbers where the real release is odd. */
const ODD: Readonly<Record<PartName, number>> = { train: 125, dev: 110, test: 38 };

/** Writes the tree. `expected.labels` are emotions; clips are 5.1 with the voice in the centre. */
export function writeMeld(root: string, options: SyntheticMeldOptions = {}): SyntheticCorpus {
  const { dialogues = 6, quirks = true, layout = "release", seconds = 0.4, seed = 0 } = options;
  const tree = new Tree(root, options);
  let clips = 0;
  const sound = (length: number, channels: number, rate = 16000): Buffer => {
    const voice = syllables(seed * 100_003 + clips++, length, rate);
    const hush = new Float32Array(voice.length);
    return mp4File(
      Array.from({ length: channels }, (_, c) => (c === (channels > 2 ? 2 : 0) ? voice : hush)),
      rate,
    );
  };
  for (const part of ["train", "dev", "test"] as const) {
    const base = layout === "emobox" ? `${part}/` : "";
    const folder = `${base}${FOLDERS[part]}`;
    const rows = [HEADER];
    let number = 1;
    const row = (text: string, i: number, d: number, u: number): void => {
      const [emotion, sentiment] = EMOTIONS[i % EMOTIONS.length] as readonly [string, string];
      const speaker = SPEAKERS[i % SPEAKERS.length] as string;
      const second = String(10 + (u % 40)).padStart(2, "0");
      rows.push(
        `${number++},${text},${speaker},${emotion},${sentiment},${d},${u},8,21,"00:16:${second},059","00:16:${second},559"`,
      );
      if (part === "dev" && d === ODD.dev) return; // its clip is missing
      if (part === "train" && d === ODD.train) return; // its clip is broken and left out
      tree.expect(emotion, speaker);
    };
    for (let d = 0; d < dialogues; d++)
      for (let u = 0; u < 4; u++) {
        const text = u === 1 ? `"Well, ""you"" know\u2026"` : u === 2 ? `"Two\nlines"` : `Turn ${u}`;
        row(text, d + u, d, u);
        tree.file(`${folder}/dia${d}_utt${u}.mp4`, seconds === 0 ? "" : sound(seconds, u === 3 ? 2 : 6));
        if (seconds > 0) tree.audioProblem("audio_multichannel");
      }
    if (quirks) {
      row("An odd one", 0, ODD[part], part === "train" ? 3 : part === "dev" ? 7 : 4);
      addQuirks(tree, part, folder, rows, sound);
    }
    const lines = `${rows.join("\r\n")}\r\n`;
    const table = `${base}${part}_sent_emo.csv`;
    // Older copies carry an apostrophe as the byte 0x92.
    if (quirks && part === "train") {
      tree.file(
        table,
        Buffer.concat([
          Buffer.from(lines),
          Buffer.from(`9999,I\x92m late,Joey,neutral,neutral,900,0,1,1,,\r\n`, "latin1"),
        ]),
      );
      tree.file(`${folder}/dia900_utt0.mp4`, sound(0.4, 1));
      tree.expect("neutral", "Joey");
      tree.problem("encoding_cp1252");
    } else tree.file(table, lines);
    tree.problem("line_endings_crlf");
  }
  return tree.corpus;
}

function addQuirks(
  tree: Tree,
  part: PartName,
  folder: string,
  rows: string[],
  sound: (length: number, channels: number, rate?: number) => Buffer,
): void {
  if (part === "train") {
    tree.file(`${folder}/dia125_utt3.mp4`, sound(0.4, 2).subarray(0, 900));
    tree.problem("audio_known_broken");
    rows.push("7,too,few,fields", "8,Hm,Ross,boredom,neutral,3,90,1,1,,");
    tree.problem("annotation_invalid");
    tree.problem("label_unknown");
  }
  if (part === "dev") {
    tree.problem("audio_missing");
    tree.file(`${folder}/dia66_utt9.mp4`, sound(0.4, 2));
    tree.file(`${folder}/._dia66_utt9.mp4`, APPLE_DOUBLE);
    tree.problem("clip_unlabelled");
    tree.problem("apple_double");
  }
  if (part === "test") {
    tree.file(`${folder}/dia38_utt4.mp4`, sound(304.96, 1, 1000));
    tree.problem("audio_wrong_cut");
    tree.audioProblem("audio_too_long");
    tree.file(`${folder}/final_videos_testdia93_utt5.mp4`, sound(0.4, 2));
    tree.problem("clip_unlabelled");
  }
}
