/** The whole chain on a small corpus: speech is made, a model trained for a few steps, its bundle asked through the command line. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeDemoCorpus } from "@emosllm-tools/demo-corpus";
import { encodeWav } from "@emosllm/audio-features";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTrainConfig, runCli, type RunResult, runTraining } from "@emosllm/trainer";

const root = fileURLToPath(new URL("../../../", import.meta.url));
let folder: string;
let bundle: string;
let result: RunResult;
let clip: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm-chain-"));
  const corpus = join(folder, "corpus");
  await makeDemoCorpus(corpus, { utterancesPerSpeaker: 6, seed: 3 });
  const config = await readTrainConfig(join(root, "apps/trainer/recipes/demo.yaml"), [
    `model_name_or_path=${join(root, "tools/tiny-backbone/model")}`,
    `corpus=iemocap:${corpus}`,
    `output_dir=${join(folder, "run")}`,
    "max_steps=4",
    "per_device_train_batch_size=4",
  ]);
  result = await runTraining(config, () => {});
  bundle = result.bundle;
  clip = result.test.answers[0]?.sample.utterance.audio.path as string;
}, 300_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line in this process and keeps what it writes. */
async function run(...argv: string[]): Promise<Said> {
  const said = { out: "", err: "" };
  const [stdout, stderr] = [process.stdout.write, process.stderr.write];
  process.stdout.write = ((text: string) => ((said.out += text), true)) as typeof process.stdout.write;
  process.stderr.write = ((text: string) => ((said.err += text), true)) as typeof process.stderr.write;
  try {
    return { code: await runCli(argv), ...said };
  } finally {
    process.stdout.write = stdout;
    process.stderr.write = stderr;
  }
}
const predict = (...argv: string[]): Promise<Said> => run("predict", "--bundle", bundle, ...argv);

describe("training", () => {
  test("tests on the speakers of the held-out session only", () => {
    const sessions = new Set(result.test.answers.map((a) => a.sample.utterance.session));
    expect(sessions.size).toBe(1);
    expect(result.test.answers.length).toBeGreaterThan(0);
  });

  test("leaves a bundle, predictions and nothing half written", async () => {
    expect((await readdir(join(folder, "run"))).sort()).toEqual([
      "all_results.json",
      "best",
      "checkpoint-4",
      "config.yaml",
      "last",
      "log.jsonl",
      "predictions.jsonl",
      "runs",
    ]);
    const lines = (await readFile(join(folder, "run/predictions.jsonl"), "utf8")).trim().split("\n");
    expect(lines).toHaveLength(result.test.answers.length);
    const { probabilities } = JSON.parse(lines[0] as string) as { probabilities: Record<string, number> };
    expect(Object.values(probabilities).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
  });

  test("says all that is wrong with a config, with line and accepted values", async () => {
    const file = join(folder, "bad.yaml");
    await writeFile(
      file,
      "model_name_or_path: x\ncorpus: iemocap\noutput_dir: y\nlearning_rate: fast\nlr_scheduler_type: cosin\nepochs: 3\n",
    );
    const { code, err } = await run("train", file);
    expect(code).toBe(1);
    expect(err).toMatch(/bad\.yaml:2: corpus: must be NAME:PATH/);
    expect(err).toMatch(/bad\.yaml:4: learning_rate/);
    expect(err).toMatch(/bad\.yaml:5: lr_scheduler_type.*cosine/);
    expect(err).toMatch(/epochs/);
  });
});

describe("emosllm predict", () => {
  test("gives each label a probability, the same each time, as the run's own test did", async () => {
    const { code, out } = await predict(clip, "--json");
    expect(code).toBe(0);
    const { probabilities } = JSON.parse(out) as { probabilities: Record<string, number> };
    expect(Object.keys(probabilities)).toEqual(["angry", "happy", "sad", "neutral"]);
    expect(Object.values(probabilities).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    const own = result.audioOnly.answers[0]?.probabilities as Record<string, number>;
    // Scored with other neighbours and other padding there: f32 sums in another order.
    for (const [label, p] of Object.entries(probabilities)) expect(p).toBeCloseTo(own[label] as number, 4);
  });

  test("a transcript is taken into account", async () => {
    const [a, b] = [
      await predict(clip, "--json"),
      await predict(clip, "--json", "--transcript", "I am furious about this"),
    ];
    expect(a.out).not.toBe(b.out);
  });

  const wav = async (name: string, samples: Float32Array): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, encodeWav({ samples: [samples], sampleRate: 16000 }));
    return file;
  };
  const tone = (seconds: number): Float32Array =>
    Float32Array.from({ length: seconds * 16000 }, (_, i) => 0.3 * Math.sin(i * 0.06) * Math.sin(i * 0.001));

  test("half a second: an answer drawn towards even odds, and said so", async () => {
    const { code, out } = await predict(await wav("half.wav", tone(0.5)), "--json");
    expect(code).toBe(0);
    const answer = JSON.parse(out) as { reliability: number; probabilities: Record<string, number> };
    expect(answer.reliability).toBeCloseTo(0.5, 2);
    expect(Math.max(...Object.values(answer.probabilities))).toBeLessThanOrEqual(0.625 + 1e-6);
  });

  test.each([
    ["silent", async () => wav("silent.wav", new Float32Array(16000)), /silent\.wav: silent/],
    ["too short", async () => wav("short.wav", tone(0.1)), /short\.wav: 0\.10 s of audio; at least 0\.2 s/],
    ["missing", async () => join(folder, "nowhere.wav"), /nowhere\.wav/],
    [
      "not sound",
      async () => (await writeFile(join(folder, "text.wav"), "hello, I am text"), join(folder, "text.wav")),
      /text\.wav/,
    ],
    ["empty", async () => (await writeFile(join(folder, "empty.wav"), ""), join(folder, "empty.wav")), /empty\.wav/],
    ["a folder without sound", async () => mkdtemp(join(folder, "none-")), /no sound file in this folder/],
  ])("%s: one clear line, exit code 1", async (_, make, message) => {
    const { code, out, err } = await predict(await make());
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(message);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(err).not.toMatch(/\n\s+at /);
  });

  test("bad files do not keep good ones from being answered", async () => {
    const { code, out, err } = await predict(join(folder, "nowhere.wav"), clip, "--json");
    expect(code).toBe(1);
    expect(out.trim().split("\n")).toHaveLength(1);
    expect(err).toMatch(/nowhere/);
  });

  test("wrong usage: exit code 2", async () => {
    expect((await run("predict", clip)).code).toBe(2);
    expect((await run("preditc")).code).toBe(2);
  });

  test("no bundle, and a damaged one", async () => {
    expect((await run("predict", "--bundle", folder, clip)).err).toMatch(/is no bundle: emosllm\.json cannot be read/);
    const copy = join(folder, "copy");
    const { cp } = await import("node:fs/promises");
    await cp(bundle, copy, { recursive: true });
    await truncate(join(copy, "projector.safetensors"), 1000);
    const { code, err } = await run("predict", "--bundle", copy, clip);
    expect(code).toBe(1);
    expect(err).toMatch(/projector\.safetensors was altered/);
  });

  test("as a process of its own", () => {
    const done = spawnSync(
      "node",
      ["tools/setup/run.mjs", "apps/trainer/src/main.ts", "predict", "--bundle", bundle, clip],
      { cwd: root, encoding: "utf8" },
    );
    expect(done.status).toBe(0);
    expect(done.stdout).toMatch(/angry +\d+\.\d %/);
  });
});
