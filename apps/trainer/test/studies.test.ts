/** Prompts searched and compared, inputs probed: with a model of a few steps, so what is tested is what is asked and reported, not how good it is. */
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SCHEMES } from "@emosllm/datasets";
import type { ProbeStudy, SensitivityStudy } from "@emosllm/report";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { readCorruptions } from "../src/asking/corruptions.ts";
import { corpusPart } from "../src/evaluation/corpus-part.ts";
import { type Said, run } from "./run.ts";
import { tinyRun } from "./tiny-run.ts";

let folder: string;
let made: Awaited<ReturnType<typeof tinyRun>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm-studies-"));
  made = await tinyRun(folder, ["voice_description=true"]);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const ask = (command: string, out: string, ...more: string[]): Promise<Said> =>
  run(...command.split(" "), "--bundle", made.bundle, "--out", join(folder, out), ...more);
const json = async <T>(file: string): Promise<T> => JSON.parse(await readFile(join(folder, file), "utf8")) as T;

describe("probe", () => {
  test("conditions, reliance and corruptions, the same twice", async () => {
    const argv = ["--limit", "12", "--corruptions", "noise:20,0", "telephone", "wer:0.5"];
    const first = await ask("probe", "probe", ...argv);
    expect({ code: first.code, err: first.err }).toEqual({ code: 0, err: "" });
    const study = await json<ProbeStudy>("probe/probe.json");
    expect(study.conditions.map((c) => c.condition)).toEqual([
      "all",
      "only audio",
      "only transcript",
      "only voice",
      "without audio",
      "without transcript",
      "without voice",
      "shuffled audio",
      "shuffled transcript",
      "shuffled voice",
      "swapped audio",
      "swapped transcript",
      "swapped voice",
    ]);
    const of = (name: string) => study.conditions.find((c) => c.condition === name);
    expect(study.reliance.map((r) => r.modality)).toEqual(["audio", "transcript", "voice"]);
    for (const r of study.reliance)
      expect(r.follows_swapped + r.follows_rest + r.neither).toBe(of(`swapped ${r.modality}`)?.n);
    expect(study.corruptions.map((c) => [c.corruption, c.severity])).toEqual([
      ["none", null],
      ["noise", 20],
      ["noise", 0],
      ["telephone", null],
      ["wer", 0.5],
    ]);
    expect(study.corruptions[4]?.measured_wer).toBeCloseTo(0.5, 1);
    // Clean is what `all` is; every figure has an interval around it.
    expect(study.corruptions[0]?.ua).toBe(of("all")?.ua);
    for (const c of [...study.conditions, ...study.corruptions]) {
      expect(c.low).toBeLessThanOrEqual(c.ua);
      expect(c.high).toBeGreaterThanOrEqual(c.ua);
    }
    const page = await readFile(join(folder, "probe/probe.html"), "utf8");
    expect(page.match(/<svg/g)).toHaveLength(3);
    await ask("probe", "again", ...argv);
    expect(await json("again/probe.json")).toEqual(study);
  });

  test.each([
    ["noise", /noise: expected noise:V,\.\.\. reverb:V,\.\.\./],
    ["noise:loud", /'loud' is not one of signal-to-noise ratios in dB/],
    ["wer:2", /'2' is not one of word error rates, 0 to 1/],
    ["telephone:3", /telephone:3: expected/],
    ["reverb:0", /'0' is not one of reverberation times in s/],
  ])("--corruptions %s is refused", (word, message) => {
    expect(() => readCorruptions([word])).toThrow(message);
  });
});

test("sensitivity: every way of asking, what moves answers, the page", async () => {
  const argv = ["--limit", "10", "--prompts", "emotion-plain,emotion-lettered,emotion-expert", "--orders", "2"];
  const { code, err, out } = await ask("prompts sensitivity", "sensitivity", ...argv, "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const study = await json<SensitivityStudy>("sensitivity/sensitivity.json");
  expect(JSON.parse(out)).toEqual(study);
  expect(study.runs).toHaveLength(6);
  const uas = study.runs.map((r) => r.ua);
  expect(study.worst).toBe(Math.min(...uas));
  expect(study.best).toBe(Math.max(...uas));
  expect(study.mean).toBeCloseTo(uas.reduce((a, b) => a + b, 0) / 6, 12);
  expect(study.slots.map((s) => s.slot).sort()).toEqual(["audio", "transcript", "voice"]);
  expect(study.most_sensitive_slot).toBe(study.slots[0]?.slot);
  expect(await readFile(join(folder, "sensitivity/sensitivity.html"), "utf8")).toContain("<svg");
});

describe("search", () => {
  const argv = [
    "--prompts",
    "emotion-plain,emotion-quoted,emotion-lettered,emotion-expert",
    "--orders",
    "2",
    "--min-examples",
    "4",
  ];

  test("a run that held nothing back has nothing to search on", async () => {
    const { code, err } = await ask("prompts search", "none", ...argv);
    expect(code).toBe(2);
    expect(err).toMatch(/validation: none.*--validation/);
  });

  test("a validation part that is the test part is refused", async () => {
    const file = join(folder, "run", "config.yaml");
    const text = await readFile(file, "utf8");
    await writeFile(file, stringify({ ...(parse(text) as object), validation: "test" }));
    const { code, err } = await ask("prompts search", "none", ...argv);
    await writeFile(file, text);
    expect(code).toBe(2);
    expect(err).toMatch(/validation utterances of loso5 are in its test part/);
  });

  test("sees validation alone: with every other recording destroyed it finds the same", async () => {
    const first = await ask("prompts search", "search", ...argv, "--validation", "other-session");
    expect({ code: first.code, err: first.err }).toEqual({ code: 0, err: "" });
    expect(first.out).toMatch(/no test utterance was opened/);
    const log = await readFile(join(folder, "search/search.jsonl"), "utf8");
    const summary = await json<{
      winner: { score: number; low: number };
      median: { score: number };
      margin: number;
      evaluations: number;
    }>("search/search.json");
    expect(log.trim().split("\n")).toHaveLength(summary.evaluations);
    expect(summary.margin).toBeCloseTo(summary.winner.score - summary.median.score, 12);
    expect(summary.winner.low).toBeLessThanOrEqual(summary.winner.score);
    expect((await run("prompts", "check", join(folder, "search/winner.yaml"))).code).toBe(0);

    const labels = SCHEMES["iemocap-4"]!;
    const options = { labels, protocol: "loso5", fold: 5, validation: "other-session" } as const;
    const seen = new Set(
      (await corpusPart(made.corpus, { ...options, part: "validation" })).utterances.map((u) => u.audio.path),
    );
    expect(seen.size).toBeGreaterThanOrEqual(4);
    let destroyed = 0;
    for (const entry of await readdir(made.corpus.slice("iemocap:".length), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.name.endsWith(".wav") || seen.has(path)) continue;
      await writeFile(path, "no sound any more");
      destroyed++;
    }
    expect(destroyed).toBeGreaterThan(seen.size);
    const again = await ask("prompts search", "blind", ...argv, "--validation", "other-session");
    expect({ code: again.code, err: again.err }).toEqual({ code: 0, err: "" });
    expect(await readFile(join(folder, "blind/search.jsonl"), "utf8")).toBe(log);
  });
});
