import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { CorpusProblem, Utterance } from "@emosllm/interfaces";
import { expect, test } from "vitest";
import {
  applyProtocol,
  collect,
  csv,
  emobox,
  emotionScheme,
  EXTRA_COLUMNS,
  exportCorpus,
  type ExportFormat,
  iemocap,
  jsonl,
  mapLabel,
  meld,
  msSwift,
  parquet,
  probeClip,
  PROTOCOLS,
  readClipBytes,
  RECORD_COLUMNS,
} from "../src/index.ts";
import { wavFile, syllables, writeIemocap, writeMeld } from "../src/testing/index.ts";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { tempFolder } from "./temp.ts";

const folder = tempFolder();
writeIemocap(join(folder, "ie"), { sessions: 3, turns: 14 });
writeMeld(join(folder, "meld"), { dialogues: 2 });
const scheme = emotionScheme("iemocap-4");
const spoken = (await collect(iemocap(join(folder, "ie")))).flatMap((u) => mapLabel(u, scheme) ?? []);
const split = applyProtocol(PROTOCOLS["loso5"]!, spoken, { fold: 1 });
// Everything CSV and JSON can stumble over.
const awkward: Utterance = {
  ...(spoken[0] as Utterance),
  id: 'odd "id", with comma',
  text: 'She said "no", then\r\nleft; \u{1f642} \u2028 end\\',
  audio: { path: (spoken[0] as Utterance).audio.path, start: 0.05, end: 0.25, channel: 1 },
};

const READERS: Record<ExportFormat, (path: string, problems: CorpusProblem[]) => AsyncIterable<Utterance>> = {
  jsonl: (path, problems) => jsonl(path, { onProblem: (p) => problems.push(p) }),
  csv: (path, problems) => csv(path, { onProblem: (p) => problems.push(p) }),
  parquet: (path, problems) => parquet(path, { onProblem: (p) => problems.push(p) }),
  emobox: (path, problems) => emobox(path, { onProblem: (p) => problems.push(p) }),
  "ms-swift": (path, problems) => msSwift(path, { onProblem: (p) => problems.push(p) }),
};

test.each(Object.keys(READERS) as ExportFormat[])("%s: our own reader gives back what was written", async (format) => {
  const path = join(folder, `out.${format}`);
  const written = [...spoken, awkward];
  const result = await exportCorpus(written, path, { format, extra: EXTRA_COLUMNS });
  expect(result.rows).toBe(written.length);
  const problems: CorpusProblem[] = [];
  const read = await collect(READERS[format](path, problems));
  expect(problems).toEqual([]);
  expect(read.length).toBe(written.length);
  for (const [i, u] of read.entries()) {
    const { audio, ...rest } = written[i] as Utterance;
    // EmoBox has a length of its own, the sound file's.
    const { duration: _, ...clip } = audio;
    const { duration: __, ...readClip } = u.audio;
    expect({ ...u, audio: readClip }).toEqual({ ...rest, audio: clip });
  }
});

test.each(Object.keys(READERS) as ExportFormat[])("%s of one fold: each part as the split has it", async (format) => {
  const path = join(folder, `fold.${format}`);
  await exportCorpus(spoken, path, { format, split });
  const read = await collect(READERS[format](path, []));
  const part = (name: string) => read.filter((u) => u.split === name).map((u) => u.id);
  expect({ train: part("train"), validation: part("validation"), test: part("test") }).toEqual({
    train: split.train,
    validation: split.validation,
    test: split.test,
  });
  expect(readdirSync(folder).filter((n) => n.endsWith(".tmp"))).toEqual([]);
});

test("a JSONL line has the promised keys and no others", async () => {
  const path = join(folder, "keys.jsonl");
  await exportCorpus(spoken.slice(0, 1), path, { format: "jsonl" });
  expect(Object.keys(JSON.parse(readFileSync(path, "utf8")))).toEqual([...RECORD_COLUMNS]);
  expect(RECORD_COLUMNS.join(", ")).toBe(
    "id, audio, start, end, text, label, soft_label, speaker, gender, session, dialogue, turn, valence, activation, dominance, split",
  );
});

test("Parquet with the sound inside gives it back byte for byte, without the files", async () => {
  const path = join(folder, "embedded.parquet");
  const heard = spoken.filter((u) => readFileSync(u.audio.path).length > 0).slice(0, 70);
  await exportCorpus(heard, path, { format: "parquet", embedAudio: true });
  const read = await collect(parquet(path));
  expect(read.length).toBe(heard.length);
  for (const i of [0, 63, 64, 69]) {
    const clip = (read[i] as Utterance).audio;
    expect(clip).toMatchObject({ path, container: "parquet", member: `audio[${i}]` });
    expect(Buffer.compare(await readClipBytes(clip), readFileSync((heard[i] as Utterance).audio.path))).toBe(0);
  }
});

