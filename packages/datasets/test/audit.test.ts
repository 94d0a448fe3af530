import { join } from "node:path";
import { cpSync, writeFileSync } from "node:fs";
import type { Utterance } from "@emosllm/interfaces";
import { describe, expect, test } from "vitest";
import {
  applyProtocol,
  auditCorpus,
  collect,
  corpusProtocol,
  emotionScheme,
  fingerprint,
  foldCount,
  hasLeak,
  iemocap,
  jsonl,
  leaveOneSessionOut,
  leaveOneSpeakerOut,
  mapLabel,
  meld,
  parseCorpus,
  type Protocol,
  PROTOCOLS,
  ravdess,
  samePairs,
  seededRandom,
} from "../src/index.ts";
import { syllables, wavFile, writeEmobox, writeIemocap, writeMeld, writeRavdess } from "../src/testing/index.ts";
import { tally, tempFolder } from "./temp.ts";

const folder = tempFolder();
const protocol = (name: string): Protocol => PROTOCOLS[name] as Protocol;

describe("fingerprints", () => {
  const random = seededRandom(7);
  const original = syllables(1, 2.5, 16000);
  const variants: Readonly<Record<string, [Float32Array, number]>> = {
    "3 dB louder": [original.map((x) => x * 1.41), 16000],
    "20 dB softer": [original.map((x) => x * 0.1), 16000],
    "noise at 20 dB": [original.map((x) => x + 0.03 * (random() - 0.5)), 16000],
    "half the rate": [
      Float32Array.from(
        { length: original.length / 2 },
        (_, i) => ((original[2 * i] as number) + (original[2 * i + 1] as number)) / 2,
      ),
      8000,
    ],
    "80 ms cut off the start": [original.subarray(1280), 16000],
    "200 ms of silence before": [Float32Array.from([...new Float32Array(3200), ...original]), 16000],
    "8 bits": [original.map((x) => Math.round(x * 127) / 127), 16000],
  };
  test.each(Object.keys(variants))("%s is the same sound", (name) => {
    const [samples, rate] = variants[name] as [Float32Array, number];
    expect(samePairs([fingerprint(original, 16000), fingerprint(samples, rate)])).toEqual([[0, 1]]);
  });
  test("a hundred and fifty different clips of the same kind are different, also when very short or silent", () => {
    const prints = Array.from({ length: 150 }, (_, i) =>
      fingerprint(syllables(100 + i, 0.4 + (i % 10) * 0.3, 8000), 8000),
    );
    prints.push(fingerprint(new Float32Array(16000), 16000), fingerprint(new Float32Array(16000), 16000));
    for (const f of [120, 200, 300, 307, 500, 900])
      // pure tones and constant offsets too
      prints.push(
        fingerprint(
          Float32Array.from({ length: 16000 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * f * i) / 16000)),
          16000,
        ),
        fingerprint(new Float32Array(16000).fill(f / 1000), 16000),
      );
    prints.push(fingerprint(new Float32Array(10), 16000), fingerprint(new Float32Array(0), 16000));
    expect(samePairs(prints)).toEqual([]);
  });
});

