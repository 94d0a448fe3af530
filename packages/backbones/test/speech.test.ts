import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { type Checkpoint, openCheckpoint } from "@emosllm/checkpoints";
import { type Tensor, input } from "@emosllm/graph";
import { type HostTensor, compile, evaluate, f32, i64 } from "@emosllm/runtime";
import { type SpeechEncoder, lengthBuckets, openSpeechEncoder, speechEncoder, weightedLayerSum } from "../src/index.ts";
import { distanceBucket } from "../src/speech/relative-bias.ts";
import { logMel } from "../src/speech/log-mel.ts";
import { LIMIT, apart, fixture, golden, lengthsOf } from "./golden.ts";

const json = async (name: string, file: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(`${fixture(name)}/${file}`, "utf8")) as Record<string, unknown>;

/** A fixture's own files with some values and tensor names changed. */
async function changed(
  name: string,
  { config = {}, sound = {}, rename = (n) => n }: Changes = {},
): Promise<SpeechEncoder> {
  const checkpoint = await openCheckpoint(fixture(name));
  const tensors = new Map([...checkpoint.tensors].map(([n, t]) => [rename(n), { ...t, name: rename(n) }]));
  return speechEncoder(
    { ...(await json(name, "config.json")), ...config },
    { ...(await json(name, "preprocessor_config.json")), ...sound },
    { ...checkpoint, tensors } as Checkpoint,
  );
}
interface Changes {
  readonly config?: Record<string, unknown>;
  readonly sound?: Record<string, unknown>;
  readonly rename?: (name: string) => string;
}

/** All states of some rows, each padded to the longest with `filler`. */
async function run(
  encoder: SpeechEncoder,
  rows: readonly Float32Array[],
  { filler = 0, lengths = encoder.config.padding } = {},
): Promise<Record<string, HostTensor>> {
  const longest = Math.max(...rows.map((r) => r.length));
  const data = new Float32Array(rows.length * longest).fill(filler);
  rows.forEach((r, i) => data.set(r, i * longest));
  const wave = input("wave", ["rows", "samples"]);
  const states = lengths ? encoder.build(wave, input("lengths", ["rows"], "i64")) : encoder.build(wave);
  const outputs: Record<string, Tensor> = { last: states.last };
  states.hidden.forEach((h, i) => (outputs[`hidden.${i}`] = h));
  return evaluate(
    outputs,
    { wave: f32(data, [rows.length, longest]), ...(lengths ? { lengths: i64(rows.map((r) => r.length)) } : {}) },
    { weights: encoder.weights, threads: 1 },
  );
}

async function clips(name: string): Promise<Float32Array[]> {
  const reference = await golden(name);
  const sound = reference("waveform");
  const samples = sound.shape[1] as number;
  return lengthsOf(reference("lengths")).map((length, r) =>
    (sound.data as Float32Array).slice(r * samples, r * samples + length),
  );
}

describe.each(["wav2vec2", "hubert", "wavlm"])("%s", (type) => {
  test("large form: every hidden state equals transformers', padded and alone", async () => {
    const name = `${type}-large`;
    const [reference, encoder, rows] = [await golden(name), await openSpeechEncoder(fixture(name)), await clips(name)];
    const frames = encoder.frameCounts(rows.map((r) => r.length));
    expect(frames).toEqual(lengthsOf(reference("frames")));
    // What lies after a row's end must not matter, so it is not even silent here.
    const together = await run(encoder, rows, { filler: 0.7 });
    expect(Object.keys(together)).toHaveLength(4);
    for (const [key, ours] of Object.entries(together))
      expect(apart(ours, reference(key), frames), key).toBeLessThan(LIMIT);
    const alone = await run(encoder, [rows[1] as Float32Array]);
    expect(apart(alone["last"], reference("alone"), [frames[1] as number])).toBeLessThan(LIMIT);
    const unmasked = await run(encoder, [rows[1] as Float32Array], { lengths: false });
    expect(apart(unmasked["last"], reference("alone"), [frames[1] as number])).toBeLessThan(LIMIT);
  });

  test("base form: clips of one length at a time", async () => {
    const name = `${type}-base`;
    const [reference, encoder, rows] = [await golden(name), await openSpeechEncoder(fixture(name)), await clips(name)];
    const lengths = rows.map((r) => r.length);
    expect(encoder.config.padding).toBe(false);
    expect(lengthBuckets(encoder, [...lengths, lengths[0] as number])).toEqual([[0, 2], [1]]);
    const frames = encoder.frameCounts(lengths);
    const [first, second] = await Promise.all(rows.map((r) => run(encoder, [r, r])));
    for (const [key, ours] of Object.entries(first as object))
      expect(apart(ours as HostTensor, reference(key), frames.slice(0, 1)), key).toBeLessThan(LIMIT);
    expect(apart(second?.["last"], reference("alone"), [frames[1] as number])).toBeLessThan(LIMIT);
    expect(() => encoder.build(input("w", ["r", "s"]), input("l", ["r"], "i64"))).toThrow(
      /'group' takes no lengths: run clips of one length at a time/,
    );
  });
});

