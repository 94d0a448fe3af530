/** Training with speech encoders: tiny random checkpoints of each family, the made corpus, a few real steps, then the bundle is asked. */
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeDemoCorpus } from "@emosllm-tools/demo-corpus";
import { type VoiceBins, encodeWav } from "@emosllm/audio-features";
import type { BundleManifest } from "@emosllm/interfaces";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "@emosllm/trainer";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const encoderFixture = (name: string): string => join(root, "packages/backbones/test/fixtures", name);
const BEFORE = process.env["EMOSLLM_CACHE"];
let folder: string;
let clip: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm-encoder-"));
  process.env["EMOSLLM_CACHE"] = join(folder, "cache");
  await makeDemoCorpus(join(folder, "corpus"), { utterancesPerSpeaker: 5, seed: 4 });
  const tone = Float32Array.from({ length: 24_000 }, (_, i) => 0.3 * Math.sin(i / 12) * Math.sin(i / 2000));
  clip = join(folder, "turn.wav");
  await writeFile(clip, encodeWav({ samples: [tone], sampleRate: 16_000 }));
}, 120_000);
afterAll(async () => {
  if (BEFORE === undefined) delete process.env["EMOSLLM_CACHE"];
  else process.env["EMOSLLM_CACHE"] = BEFORE;
  await rm(folder, { recursive: true, force: true });
});

/** Runs the command line in this process and keeps what it writes. */
async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
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

const train = (encoder: string, output: string, ...more: string[]): ReturnType<typeof run> =>
  run(
    "train",
    join(root, "apps/trainer/recipes/demo.yaml"),
    "--model",
    join(root, "tools/tiny-backbone/model"),
    "--encoder",
    encoder,
    "--corpus",
    `iemocap:${join(folder, "corpus")}`,
    "--output",
    join(folder, output),
    "max_steps=3",
    "per_device_train_batch_size=4",
    "logging_steps=1",
    ...more,
  );
const manifestOf = async (output: string): Promise<BundleManifest> =>
  JSON.parse(await readFile(join(folder, output, "best/emosllm.json"), "utf8")) as BundleManifest;

