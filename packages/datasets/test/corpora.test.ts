import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { CorpusProblem, Utterance } from "@emosllm/interfaces";
import { describe, expect, test } from "vitest";
import {
  applyScheme,
  auditCorpus,
  collect,
  compareWithPublished,
  CORPORA,
  cremad,
  emobox,
  emoboxFolds,
  emodb,
  emotionScheme,
  esd,
  iemocap,
  type Loader,
  meld,
  mspPodcast,
  type Problem,
  probeClip,
  ravdess,
  readClipBytes,
  savee,
  streamClipBytes,
  tess,
} from "../src/index.ts";
import * as kit from "../src/testing/index.ts";
import { tally, tempFolder } from "./temp.ts";

const folder = tempFolder();

async function load(loader: Loader, path: string) {
  const problems: CorpusProblem[] = [];
  const utterances = await collect(loader(path, { onProblem: (p) => problems.push(p) }));
  return { utterances, problems };
}

const TREES: readonly [string, (root: string) => kit.SyntheticCorpus, Loader, string][] = [
  ["iemocap", kit.writeIemocap, iemocap, "iemocap-4"],
  ["meld", kit.writeMeld, meld, "meld-7"],
  ["meld-emobox-layout", (root) => kit.writeMeld(root, { layout: "emobox" }), meld, "meld-3"],
  ["ravdess", kit.writeRavdess, ravdess, "ravdess-8"],
  ["cremad", kit.writeCremad, cremad, "cremad-6"],
  ["emodb", kit.writeEmodb, emodb, "emodb-7"],
  ["esd", kit.writeEsd, esd, "esd-5"],
  ["savee", kit.writeSavee, savee, "savee-7"],
  ["tess", kit.writeTess, tess, "tess-7"],
  ["msp-podcast", kit.writeMspPodcast, mspPodcast, "msp-podcast-8"],
  ["msp-older", (root) => kit.writeMspPodcast(root, { older: true }), mspPodcast, "msp-podcast-5"],
];

describe.each(TREES)("%s", (name, write, loader, scheme) => {
  const root = join(folder, name);
  const expected = write(root);

  test("counts, labels, true speakers and each problem as often as it is there", async () => {
    const { utterances, problems } = await load(loader, root);
    expect(tally(utterances.map((u) => u.label))).toEqual(expected.labels);
    expect(tally(utterances.map((u) => u.speaker))).toEqual(expected.speakers);
    expect(utterances.length).toBe(expected.utterances);
    expect(tally(problems.map((p) => p.code))).toEqual(expected.problems);
    for (const p of problems) expect(p.message.length).toBeGreaterThan(10);
  });

  test("the sound files' own problems, each as often as it is there", async () => {
    const { utterances } = await load(loader, root);
    const report = await auditCorpus(name, utterances, { publishedAs: "" });
    expect(tally(report.problems.map((p: Problem) => p.code))).toEqual(expected.audioProblems);
    expect(report.hours).toBeGreaterThan(0);
  });

  test("the usual scheme leaves only its labels", async () => {
    const { utterances } = await load(loader, root);
    const labels = emotionScheme(scheme).labels;
    const mapped = await collect(applyScheme(utterances, emotionScheme(scheme)));
    expect(mapped.length).toBeGreaterThan(0);
    for (const u of mapped) expect(labels).toContain(u.label);
  });

  test("from a tar and a tar.gz the same utterances, and the same sound", async () => {
    const { utterances } = await load(loader, root);
    for (const [ending, flags] of [
      ["tar", "-cf"],
      ["tar.gz", "-czf"],
    ] as const) {
      const archive = join(folder, `${name}.${ending}`);
      execFileSync("tar", [flags, archive, "-C", folder, name]);
      const packed = await load(loader, archive);
      const bare = (us: Utterance[]) => us.map((u) => ({ ...u, audio: undefined }));
      expect(bare(packed.utterances)).toEqual(bare(utterances));
      expect(tally(packed.problems.map((p) => p.code))).toEqual(expected.problems);
      const last = utterances.length - 1;
      const [here, there] = [utterances[last] as Utterance, packed.utterances[last] as Utterance];
      expect(Buffer.compare(await readClipBytes(here.audio), await readClipBytes(there.audio))).toBe(0);
      rmSync(archive);
    }
  });
});

test("every corpus of the table names a scheme that exists", () => {
  for (const { scheme } of Object.values(CORPORA)) if (scheme !== undefined) emotionScheme(scheme);
});

test("the whole of RAVDESS has the published counts", async () => {
  const root = join(folder, "ravdess-24");
  kit.writeRavdess(root, { actors: 24, seconds: 0, quirks: false });
  const utterances = await collect(ravdess(root));
  expect(utterances.length).toBe(1440);
  const report = await auditCorpus("ravdess", utterances, { openAudio: false });
  expect(report.problems).toEqual([]);
  const fewer = await auditCorpus("ravdess", utterances.slice(1), { openAudio: false });
  expect(fewer.problems.map((p) => p.message)).toEqual(["neutral 95 (published 96)"]);
});