test.each(["hubert-base", "hubert-large"])("%s: an offset of the sound costs no accuracy", async (name) => {
  // Both forms take offsets away: the large one with the scaling, the base one with its group norm.
  const encoder = await openSpeechEncoder(fixture(name));
  const quiet = (await clips(name)).map((r) => r.map((v) => Math.round(v * 2 ** 10) / 2 ** 16));
  const [plain, offset] = await Promise.all(
    [0, 0.25].map((by) =>
      run(
        encoder,
        quiet.slice(0, 1).map((r) => r.map((v) => v + by)),
      ),
    ),
  );
  const reference = {
    dtype: "f32",
    shape: plain?.["last"]?.shape ?? [],
    data: plain?.["last"]?.data as Float32Array,
  } as const;
  expect(apart(offset?.["last"], reference, [reference.shape[1] as number])).toBeLessThan(LIMIT);
});

test("whisper: features, every hidden state and the last equal transformers'", async () => {
  const [reference, encoder, rows] = [
    await golden("whisper"),
    await openSpeechEncoder(fixture("whisper")),
    await clips("whisper"),
  ];
  const all = [50, 50];
  const states = await run(encoder, rows, { filler: 0.7 });
  for (const key of ["hidden.0", "hidden.1", "hidden.2"])
    expect(apart(states[key], reference(key), all), key).toBeLessThan(LIMIT);
  expect(apart(states["last"], reference("hidden"), all)).toBeLessThan(LIMIT);

  const wave = input("wave", [1, 16_000]);
  const row = new Float32Array(16_000);
  row.set(rows[0] as Float32Array);
  const { mel } = await evaluate(
    { mel: logMel(wave, { mels: 80, window: 400, hop: 160, sampleRate: 16_000 }) },
    { wave: f32(row, [1, 16_000]) },
    { threads: 1 },
  );
  expect(apart(mel, reference("input_features"), [80])).toBeLessThan(LIMIT);

  expect(encoder.frameCounts([1, 160, 161, 320, 321, 16_000])).toEqual([1, 1, 1, 1, 2, 50]);
  expect(() => encoder.frameCounts([400, 16_001])).toThrow(
    /clip 1: 16001 samples; 1 to 16000 are accepted at 16000 Hz/,
  );
});

test("WavLM's bucket of every distance equals transformers'", async () => {
  const reference = JSON.parse(await readFile(fixture("wavlm-buckets.json"), "utf8")) as Record<string, number[]>;
  for (const [key, expected] of Object.entries(reference)) {
    const [buckets, furthest] = key.split(",").map(Number) as [number, number];
    expect(expected.map((_, i) => distanceBucket(i - 1200, buckets, furthest))).toEqual(expected);
  }
});

describe("other names of the same tensors", () => {
  test.each<[string, (name: string) => string]>([
    ["a model with a head", (n) => `wavlm.${n}`],
    [
      "weight_g and weight_v",
      (n) =>
        n
          .replace(/parametrizations\.weight\.original0$/, "weight_g")
          .replace(/parametrizations\.weight\.original1$/, "weight_v"),
    ],
  ])("%s", async (_, rename) => {
    const rows = await clips("wavlm-large");
    const renamed = await changed("wavlm-large", { rename });
    const [ours, plain] = await Promise.all([
      run(renamed, rows),
      run(await openSpeechEncoder(fixture("wavlm-large")), rows),
    ]);
    expect(ours["last"]?.data).toEqual(plain["last"]?.data);
  });
});