describe.each([
  ["wavlm-large", 2],
  ["hubert-base", 2],
  ["whisper", 2],
])("%s", (name, last) => {
  test("trains for a few steps, and its bundle answers", async () => {
    const said = await train(encoderFixture(name), name);
    expect(said.err).toMatch(/step 3\/3 {2}loss \d/);
    expect(said.code).toBe(0);
    const { front_end: frontEnd } = await manifestOf(name);
    expect(frontEnd).toMatchObject({
      kind: "encoder",
      sample_rate: 16_000,
      encoder: { model_type: name.split("-")[0], layers: [last], hidden_size: 24, precision: "f32" },
    });
    expect(frontEnd.mean).toHaveLength(24);
    const answer = await run("predict", "--bundle", join(folder, name, "best"), clip, "--json");
    expect(answer.code).toBe(0);
    const { probabilities } = JSON.parse(answer.out) as { probabilities: Record<string, number> };
    expect(Object.values(probabilities).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
  });
});

test("the same run again takes its frames from the cache and gives the same bundle", async () => {
  const [kind] = (await readdir(join(folder, "cache/features"))).filter((f) => f.startsWith("encoder-"));
  const shards = async (): Promise<string[]> => readdir(join(folder, "cache/features", kind as string, "shards"));
  const before = await shards();
  expect((await train(encoderFixture("wavlm-large"), "again")).code).toBe(0);
  expect(await shards()).toEqual(before);
  const [a, b] = [await manifestOf("wavlm-large"), await manifestOf("again")];
  expect(b.files["projector.safetensors"]).toEqual(a.files["projector.safetensors"]);
});

test("all layers of int8 weights, summed with learned weights", async () => {
  const options = ["encoder_layers=all", "encoder_precision=int8", "max_steps=1"];
  expect((await train(encoderFixture("wavlm-large"), "layers", ...options)).code).toBe(0);
  const { front_end: frontEnd } = await manifestOf("layers");
  expect(frontEnd.encoder).toMatchObject({ layers: [0, 1, 2], precision: "int8", block_size: "row" });
  expect(frontEnd.mean).toHaveLength(72);
  const projector: unknown = JSON.parse(await readFile(join(folder, "layers/best/projector_config.json"), "utf8"));
  expect(projector).toMatchObject({ num_layers_in: 3, input_size: 24 });
  expect((await run("predict", "--bundle", join(folder, "layers/best"), clip)).code).toBe(0);
});

describe("another encoder than the bundle's", () => {
  test("of the same width is refused with both names, and taken when that is allowed", async () => {
    const bundle = join(folder, "hubert-base/best");
    const other = encoderFixture("wavlm-base");
    const said = await run("predict", "--bundle", bundle, clip, "--encoder", other);
    expect(said.code).toBe(1);
    expect(said.err).toMatch(
      /trained with the speech encoder .*hubert-base \(hubert, [0-9a-f]{12}\), but .*wavlm-base is another one \(wavlm, [0-9a-f]{12}\).*--allow-other-encoder/,
    );
    expect((await run("predict", "--bundle", bundle, clip, "--encoder", other, "--allow-other-encoder")).code).toBe(0);
  });

  test("its own elsewhere is taken, a changed one there is not, and a missing one says how to go on", async () => {
    const moved = join(folder, "moved");
    await cp(encoderFixture("hubert-base"), moved, { recursive: true });
    expect((await train(moved, "of-moved", "max_steps=1")).code).toBe(0);
    const bundle = join(folder, "of-moved/best");
    await rm(moved, { recursive: true });
    const gone = await run("predict", "--bundle", bundle, clip);
    expect([gone.code, gone.err]).toEqual([
      1,
      expect.stringMatching(/speech encoder of the bundle was not found.*--encoder/s),
    ]);
    expect((await run("predict", "--bundle", bundle, clip, "--encoder", encoderFixture("hubert-base"))).code).toBe(0);
    await cp(encoderFixture("hubert-base"), moved, { recursive: true });
    const config = JSON.parse(await readFile(join(moved, "config.json"), "utf8")) as Record<string, unknown>;
    await writeFile(join(moved, "config.json"), JSON.stringify({ ...config, layer_norm_eps: 1e-3 }));
    expect((await run("predict", "--bundle", bundle, clip)).err).toMatch(/is another one/);
  });
});

test("the voice in words: bins of the training part travel in the bundle and fill the slot", async () => {
  const options = ["voice_description=true", "prompt=emotion-plain-de", "max_steps=1"];
  expect((await train(encoderFixture("hubert-base"), "voice", ...options)).code).toBe(0);
  const { voice } = await manifestOf("voice");
  expect(voice).toMatchObject({ style: "sentences", language: "en", bins: { format: "emosllm-voice-bins" } });
  // Of the 50 clips the four sessions that train have 40, the fifth has none here.
  const groups = (of: BundleManifest): VoiceBins["groups"] => (of.voice as unknown as { bins: VoiceBins }).bins.groups;
  expect(groups(await manifestOf("voice"))["overall"]?.clips).toBeLessThanOrEqual(40);
  const bundle = join(folder, "voice/best");
  expect((await run("predict", "--bundle", bundle, clip, "--json")).code).toBe(0);
  // What the words say changes the answer, so they are really in the prompt.
  const other = join(folder, "voice-other");
  await cp(bundle, other, { recursive: true });
  const manifest = await manifestOf("voice");
  const edges = groups(manifest)["overall"]?.edges as Record<string, number[]>;
  for (const name of Object.keys(edges)) edges[name] = (edges[name] ?? []).map((e) => e + 1e6);
  await writeFile(join(other, "emosllm.json"), JSON.stringify(manifest));
  const [a, b] = [
    await run("predict", "--bundle", bundle, clip, "--json"),
    await run("predict", "--bundle", other, clip, "--json"),
  ];
  expect(JSON.parse(a.out).probabilities).not.toEqual(JSON.parse(b.out).probabilities);
});

test("features build: an encoder's beside others, in batches; shards leave the files of one run", async () => {
  const build = async (cache: string, ...more: string[]): Promise<string> => {
    const args = ["--features", "encoder-mean,librosa-mfcc", "--model", encoderFixture("wavlm-large"), "--json"];
    const said = await run(
      "features",
      "build",
      `iemocap:${join(folder, "corpus")}`,
      ...args,
      "--cache",
      cache,
      ...more,
    );
    expect(said.code).toBe(0);
    return said.out;
  };
  const files = async (cache: string): Promise<string[]> =>
    (await readdir(cache, { recursive: true })).filter((f) => f.includes("shards/")).sort();
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  expect(JSON.parse(await build(one, "--clips-per-shard", "20"))).toMatchObject({ clips: 50, computed: 50, failed: 0 });
  expect(JSON.parse(await build(one, "--clips-per-shard", "20"))).toMatchObject({ clips: 50, cached: 50 });
  for (const shard of ["1/2", "0/2"]) await build(two, "--clips-per-shard", "20", "--shard", shard);
  expect(await files(two)).toEqual(await files(one));
  expect((await files(one)).length).toBe(6);
});

test("wrong layers and a folder that is no encoder are refused before anything is written", async () => {
  const layer = await train(encoderFixture("hubert-base"), "bad", "encoder_layers=7");
  expect([layer.code, layer.err]).toEqual([1, expect.stringMatching(/layer 7: the encoder has 0 .* to 2/)]);
  const model = await train(join(root, "tools/tiny-backbone/model"), "bad");
  expect([model.code, model.err]).toEqual([1, expect.stringMatching(/preprocessor_config.json cannot be read/)]);
  expect(await readdir(folder)).not.toContain("bad");
});
