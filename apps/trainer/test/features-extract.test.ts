import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeWav, extractFeatures } from "@emosllm/audio-features";
import { readSafetensorsHeader } from "@emosllm/checkpoints";
import { afterAll, expect, test, vi } from "vitest";
import { runCli } from "../src/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "extract-"));
afterAll(() => rmSync(folder, { recursive: true }));

const tone = new Float32Array(16000).map((_, i) => 0.4 * Math.sin((2 * Math.PI * 150 * i) / 16000));
writeFileSync(join(folder, "a.wav"), encodeWav({ samples: [tone], sampleRate: 16000 }, { encoding: "float32" }));
writeFileSync(join(folder, "b.wav"), encodeWav({ samples: [tone.subarray(0, 9000)], sampleRate: 16000 }));
const at = (name: string): string => join(folder, name);

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const text = { out: "", err: "" };
  const out = vi.spyOn(process.stdout, "write").mockImplementation((s) => ((text.out += String(s)), true));
  const err = vi.spyOn(process.stderr, "write").mockImplementation((s) => ((text.err += String(s)), true));
  const code = await runCli(["features", ...argv]);
  out.mockRestore();
  err.mockRestore();
  return { code, ...text };
}

test("extract: one tensor per file, named by its base name, with names, times and settings", async () => {
  const file = at("k.safetensors");
  const settings = '{"numMelBins":40}';
  const { code, out } = await run(
    "extract",
    at("a.wav"),
    at("b.wav"),
    "--features",
    "kaldi-fbank",
    "--settings",
    settings,
    "--out",
    file,
    "--json",
  );
  expect(code).toBe(0);
  expect(
    out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).shape),
  ).toEqual([
    [98, 40],
    [54, 40],
  ]);
  const header = await readSafetensorsHeader(file);
  expect([...header.tensors.keys()].sort()).toEqual(["a.wav", "b.wav"]);
  const { metadata } = header;
  expect(JSON.parse(metadata["feature_names"]!)).toHaveLength(40);
  expect(JSON.parse(metadata["times"]!)["b.wav"]).toEqual({
    start_seconds: 0.0125,
    hop_seconds: 0.01,
    duration_seconds: 0.5625,
  });
  expect(metadata).toMatchObject({ features: "kaldi-fbank", sample_rate: "16000", settings });
});

test("extract: wrong usage is named", async () => {
  const cases: [string[], string][] = [
    [["extract", at("a.wav"), "--features", "mfcc", "--out", at("x")], "--features mfcc: expected one of waveform"],
    [["extract", at("a.wav"), at("a.wav"), "--features", "f0", "--out", at("x")], "same base name"],
    [["extract", at("a.wav"), "--features", "f0", "--settings", "{", "--out", at("x")], "not JSON"],
    [
      ["extract", at("a.wav"), "--features", "f0", "--settings", '{"nMels":3}', "--out", at("x")],
      "f0 has no setting nMels",
    ],
  ];
  for (const [argv, message] of cases) {
    const { code, err } = await run(...argv);
    expect(err).toContain(message);
    expect(code).toBe(2);
  }
});

test("describe: the words and their numbers; bins must be there", async () => {
  const edges = { pitchLevel: [100, 140, 160, 200], loudness: [0.1, 0.2, 0.3, 0.4] };
  const bins = {
    format: "emosllm-voice-bins",
    version: 1,
    by: "overall",
    rateFrom: "nuclei",
    quantiles: [0.1, 0.3, 0.7, 0.9],
    groups: { overall: { clips: 10, edges } },
  };
  writeFileSync(at("bins.json"), JSON.stringify(bins));
  const { code, out } = await run("describe", at("a.wav"), "--bins", at("bins.json"), "--json");
  expect(code).toBe(0);
  const said = JSON.parse(out);
  expect(said).toMatchObject({ file: at("a.wav"), levels: { pitchLevel: 2 }, group: "overall" });
  expect(said.text).toContain("The pitch is medium.");
  expect(said.measures.pitchLevel).toBeCloseTo(150, 0);
  expect((await run("describe", at("a.wav"), "--bins", at("none.json"))).code).toBe(1);
  expect((await run("describe", at("a.wav"), "--bins", at("bins.json"), "--style", "loud")).code).toBe(2);
});

test("a kind or a setting that does not exist lists what does", () => {
  expect(() => extractFeatures("mfcc", tone, 16000)).toThrow("mfcc is not one of waveform, whisper-log-mel");
});