test("one program takes batches of any size and length, down to one frame", async () => {
  const encoder = await openSpeechEncoder(fixture("hubert-large"));
  const { last } = encoder.build(input("wave", ["rows", "samples"]), input("lengths", ["rows"], "i64"));
  const program = await compile({ last }, { weights: encoder.weights, threads: 1 });
  try {
    for (const samples of [400, 719, 720, 1100, 4000]) {
      const shape = (
        await program.run({ wave: f32(new Float32Array(samples).fill(0.1), [1, samples]), lengths: i64([samples]) })
      )["last"]?.shape;
      expect(shape).toEqual([1, encoder.frameCounts([samples])[0], 24]);
    }
  } finally {
    await program.dispose();
  }
  expect(() => encoder.frameCounts([400, 399])).toThrow(/clip 1: 399 samples; 400 or more are accepted/);
  expect(lengthBuckets(encoder, [5, 6])).toEqual([[0, 1]]);
  expect(lengthBuckets(encoder, [])).toEqual([]);
});

test("the weighted sum of the layers is a mixture by softmax", async () => {
  const hidden = [0, 1, 2].map((i) => input(`h${i}`, [2, 3]));
  const feeds = Object.fromEntries([1, 10, 100].map((v, i) => [`h${i}`, f32(new Float32Array(6).fill(v), [2, 3])]));
  const { mixed } = await evaluate(
    { mixed: weightedLayerSum(hidden, input("w", [3])) },
    { ...feeds, w: f32([0, Math.log(2), Math.log(5)]) },
  );
  // 1/8, 2/8 and 5/8
  expect((mixed.data as Float32Array)[4]).toBeCloseTo((1 + 20 + 500) / 8, 4);
  expect(() => weightedLayerSum(hidden, input("w", [4]))).toThrow(/weights \[4\] for 3 hidden states/);
});

test("the linear layers an adapter may target", async () => {
  expect((await openSpeechEncoder(fixture("wavlm-large"))).linearPaths).toHaveLength(2 * 6);
  expect((await openSpeechEncoder(fixture("whisper"))).linearPaths).toContain("encoder.layers.1.fc2");
});

test.each<[string, Changes, RegExp]>([
  ["hubert-base", { config: { model_type: "sew" } }, /model_type "sew" is not a supported encoder; .* wavlm, whisper/],
  ["hubert-base", { config: { conv_pos_batch_norm: true } }, /conv_pos_batch_norm true is not supported/],
  ["wavlm-base", { config: { add_adapter: true } }, /add_adapter true is not supported/],
  [
    "wavlm-base",
    { config: { feat_extract_norm: "batch" } },
    /feat_extract_norm 'batch' is not supported; group and layer/,
  ],
  ["wavlm-base", { config: { conv_stride: [5, 2] } }, /conv_dim, conv_kernel and conv_stride have 7, 7 and 2 numbers/],
  ["wavlm-base", { config: { num_attention_heads: 5 } }, /hidden_size 24 is not a multiple of num_attention_heads 5/],
  ["wavlm-base", { config: { hidden_act: "mish" } }, /hidden_act 'mish' is not supported; supported are silu/],
  [
    "wavlm-base",
    { sound: { do_normalize: "yes" } },
    /preprocessor_config.json: do_normalize must be true or false, not "yes"/,
  ],
  ["whisper", { sound: { chunk_length: 3, n_samples: 48_000 } }, /n_samples 48000 and hop_length 160 do not fit/],
  ["wavlm-base", { rename: (n) => n.replace("conv_layers.0", "conv_layers.x") }, /has no tensor 'feature_extractor/],
])("%s with %j is refused", async (name, changes, message) => {
  await expect(changed(name, changes)).rejects.toThrow(message);
});

test("a positional convolution without weights is named", async () => {
  const encoder = await changed("wavlm-base", { rename: (n) => n.replace("original1", "gone") });
  expect(() => encoder.build(input("w", [1, "s"]))).toThrow(/no 'encoder.pos_conv_embed.conv.weight'; neither as/);
});

test("a folder without preprocessor_config.json", async () => {
  await expect(openSpeechEncoder(fixture("llama"))).rejects.toThrow(/llama\/preprocessor_config.json cannot be read/);
});
