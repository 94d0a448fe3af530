/** @file A synthetic MSP-Podcast release. */
import { type SyntheticCorpus, type SyntheticOptions, Tree } from "./tree.ts";

export interface SyntheticMspOptions extends SyntheticOptions {
  /** Default 60. */
  turns?: number;
  /** The older spelling and JSON instead of CSV. Default false. */
  older?: boolean;
}

const CODES = ["N", "H", "A", "S", "U", "F", "D", "C", "O", "X"];
const WORDS: Readonly<Record<string, string>> = {
  N: "Neutral",
  H: "Happy",
  A: "Angry",
  S: "Sad",
  U: "Surprise",
  F: "Fear",
  D: "Disgust",
  C: "Contempt",
  O: "Other-bored",
  X: "Neutral",
};
const PARTS = ["Train", "Train", "Train", "Development", "Test1"];

/** Writes labels, detailed labels, transcripts and clips; every tenth turn has an unknown speaker. */
export function writeMspPodcast(root: string, options: SyntheticMspOptions = {}): SyntheticCorpus {
  const { turns = 60, older = false, quirks = true } = options;
  const tree = new Tree(root, options);
  const rows = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"];
  const table: Record<string, unknown> = {};
  const detailed: Record<string, unknown> = {};
  for (let i = 0; i < turns; i++) {
    const file = `MSP-PODCAST_${String(Math.floor(i / 7) + 1).padStart(4, "0")}_${String((i % 7) * 3).padStart(4, "0")}.wav`;
    const EmoClass = CODES[i % CODES.length] as string;
    // Speakers stay inside one part, as in the release.
    const SpkrID = i % 10 === 9 ? "Unknown" : String(i % 5) + String(10 + (Math.floor(i / 5) % 3));
    const row = {
      EmoClass,
      EmoAct: 4.2,
      EmoVal: 3.6,
      EmoDom: 4.4,
      SpkrID,
      Gender: i % 2 === 0 ? "Female" : "Male",
      Split_Set: PARTS[i % 5],
    };
    rows.push([file, ...Object.values(row)].join(","));
    table[file] = row;
    detailed[file] = {
      WORKER001: { EmoClass_Major: WORDS[EmoClass], EmoAct: 4, EmoVal: 3, EmoDom: 4 },
      WORKER002: { EmoClass_Major: "Neutral", EmoAct: 4, EmoVal: 3, EmoDom: 4 },
    };
    tree.clip(`Audios/${file}`);
    if (i % 2 === 0) tree.file(`Transcripts/${file.slice(0, -4)}.txt`, `segment ${i} of a podcast\n`);
    tree.expect(EmoClass, SpkrID === "Unknown" ? undefined : SpkrID);
    if (SpkrID === "Unknown") tree.problem("speaker_unknown");
    if (EmoClass === "X") tree.problem("label_no_agreement");
  }
  if (quirks) {
    rows.push("MSP-PODCAST_9999_0001.wav,N,4,4,4,77,Male,Train", "MSP-PODCAST_9999_0002.wav,Q,4,4,4,77,Male,Train");
    table["MSP-PODCAST_9999_0001.wav"] = { EmoClass: "N", EmoAct: 4, EmoVal: 4, EmoDom: 4, SpkrID: 77, Gender: "Male" };
    table["MSP-PODCAST_9999_0002.wav"] = { EmoClass: "Q", EmoAct: 4, EmoVal: 4, EmoDom: 4, SpkrID: 77, Gender: "Male" };
    tree.problem("audio_missing");
    tree.problem("label_unknown");
    tree.clip("Audios/MSP-PODCAST_9999_0003.wav");
    tree.problem("clip_unlabelled");
  }
  if (older) tree.file("Labels/labels_concensus.json", JSON.stringify(table));
  else tree.file("Labels/labels_consensus.csv", `${rows.join("\n")}\n`);
  tree.file("Labels/labels_detailed.json", JSON.stringify(detailed));
  return tree.corpus;
}