test("clips inside archives survive the way through a manifest", async () => {
  for (const [ending, flags] of [
    ["tar", "-cf"],
    ["tar.gz", "-czf"],
  ] as const) {
    const archive = join(folder, `ie.${ending}`);
    execFileSync("tar", [flags, archive, "-C", folder, "ie"]);
    const [u] = await collect(iemocap(archive));
    const path = join(folder, `${ending}.csv`);
    await exportCorpus([u as Utterance], path, { format: "csv" });
    const [read] = await collect(csv(path));
    const bytes = await readClipBytes((read as Utterance).audio);
    expect(Buffer.compare(bytes, await readClipBytes((u as Utterance).audio))).toBe(0);
  }
});

test("MELD keeps its centre channel and is written with relative paths made absolute", async () => {
  const path = join(folder, "meld.jsonl");
  const utterances = await collect(meld(join(folder, "meld")));
  await exportCorpus(utterances, path, { format: "jsonl" });
  const [first] = await collect(jsonl(path));
  expect(first?.audio).toEqual({ path: utterances[0]?.audio.path, channel: "centre" });
  expect(first?.split).toBe("train");
});

test("EmoBox lines carry the header's numbers", async () => {
  const wav = join(folder, "stereo.wav");
  writeFileSync(wav, wavFile([syllables(1, 0.5, 8000), syllables(2, 0.5, 8000)], 8000));
  const path = join(folder, "stereo.emobox.jsonl");
  await exportCorpus([{ id: "a", corpus: "mine", label: "happy", audio: { path: wav } }], path, { format: "emobox" });
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({
    key: "mine-a",
    dataset: "mine",
    wav,
    sample_rate: 8000,
    num_frame: 4000,
    length: 0.5,
    emo: "happy",
    channel: 2,
  });
});

test("manifests of other tools: their names, their label classes, their columns", async () => {
  const path = join(folder, "others/nemo.jsonl");
  mkdirSync(join(folder, "others"));
  writeFileSync(
    path,
    '{"audio_filepath":"a/x.wav","duration":1.5,"text":"hi","emotion":"happy","spk":"7","partition":"dev"}\n{"file":"y.wav","turn":1.5}\n{"text":"no audio"}\n',
  );
  const problems: CorpusProblem[] = [];
  const read = await collect(jsonl(path, { onProblem: (p) => problems.push(p) }));
  expect(read).toEqual([
    {
      id: "x",
      corpus: "jsonl",
      audio: { path: join(folder, "others/a/x.wav"), duration: 1.5 },
      text: "hi",
      label: "happy",
      speaker: "7",
      split: "dev",
    },
    { id: "y", corpus: "jsonl", audio: { path: join(folder, "others/y.wav") } },
  ]);
  expect(problems.map((p) => [p.code, p.line])).toEqual([
    ["value_invalid", 2],
    ["annotation_invalid", 3],
  ]);
  writeFileSync(join(folder, "others/m.csv"), "clip,feeling\nz.wav,sad\n");
  const [own] = await collect(csv(join(folder, "others/m.csv"), { columns: { audio: "clip", label: "feeling" } }));
  expect(own).toMatchObject({ id: "z", label: "sad" });
});

test("a failed export leaves nothing behind", async () => {
  const path = join(folder, "none/x.parquet");
  const gone: Utterance = { id: "a", corpus: "x", audio: { path: join(folder, "gone.wav") } };
  await expect(exportCorpus([gone], path, { format: "parquet", embedAudio: true })).rejects.toThrow(/gone\.wav/);
  expect(readdirSync(join(folder, "none"))).toEqual([]);
  await expect(exportCorpus([], path, { format: "jsonl" })).rejects.toThrow(/no utterance/);
  await expect(exportCorpus([gone], path, { format: "xml" as ExportFormat })).rejects.toThrow(/jsonl, csv, parquet/);
});

test("Parquet as Hugging Face datasets store it, written by pyarrow (tools/oracle/datasets_parquet.py)", async () => {
  const path = join(import.meta.dirname, "fixtures/hf-audio.parquet");
  const read = await collect(parquet(path));
  expect(read.map((u) => [u.id, u.label, u.speaker, u.valence])).toEqual([
    ["clip0", "angry", "a", 1.5],
    ["clip1", "happy", "b", 2.5],
    ["clip2", "sad", "a", undefined],
    ["clip3", "happy", "b", 4],
    ["clip4", undefined, "c", 5],
  ]);
  for (const [i, u] of read.entries())
    expect(await probeClip(u.audio)).toMatchObject({
      header: { sampleRate: 8000, channels: 1, frames: 400 + 100 * i },
    });
});
