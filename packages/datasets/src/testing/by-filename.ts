/** @file Synthetic trees of the corpora that say everything in their file names. */
import { APPLE_DOUBLE, type SyntheticCorpus, type SyntheticOptions, Tree } from "./tree.ts";

const two = (n: number): string => String(n).padStart(2, "0");

/** RAVDESS with the first `actors` actors (default 4): 60 clips each, and the second copy of the tree that some downloads carry. */
export function writeRavdess(root: string, options: SyntheticOptions & { actors?: number } = {}): SyntheticCorpus {
  const { actors = 4, quirks = true } = options;
  const tree = new Tree(root, options);
  const names = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"];
  for (let actor = 1; actor <= actors; actor++)
    for (const [e, label] of names.entries())
      for (const intensity of e === 0 ? [1] : [1, 2])
        for (const statement of [1, 2])
          for (const repetition of [1, 2]) {
            const stem = `03-01-${two(e + 1)}-${two(intensity)}-${two(statement)}-${two(repetition)}-${two(actor)}`;
            tree.clip(`Actor_${two(actor)}/${stem}.wav`, 48000);
            tree.expect(label, two(actor));
          }
  if (quirks) {
    tree.clip("audio_speech_actors_01-24/Actor_01/03-01-01-01-01-01-01.wav");
    tree.problem("duplicate_id");
    tree.clip("Actor_01/03-02-02-01-01-01-01.wav"); // a song: no part of this task
    tree.clip("Actor_01/03-01-09-01-01-01-01.wav"); // no ninth emotion
    tree.problem("clip_unlabelled");
  }
  return tree.corpus;
}

/** CREMA-D with `actors` actors (default 3), 12 clips each, demographics, and a name that ends in one X. */
export function writeCremad(root: string, options: SyntheticOptions & { actors?: number } = {}): SyntheticCorpus {
  const { actors = 3, quirks = true } = options;
  const tree = new Tree(root, options);
  const demographics = ["ActorID,Age,Sex,Race,Ethnicity"];
  const sentences = ["IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI"];
  const emotions = ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"];
  for (let a = 1; a <= actors; a++) {
    demographics.push(`${1000 + a},${20 + a},${a % 2 === 0 ? "Female" : "Male"},Caucasian,Not Hispanic`);
    for (const [s, sentence] of sentences.entries()) {
      const label = emotions[s % emotions.length] as string;
      const level = s === 0 ? "LO" : s === 1 && quirks ? "X" : "XX";
      tree.clip(`AudioWAV/${1000 + a}_${sentence}_${label}_${level}.wav`);
      tree.expect(label, String(1000 + a));
    }
  }
  tree.file("VideoDemographics.csv", `${demographics.join("\n")}\n`);
  if (quirks) {
    tree.file("AudioWAV/._1001_DFA_ANG_XX.wav", APPLE_DOUBLE);
    tree.clip("AudioWAV/1001_ZZZ_ANG_XX.wav");
    tree.problem("apple_double");
    tree.problem("clip_unlabelled");
  }
  return tree.corpus;
}

/** Emo-DB: ten speakers, one clip of each emotion. */
export function writeEmodb(root: string, options: SyntheticOptions = {}): SyntheticCorpus {
  const tree = new Tree(root, options);
  const letters = { W: "anger", L: "boredom", E: "disgust", A: "fear", F: "happiness", T: "sadness", N: "neutral" };
  const sentences = ["a01", "a02", "a04", "a05", "a07", "b01", "b02"];
  for (const speaker of ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"])
    for (const [i, [letter, label]] of Object.entries(letters).entries()) {
      tree.clip(`wav/${speaker}${sentences[i]}${letter}a.wav`);
      tree.expect(label, speaker);
    }
  return tree.corpus;
}

/** ESD: one Mandarin and one English speaker, text files in UTF-16 and with tabs, parts as folders and (English) without. */
export function writeEsd(root: string, options: SyntheticOptions = {}): SyntheticCorpus {
  const { quirks = true } = options;
  const tree = new Tree(root, options);
  const emotions = ["Neutral", "Angry", "Happy", "Sad", "Surprise"];
  const mandarin = ["中立", "生气", "快乐", "伤心", "惊喜"];
  for (const speaker of ["0001", "0011"]) {
    const lines: string[] = [];
    for (const [e, label] of emotions.entries())
      for (const place of [1, 21, 51]) {
        const stem = `${speaker}_${String(e * 350 + place).padStart(6, "0")}`;
        const part = place === 1 ? "evaluation" : place === 21 ? "test" : "train";
        tree.clip(`${speaker}/${label}/${speaker === "0001" ? `${part}/` : ""}${stem}.wav`);
        const [text, word] =
          speaker === "0001" ? ["打远一看，它们的确很是美丽，", mandarin[e]] : ["The nine the eggs, I keep.", label];
        lines.push(`${stem}\t${text}\t${word}`);
        tree.expect(label, speaker);
      }
    const text = `${lines.join("\n")}\n`;
    const utf16 = quirks && speaker === "0001";
    tree.file(`${speaker}/${speaker}.txt`, utf16 ? Buffer.from(`\ufeff${text}`, "utf16le") : text);
    if (utf16) tree.problem("encoding_utf16");
  }
  return tree.corpus;
}

/** SAVEE: four men, one clip of each emotion, one of them in the flat naming. */
export function writeSavee(root: string, options: SyntheticOptions = {}): SyntheticCorpus {
  const tree = new Tree(root, options);
  const codes = { a: "anger", d: "disgust", f: "fear", h: "happiness", n: "neutral", sa: "sadness", su: "surprise" };
  for (const speaker of ["DC", "JE", "JK", "KL"])
    for (const [code, label] of Object.entries(codes)) {
      tree.clip(speaker === "KL" ? `AudioData/${speaker}_${code}01.wav` : `AudioData/${speaker}/${code}01.wav`, 44100);
      tree.expect(label, speaker);
    }
  return tree.corpus;
}

/** TESS: two women, three words, with the misspelt `OA_bite_neutral.wav` and one clip of the second copy of the tree. */
export function writeTess(root: string, options: SyntheticOptions = {}): SyntheticCorpus {
  const { quirks = true } = options;
  const tree = new Tree(root, options);
  const emotions = ["angry", "disgust", "fear", "happy", "neutral", "ps", "sad"];
  for (const speaker of ["OAF", "YAF"])
    for (const emotion of emotions)
      for (const word of ["back", "bite", "young"]) {
        const odd = quirks && speaker === "OAF" && word === "bite" && emotion === "neutral";
        tree.clip(`${speaker}_${emotion}/${odd ? "OA" : speaker}_${word}_${emotion}.wav`, 24414);
        tree.expect(emotion, speaker);
      }
  if (quirks) {
    tree.clip("TESS Toronto emotional speech set data/YAF_sad/YAF_back_sad.wav");
    tree.problem("duplicate_id");
  }
  return tree.corpus;
}
