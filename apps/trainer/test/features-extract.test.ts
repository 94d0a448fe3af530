import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeWav, encoderFeature, extractFeatures } from "@emosllm/audio-features";
import { openFrameEncoder } from "@emosllm/backbones";
import { type StoredTensor, loadSafetensors, readSafetensorsHeader } from "@emosllm/checkpoints";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
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
    [
      ["extract", at("a.wav"), "--features", "f0", "--out", at("x.npz")],
      "is written as safetensors, but its name ends in .npz",
    ],
    [["extract", at("a.wav"), at("a.wav"), "--features", "f0", "--out", at("x")], "same base name"],
    [["extract", at("a.wav"), "--features", "f0", "--settings", "{", "--out", at("x")], "not JSON"],
    [
      ["extract", at("a.wav"), "--features", "f0", "--settings", '{"nMels":3}', "--out", at("x")],
      "f0 has no setting nMels",
    ],
    ...(
      [
        ["kaldi-fbank", '{"numMelBins":1000000000}', "expected a whole number from 1 to 4096"],
        ["kaldi-fbank", '{"frameShift":"x"}', 'frameShift of kaldi-fbank is "x", expected a number'],
        ["librosa-mfcc", '{"nMfcc":1.5}', "nMfcc of librosa-mfcc is 1.5, expected a whole number"],
        ["whisper-log-mel", '{"padSeconds":1e12}', "expected a number from 0.01 to 86400, or null"],
      ] as const
    ).map(([kind, settings, message]): [string[], string] => [
      ["extract", at("a.wav"), "--features", kind, "--settings", settings, "--out", at("x")],
      message,
    ]),
    [["extract", at("a.wav"), "--features", "f0", "--out", at("none/x")], `there is no folder ${at("none")}`],
    [["extract", at("a.wav"), "--features", "f0", "--out", folder], "is a folder; expected a file"],
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

describe("a speech encoder's features", () => {
  const encoder = fileURLToPath(new URL("../../../packages/backbones/test/fixtures/wavlm-large", import.meta.url));
  const before = process.env["EMOSLLM_CACHE"];
  beforeAll(() => void (process.env["EMOSLLM_CACHE"] = at("cache")));
  afterAll(() => {
    if (before === undefined) delete process.env["EMOSLLM_CACHE"];
    else process.env["EMOSLLM_CACHE"] = before;
  });
  const wanted = ["--model", encoder, "--layers=0,-1"];

  test("extract: frames of the chosen layers, and their mean over the clip", async () => {
    const files = [at("a.wav"), at("b.wav")];
    expect((await run("extract", ...files, "--features", "encoder", ...wanted, "--out", at("e"))).code).toBe(0);
    expect((await run("extract", ...files, "--features", "encoder-mean", ...wanted, "--out", at("m"))).code).toBe(0);
    const [frames, means] = [await loadSafetensors(at("e")), await loadSafetensors(at("m"))];
    expect(frames.get("a.wav")?.shape).toEqual([49, 48]);
    expect(means.get("b.wav")?.shape).toEqual([1, 48]);
    // The frames are transformers' (packages/backbones tests them); the mean is theirs.
    const { data, shape } = frames.get("b.wav") as StoredTensor & { data: Float32Array };
    const [steps, width] = shape as readonly [number, number];
    for (const c of [0, 23, 24, 47]) {
      let sum = 0;
      for (let t = 0; t < steps; t++) sum += data[t * width + c]!;
      expect((means.get("b.wav")!.data as Float32Array)[c]).toBeCloseTo(sum / steps, 5);
    }
    const { metadata } = await readSafetensorsHeader(at("e"));
    const names = JSON.parse(metadata["feature_names"]!) as string[];
    expect([names[0], names[47]]).toEqual(["layer0_0", "layer2_23"]);
    expect(JSON.parse(metadata["times"]!)["a.wav"]).toMatchObject({ start_seconds: 0.0125, hop_seconds: 0.02 });
    expect(metadata["model"]).toMatch(/^[0-9a-f]{64}$/);
  });

  test("the same numbers for several clips at once, in a cache", async () => {
    const source = await openFrameEncoder(encoder, { layers: [0, -1], threads: 1 });
    const feature = encoderFeature({ ...source, settings: source.settings });
    const clips = [tone, tone.subarray(0, 9000), tone.subarray(100, 7000)];
    const together = await feature.computeBatch!.run(clips, 16_000);
    for (const [i, clip] of clips.entries()) {
      const alone = await feature.compute(clip, 16_000);
      expect(together[i]!.frames).toBe(alone.frames);
      const apart = together[i]!.data.reduce((most, v, k) => Math.max(most, Math.abs(v - alone.data[k]!)), 0);
      expect(apart).toBeLessThan(2e-5);
    }
    await expect(feature.compute(tone, 8000)).rejects.toThrow(/the encoder takes 16000 Hz, not 8000 Hz/);
    await source.dispose();
  });

  test("what is wrong is said with the option or the file", async () => {
    const short = at("short.wav");
    writeFileSync(short, encodeWav({ samples: [tone.subarray(0, 300)], sampleRate: 16_000 }));
    const clip = await run("extract", short, "--features", "encoder", ...wanted, "--out", at("x"));
    expect([clip.code, clip.err]).toEqual([1, expect.stringMatching(/short.wav: clip 0: 300 samples \(18.8 ms\)/)]);
    const cases: [string[], RegExp][] = [
      [["encoder"], /need --model/],
      [["encoder", "--model", encoder, "--layers", "last"], /--layers last: expected whole numbers/],
      [["encoder", "--model", encoder, "--precision", "f8"], /--precision f8: expected one of f32, f16, int8, int4/],
    ];
    for (const [args, message] of cases) {
      const said = await run("extract", at("a.wav"), "--out", at("x"), "--features", ...args);
      expect([said.code, said.err]).toEqual([2, expect.stringMatching(message)]);
    }
  });
});
