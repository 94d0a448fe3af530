/** @file Synthetic EmoBox metadata of an IEMOCAP release, with its wrong speakers, two folds of it, and the clips. */
import { type SyntheticCorpus, type SyntheticOptions, Tree } from "./tree.ts";

/** Writes `data/iemocap/iemocap.jsonl`, `fold_1/` and `fold_2/`, and `downloads/iemocap/...`; the root of the result is EmoBox's. */
export function writeEmobox(root: string, options: SyntheticOptions = {}): SyntheticCorpus {
  const { quirks = true } = options;
  const tree = new Tree(root, options);
  const lines: { text: string; session: number }[] = [];
  for (let session = 1; session <= 2; session++)
    for (const half of ["F", "M"])
      for (const [i, emo] of ["ang", "hap", "exc", "neu", "sad", "neu"].entries()) {
        const speaker = i % 2 === 0 ? "F" : "M";
        const dialogue = `Ses0${session}${half}_impro01`;
        const name = `${dialogue}_${speaker}00${Math.floor(i / 2)}`;
        const wav = `downloads/iemocap/Session${session}/sentences/wav/${dialogue}/${name}.wav`;
        tree.clip(wav);
        const row = {
          key: `iemocap-${name}`,
          dataset: "iemocap",
          wav,
          type: "raw",
          sample_rate: 16000,
          num_frame: 6400.0,
          task: "category",
          length: 0.4,
          emo,
          channel: 1,
          spk: `Ses0${session}${half}`,
        };
        lines.push({ text: JSON.stringify(row), session });
        tree.expect(emo, `0${session}${speaker}`);
        tree.problem("speaker_corrected");
      }
  const join = (chosen: typeof lines): string => chosen.map((l) => `${l.text}\n`).join("");
  const broken = quirks ? `{"key": "iemocap-broken",\n` : "";
  if (quirks) tree.problem("annotation_invalid");
  tree.file("data/iemocap/iemocap.jsonl", join(lines) + broken);
  tree.file(
    "data/iemocap/label_map.json",
    JSON.stringify({ ang: "Angry", hap: "Happy", exc: "Happy", neu: "Neutral", sad: "Sad" }),
  );
  for (const fold of [1, 2]) {
    tree.file(
      `data/iemocap/fold_${fold}/iemocap_test_fold_${fold}.jsonl`,
      join(lines.filter((l) => l.session === fold)),
    );
    tree.file(
      `data/iemocap/fold_${fold}/iemocap_train_fold_${fold}.jsonl`,
      join(lines.filter((l) => l.session !== fold)),
    );
  }
  return tree.corpus;
}