describe("the auditor", () => {
  const root = join(folder, "ie");
  writeIemocap(root, { quirks: false });
  const leaky = join(folder, "leak");
  writeIemocap(leaky, { quirks: false, leak: true });

  test("a clean corpus under the clean protocols has no leak, and the report its promised shape", async () => {
    const utterances = await collect(iemocap(root));
    for (const name of ["loso5", "loso10", "loso10-other-session", "loso5-other-speaker", "loso5-random-speakers"]) {
      const report = await auditCorpus("iemocap", utterances, {
        protocol: protocol(name),
        publishedAs: "",
        openAudio: false,
      });
      expect(report.problems.filter((p) => p.code !== "label_missing" && !p.code.endsWith("_overlap"))).toEqual([]);
      expect(hasLeak(report)).toBe(false);
      expect(Object.keys(report)).toEqual([
        "corpus",
        "utterances",
        "labels",
        "speakers",
        "hours",
        "problems",
        "splits",
        "sha256",
      ]);
      expect(report.splits.length).toBe(3 * foldCount(protocol(name), utterances));
      expect(Object.keys(report.splits[0] as object)).toEqual(["fold", "part", "utterances", "labels", "speakers"]);
    }
  });

  test("the same sound, louder, in two sessions is a leak in each fold that parts them", async () => {
    const utterances = await collect(iemocap(leaky));
    const report = await auditCorpus("iemocap", utterances, { protocol: protocol("loso5"), publishedAs: "" });
    const leaks = report.problems.filter((p) => p.code === "audio_leak");
    // Sessions 1 and 2 lie in different parts of folds 1 (test, validation), 2 (train, test) and 5 (validation, train).
    expect(leaks.map((p) => /fold (\d)/.exec(p.message)?.[1])).toEqual(["1", "2", "5"]);
    expect(hasLeak(report)).toBe(true);
    const bytes = await auditCorpus("iemocap", utterances, {
      protocol: protocol("loso5"),
      duplicates: "bytes",
      publishedAs: "",
    });
    expect(hasLeak(bytes)).toBe(false); // equal bytes only: the louder copy is not seen
  });

  test.each([
    ["loso5-random-utterances", "speaker_leak"],
    ["loso5-validation-is-test", "validation_is_test"],
    ["random-utterances", "speaker_leak"],
  ])("%s leaks: %s", async (name, code) => {
    const utterances = await collect(iemocap(root));
    const report = await auditCorpus("iemocap", utterances, { protocol: protocol(name), openAudio: false });
    expect(report.problems.map((p) => p.code)).toContain(code);
    expect(hasLeak(report)).toBe(true);
  });

  test("a manifest whose own parts share a speaker, a dialogue or an utterance leaks; MELD's characters do not", async () => {
    const base = { corpus: "x", audio: { path: "/none.wav" }, label: "a" };
    const make = (id: string, split: string, speaker: string, dialogue: string): Utterance => ({
      ...base,
      id,
      split,
      speaker,
      dialogue,
    });
    const audit = (utterances: Utterance[]) =>
      auditCorpus("x", utterances, { protocol: protocol("official"), openAudio: false });
    const clean = [make("1", "train", "A", "d1"), make("2", "dev", "B", "d2"), make("3", "test", "C", "d3")];
    expect(hasLeak(await audit(clean))).toBe(false);
    const speaker = await audit([...clean, make("4", "test", "A", "d4")]);
    expect(speaker.problems.map((p) => [p.code, p.message])).toEqual([
      ["speaker_leak", "fold 1: train and test share speakers A"],
    ]);
    const dialogue = await audit([...clean, make("4", "test", "C", "d1")]);
    expect(dialogue.problems.map((p) => p.code)).toEqual(["dialogue_leak"]);

    writeMeld(join(folder, "meld"), { dialogues: 3 });
    const turns = await collect(meld(join(folder, "meld")));
    const official = await auditCorpus("meld", turns, {
      protocol: protocol("meld-official"),
      openAudio: false,
      publishedAs: "",
    });
    expect(tally(official.problems.map((p) => p.code))["speaker_overlap"]).toBe(3);
    expect(hasLeak(official)).toBe(false);
  });

  test("one utterance in two parts of a manifest, or of EmoBox's fold files, is a leak", async () => {
    const path = join(folder, "twice.jsonl");
    const line = (id: string, speaker: string, split: string) =>
      `${JSON.stringify({ id, audio: `${id}.wav`, label: "a", speaker, split })}\n`;
    writeFileSync(
      path,
      line("1", "A", "train") +
        line("2", "B", "dev") +
        line("3", "C", "test") +
        line("1", "A", "test") +
        line("3", "C", "test"),
    );
    const problems: string[] = [];
    const rows = await collect(jsonl(path, { onProblem: (p) => problems.push(p.message) }));
    expect(rows.map((u) => u.id)).toEqual(["1", "2", "3", "1#test"]);
    expect(problems).toEqual([
      `${path}:4: 1 occurs in train and in test; kept as 1#test`,
      `${path}:5: 3 occurs a second time; the first is kept`,
    ]);
    expect(hasLeak(await auditCorpus("x", rows, { protocol: protocol("official"), openAudio: false }))).toBe(true);

    const base = join(folder, "EmoBoxTwice");
    writeEmobox(base, { quirks: false });
    const fold = join(base, "data/iemocap/fold_1");
    cpSync(join(fold, "iemocap_test_fold_1.jsonl"), join(fold, "iemocap_valid_fold_1.jsonl"));
    const corpus = parseCorpus(`emobox:${join(base, "data/iemocap")}`);
    const all = await collect(corpus.entry.load(corpus.path));
    const report = await auditCorpus("emobox", all, {
      protocol: await corpusProtocol(corpus, "emobox"),
      folds: [1],
      publishedAs: "",
    });
    expect(report.problems.map((p) => p.code)).toContain("validation_is_test");
  });

  test("silent clips are told, and are no copies of each other", async () => {
    const rows = ["a", "b"].map((id): Utterance => {
      writeFileSync(join(folder, `${id}.wav`), wavFile([new Float32Array(16000)]));
      return { id, corpus: "x", audio: { path: join(folder, `${id}.wav`) } };
    });
    expect((await auditCorpus("x", rows)).problems.map((p) => p.code)).toEqual(["audio_silent", "audio_silent"]);
  });

  test("offsets beyond the file, and a part of one file that is another's", async () => {
    const path = join(folder, "long.wav");
    writeFileSync(path, wavFile([syllables(3, 3)]));
    const piece = (id: string, start: number, end: number): Utterance => ({
      id,
      corpus: "x",
      audio: { path, start, end },
    });
    const report = await auditCorpus("x", [
      piece("a", 0.5, 1.5),
      piece("b", 1.5, 2.5),
      piece("c", 0.52, 1.48),
      piece("d", 2, 9),
    ]);
    expect(report.problems.map((p) => [p.code, p.id])).toEqual([
      ["audio_corrupt", "d"],
      ["audio_duplicate", "c"],
    ]);
    expect(report.hours * 3600).toBeCloseTo(1 + 1 + 0.96 + 1, 6);
  });
});