test("MELD without its two unusable clips has the published counts, without a third it has not", async () => {
  const counts = {
    train: [4710, 1743, 1205, 1109, 683, 271, 268],
    dev: [470, 163, 150, 153, 111, 22, 40],
    test: [1256, 402, 281, 345, 208, 68, 50],
  };
  const labels = ["neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear"];
  const all = Object.entries(counts).flatMap(([split, row]) =>
    row.flatMap((n, l) =>
      Array.from({ length: n }, (_, i): Utterance => ({
        id: `${split}${l}-${i}`,
        corpus: "meld",
        audio: { path: "x" },
        split,
        label: labels[l] as string,
      })),
    ),
  );
  const usable = all.filter((u) => u.id !== "train0-0" && u.id !== "dev1-0");
  expect([all.length, compareWithPublished("meld", all), compareWithPublished("meld", usable)]).toEqual([
    13708,
    [],
    [],
  ]);
  expect(compareWithPublished("meld", usable.slice(0, -1))).toEqual([
    "neutral 6435 (published 6436), joy 2307 (published 2308), fear 357 (published 358)",
    "split test: fear 49 (published 50)",
  ]);
});

test("MELD.Raw.tar.gz with the parts' archives inside is read in one pass", async () => {
  const root = join(folder, "nested/MELD.Raw");
  const expected = kit.writeMeld(root);
  for (const [part, clips] of [
    ["train", "train_splits"],
    ["dev", "dev_splits_complete"],
    ["test", "output_repeated_splits_test"],
  ] as const) {
    execFileSync("tar", ["-czf", join(root, `${part}.tar.gz`), "-C", root, clips]);
    rmSync(join(root, clips), { recursive: true });
  }
  const half = await load(meld, root); // unpacked once: three archives beside the tables
  expect(half.utterances.length).toBe(expected.utterances);
  execFileSync("tar", ["-czf", join(folder, "MELD.Raw.tar.gz"), "-C", join(folder, "nested"), "MELD.Raw"]);
  const whole = await load(meld, join(folder, "MELD.Raw.tar.gz"));
  expect(whole.utterances.length).toBe(expected.utterances);
  expect(tally(whole.problems.map((p) => p.code))).toEqual(expected.problems);
  const clips = new Map<string, number>();
  for await (const { clip, bytes } of streamClipBytes(whole.utterances.map((u) => u.audio)))
    clips.set(`${clip.path}!${clip.member}`, bytes.length);
  expect(clips.size).toBe(expected.utterances);
  expect(await probeClip((whole.utterances[0] as Utterance).audio)).toMatchObject({
    header: { channels: 6, seconds: 0.4 },
  });
  expect((whole.utterances[0] as Utterance).audio.channel).toBe("centre");
});

test("raters' shares of MSP-Podcast", async () => {
  const utterances = await collect(mspPodcast(join(folder, "msp-podcast"), { softLabels: true }));
  expect(utterances[1]).toMatchObject({ label: "H", softLabel: { H: 0.5, N: 0.5 } });
  expect(utterances[0]).toMatchObject({
    text: "segment 0 of a podcast",
    attributes: { podcast: "0001" },
    valence: 3.6,
  });
});

test("EmoBox: ids of the raw loader, the true speakers, folds as a table", async () => {
  const root = join(folder, "EmoBox");
  const expected = kit.writeEmobox(root);
  const { utterances, problems } = await load(emobox, join(root, "data/iemocap"));
  expect(tally(utterances.map((u) => u.label))).toEqual(expected.labels);
  expect(tally(utterances.map((u) => u.speaker))).toEqual(expected.speakers);
  expect(tally(problems.map((p) => p.code))).toEqual(expected.problems);
  expect(utterances[0]).toMatchObject({ id: "Ses01F_impro01_F000", corpus: "iemocap", audio: { duration: 0.4 } });
  expect((await readClipBytes((utterances[0] as Utterance).audio)).length).toBeGreaterThan(44);
  const folds = await emoboxFolds(join(root, "data/iemocap"));
  expect(folds.map((f) => tally([...f.values()].flat()))).toEqual([
    { train: 12, test: 12 },
    { train: 12, test: 12 },
  ]);
});

test("unlabelled and missing clips come when they are asked for", async () => {
  const root = join(folder, "iemocap");
  const all = await collect(iemocap(root, { keepUnlabelled: true, keepMissing: true }));
  expect(all.filter((u) => u.label === undefined).map((u) => u.id)).toEqual(["Ses01M_impro09_F099"]);
  expect(all.map((u) => u.id)).toContain("Ses01M_impro09_M000");
});
