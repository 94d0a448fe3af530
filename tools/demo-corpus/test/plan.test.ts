import { expect, test } from "vitest";
import { planCorpus, SENTENCES, SPEAKERS } from "../src/index.ts";

const CLASS: Record<string, string> = { ang: "ang", hap: "hap", exc: "hap", neu: "neu", sad: "sad" };
const clips = planCorpus({ seed: 3, utterancesPerSpeaker: 104 });

test("each speaker has the same number of clips of each class, and a few outside the classes", () => {
  for (const { id } of SPEAKERS) {
    const own = clips.filter((c) => c.speaker === id);
    const count = (label: string): number => own.filter((c) => (CLASS[c.ratings.label] ?? "-") === label).length;
    expect(["ang", "hap", "neu", "sad", "-"].map(count)).toEqual([24, 24, 24, 24, 8]);
  }
});

test("words tell nothing: every speaker says every chosen sentence equally often with each class", () => {
  const table = new Map<string, Record<string, number>>();
  for (const clip of clips) {
    const label = CLASS[clip.ratings.label];
    if (label === undefined) continue;
    const key = `${clip.speaker} ${clip.text}`;
    const row = table.get(key) ?? { ang: 0, hap: 0, neu: 0, sad: 0 };
    row[label]!++;
    table.set(key, row);
  }
  for (const [key, row] of table) expect(row, key).toEqual({ ang: 1, hap: 1, neu: 1, sad: 1 });
});

test("sentences are different, and all of their words are said", () => {
  expect(new Set(SENTENCES).size).toBe(SENTENCES.length);
  expect(new Set(clips.map((c) => c.text)).size).toBeGreaterThan(80);
  for (const s of SENTENCES) expect(s).toMatch(/^[A-Z][A-Za-z' ]+\.$/);
});

test("turn names are unique, speakers' letters are right, sessions keep to their own two speakers", () => {
  expect(new Set(clips.map((c) => c.turn)).size).toBe(clips.length);
  for (const clip of clips) {
    expect(clip.turn.startsWith(`Ses${clip.speaker.slice(0, 2)}`)).toBe(true);
    expect(clip.turn.at(-4)).toBe(clip.speaker.at(-1));
    expect(Number(clip.speaker.slice(0, 2))).toBe(clip.session);
  }
});

test("most raters ticked the label of a labelled clip, and never agree on xxx", () => {
  const word: Record<string, string> = { ang: "Anger", hap: "Happiness", exc: "Excited", neu: "Neutral state", sad: "Sadness", fru: "Frustration" }; // prettier-ignore
  for (const { ratings } of clips) {
    const votes = ratings.lines.filter((l) => l.startsWith("C-")).map((l) => l.split("\t")[1]!.replace(";", ""));
    const most = Math.max(...votes.map((v) => votes.filter((w) => w === v).length));
    if (ratings.label === "xxx") expect(most).toBe(1);
    else expect(votes.filter((v) => v === word[ratings.label]).length).toBeGreaterThanOrEqual(2);
  }
});