describe("protocols", () => {
  test("the published IEMOCAP folds come out of the published counts", async () => {
    const rows: Utterance[] = [];
    const perSpeaker = [528, 557, 481, 542, 522, 629, 528, 503, 590, 651];
    for (const [i, n] of perSpeaker.entries())
      for (let k = 0; k < n; k++) {
        const session = String(Math.floor(i / 2) + 1);
        rows.push({
          id: `${i}-${k}`,
          corpus: "iemocap",
          audio: { path: "x" },
          session,
          speaker: `0${session}${"FM"[i % 2]}`,
        });
      }
    expect([1, 2, 3, 4, 5].map((fold) => leaveOneSessionOut(rows, { fold }).test.length)).toEqual([
      1085, 1023, 1151, 1031, 1241,
    ]);
    expect(Array.from({ length: 10 }, (_, f) => leaveOneSpeakerOut(rows, { fold: f + 1 }).test.length)).toEqual(
      perSpeaker,
    );
    const random = leaveOneSessionOut(rows, { fold: 1, validation: "random-utterances" });
    expect(random.validation.length).toBe(Math.round((5531 - 1085) * 0.2));
  });

  test("speakers without sessions: one of the others validates", () => {
    const rows = ["a", "b", "c", "d"].map((speaker): Utterance => ({
      id: speaker,
      corpus: "x",
      audio: { path: "x" },
      speaker,
    }));
    const split = leaveOneSpeakerOut(rows, { fold: 2 });
    expect([split.test, split.validation.length, split.train.length]).toEqual([["b"], 1, 2]);
  });

  test("EmoBox's fold files split the raw loader's utterances by id", async () => {
    writeEmobox(join(folder, "EmoBox"));
    const corpus = parseCorpus(`iemocap:${join(folder, "ie")}`);
    const table = await corpusProtocol(corpus, `emobox:${join(folder, "EmoBox/data/iemocap")}`);
    const rows = await collect(iemocap(join(folder, "ie")));
    const split = applyProtocol(table, rows, { fold: 2 });
    expect(new Set(split.card.parts.test.sessions)).toEqual(new Set(["2"]));
    expect(split.test.length).toBeGreaterThan(0);
    expect(split.card.unused).toBe(rows.length - split.train.length - split.validation.length - split.test.length);
    expect(split.card.overlap.flatMap((o) => o.speakers)).toEqual([]);
  });

  test("EmoBox's RAVDESS actors", async () => {
    writeRavdess(join(folder, "rav"), { actors: 24, seconds: 0, quirks: false });
    const utterances = await collect(ravdess(join(folder, "rav")));
    const split = applyProtocol(protocol("emobox-ravdess"), utterances, { fold: 3 });
    expect(Object.keys(split.card.parts.test.speakers).sort()).toEqual(["08", "09", "19", "23"]);
    expect(split.test.length).toBe(240);
    expect(split.card.overlap.flatMap((o) => o.speakers)).toEqual([]);
  });

  test("stratified groups: whole groups, every fold, nearly equal shares, seeded", async () => {
    const random = seededRandom(3);
    const rows: Utterance[] = Array.from({ length: 3000 }, (_, i) => {
      const speaker = `s${i % 60}`;
      const lean = (i % 60) / 60;
      return {
        id: String(i),
        corpus: "x",
        audio: { path: "x" },
        speaker,
        label: random() < 0.3 + 0.4 * lean ? "a" : random() < 0.5 ? "b" : "c",
      };
    });
    const shares = tally(rows.map((u) => u.label));
    const tested = new Set<string>();
    for (let fold = 1; fold <= 5; fold++) {
      const split = applyProtocol(protocol("speakers5"), rows, { fold, seed: 11 });
      expect(split.card.overlap.flatMap((o) => o.speakers)).toEqual([]);
      for (const id of split.test) tested.add(id);
      const { labels, utterances } = split.card.parts.test;
      for (const l of ["a", "b", "c"])
        expect(Math.abs((labels[l] as number) / utterances - (shares[l] as number) / 3000)).toBeLessThan(0.03);
      expect(applyProtocol(protocol("speakers5"), rows.toReversed(), { fold, seed: 11 }).sha256).toBe(split.sha256);
    }
    expect(tested.size).toBe(3000);
  });

  test("what cannot be split says why", async () => {
    const one: Utterance = { id: "1", corpus: "x", audio: { path: "x" }, session: "1" };
    expect(() => leaveOneSessionOut([one])).toThrow(/needs at least two of session; the utterances have 1/);
    expect(() => applyProtocol(protocol("official"), [one])).toThrow(/no utterance says its part/);
    const two = [one, { ...one, id: "2", session: "2" }];
    expect(() => leaveOneSessionOut(two, { fold: 3 })).toThrow(/fold 3 is not one of 1 to 2/);
    expect(leaveOneSessionOut(two, { fold: 1 }).train).toEqual([]);
  });

  test("a scheme keeps only its labels, strict or merged", async () => {
    const us = ["hap", "exc", "fru", "xxx"].map((label): Utterance => ({
      id: label,
      corpus: "iemocap",
      audio: { path: "x" },
      label,
    }));
    const under = (name: string) => us.map((u) => mapLabel(u, emotionScheme(name))?.label);
    expect(under("iemocap-4")).toEqual(["happy", "happy", undefined, undefined]);
    expect(under("iemocap-4-strict")).toEqual(["happy", undefined, undefined, undefined]);
    expect(under("iemocap-6")).toEqual(["happy", "excited", "frustrated", undefined]);
  });
});
