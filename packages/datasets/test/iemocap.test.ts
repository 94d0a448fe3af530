import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CorpusProblem } from "@emosllm/interfaces";
import { describe, expect, test } from "vitest";
import { applyScheme, collect, emotionScheme, iemocap, leaveOneSessionOut, leaveOneSpeakerOut } from "../src/index.ts";
import { syllables, wavFile, writeIemocap } from "../src/testing/index.ts";
import { tally, tempFolder } from "./temp.ts";

const folder = tempFolder();
const root = join(folder, "IEMOCAP_full_release");
const expected = writeIemocap(root);
execFileSync("tar", ["-cf", join(folder, "i.tar"), "-C", folder, "IEMOCAP_full_release"]);
execFileSync("tar", ["-czf", join(folder, "i.tar.gz"), "-C", folder, "IEMOCAP_full_release"]);

async function load(path: string) {
  const problems: CorpusProblem[] = [];
  const utterances = await collect(iemocap(path, { onProblem: (p) => problems.push(p) }));
  return { utterances, problems };
}

describe.each(["IEMOCAP_full_release", "", "i.tar", "i.tar.gz"])("iemocap from %j", (name) => {
  const path = join(folder, name);
  test("finds what the kit wrote, and reports each quirk as often as it is there", async () => {
    const { utterances, problems } = await load(path);
    expect(utterances.length).toBe(expected.utterances);
    expect(tally(utterances.map((u) => u.label))).toEqual(expected.labels);
    expect(tally(utterances.map((u) => u.speaker))).toEqual(expected.speakers);
    expect(tally(problems.map((p) => p.code))).toEqual(expected.problems);
    expect(problems.filter((p) => p.code === "annotation_invalid")[0]?.message).toMatch(/Ses01M_impro09\.txt:13: /);
  });
});

test("one utterance has everything the release says", async () => {
  const { utterances } = await load(root);
  const u = utterances.find((u) => u.id === "Ses01F_impro01_M000");
  expect(u).toMatchObject({
    corpus: "iemocap",
    dialogue: "Ses01F_impro01",
    turn: 1,
    speaker: "01M", // the dialogue's letter is F
    gender: "male",
    session: "1",
    text: "Turn 1 of Ses01F_impro01. [LAUGHTER]",
    valence: 2.5,
    dominance: 3,
    language: "en",
    audio: { path: join(root, "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav"), duration: 2.5 },
  });
});

test("raters' shares count a divided vote in parts and leave self-evaluations out", async () => {
  const { utterances } = await load(root);
  const happy = utterances.find((u) => u.label === "hap" && u.softLabel);
  expect(happy?.softLabel?.["hap"]).toBeCloseTo(2.5 / 3, 12);
  expect(happy?.softLabel?.["exc"]).toBeCloseTo(0.5 / 3, 12);
  const merged = await collect(applyScheme([happy!], emotionScheme("iemocap-4")));
  expect(merged[0]).toMatchObject({ label: "happy" });
  expect(merged[0]?.softLabel?.["happy"]).toBeCloseTo(1, 12);
});

test("leave one session out: three sessions, one, one; no speaker twice; seeded and hashed", async () => {
  const utterances = await collect(applyScheme(iemocap(root), emotionScheme("iemocap-4")));
  for (let fold = 1; fold <= 5; fold++) {
    const split = leaveOneSessionOut(utterances, { fold });
    expect(split.card.parts.test.sessions).toEqual([String(fold)]);
    expect(split.card.parts.validation.sessions).toEqual([String((fold % 5) + 1)]);
    expect(split.card.parts.train.sessions.length).toBe(3);
    expect(split.card.overlap.map((o) => [...o.speakers, ...o.dialogues].length)).toEqual([0, 0, 0]);
    expect(split.train.length + split.validation.length + split.test.length).toBe(utterances.length);
    expect(leaveOneSessionOut(utterances.toReversed(), { fold }).sha256).toBe(split.sha256);
  }
  const seeds = [0, 1, 2, 3, 4, 5].map(
    (seed) => leaveOneSessionOut(utterances, { fold: 1, validation: "random-speakers", seed }).sha256,
  );
  expect(new Set(seeds).size).toBeGreaterThan(1);
  const byPerson = leaveOneSessionOut(utterances, { fold: 2, validation: "random-speakers", seed: 3 });
  expect(byPerson.card.overlap.map((o) => o.speakers.length)).toEqual([0, 0, 0]);
  const random = leaveOneSessionOut(utterances, { fold: 2, validation: "random-utterances" });
  expect(random.card.overlap[0]?.speakers.length).toBeGreaterThan(0);
});

test("leave one speaker out: the partner validates", async () => {
  const utterances = (await load(root)).utterances.filter((u) => u.speaker && !u.id.startsWith("Ses02F_impro09"));
  const split = leaveOneSpeakerOut(utterances, { fold: 3 });
  expect(Object.keys(split.card.parts.test.speakers)).toEqual(["02F"]);
  expect(Object.keys(split.card.parts.validation.speakers)).toEqual(["02M"]);
  expect(Object.keys(split.card.parts.train.speakers).length).toBe(8);
});

test("the whole dialogue's recording with start and end; words without tags", async () => {
  const own = join(folder, "dialogues");
  writeIemocap(own, { sessions: 1, dialogues: 1, turns: 2, quirks: false });
  mkdirSync(join(own, "Session1/dialog/wav"));
  const wav = join(own, "Session1/dialog/wav/Ses01F_impro01.wav");
  writeFileSync(wav, wavFile([syllables(1, 12)]));
  const missing: string[] = [];
  const found = await collect(
    iemocap(own, {
      audio: "dialogue",
      stripTags: true,
      onProblem: (p) => p.code === "audio_missing" && missing.push(p.id ?? ""),
    }),
  );
  expect(found.map((u) => [u.id, u.audio, u.text])).toEqual([
    ["Ses01F_impro01_F000", { path: wav, start: 5, end: 7.5, duration: 2.5 }, "Turn 0 of Ses01F_impro01."],
    ["Ses01F_impro01_M000", { path: wav, start: 8.25, end: 10.75, duration: 2.5 }, "Turn 1 of Ses01F_impro01."],
  ]);
  expect(missing).toEqual(["Ses01M_impro01_F000", "Ses01M_impro01_M000"]);
});

test("wrong paths are named", async () => {
  await expect(collect(iemocap(join(folder, "none")))).rejects.toThrow(/none: no such folder/);
  await expect(collect(iemocap(join(root, "Session1")))).rejects.toThrow(/Session1\/dialog\/EmoEvaluation/);
});
