import { readFile, readdir } from "node:fs/promises";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSpeechEncoder } from "@emosllm/backbones";
import { type StoredTensor, loadSafetensors } from "@emosllm/checkpoints";
import { type Tensor, gradients, input, mul, sum } from "@emosllm/graph";
import { loadAdapter, saveAdapter } from "@emosllm/lora";
import { makeProjector, projectorConfig } from "@emosllm/projector";
import { type HostTensor, compile, f32, feedsOf, i64 } from "@emosllm/runtime";
import { expect, onTestFinished, test } from "vitest";
import { ENCODER_PREFIX, encoderBase, openScorer, overEncoder, type BatchRow } from "../src/index.ts";
import { WIDTH, randoms, tinyModel } from "./tiny.ts";

const fixtures = fileURLToPath(new URL("./fixtures/adapted-encoders/", import.meta.url));
const encoderFolder = (name: string): string =>
  fileURLToPath(new URL(`../../backbones/test/fixtures/${name}`, import.meta.url));
const names = await readdir(fixtures);

const largest = (a: ArrayLike<number>): number => Array.from(a).reduce((m, v) => Math.max(m, Math.abs(v)), 0);

// Made by: python tools/oracle/peft_torch.py encoders --out packages/model/test/fixtures/adapted-encoders --seed 2
test.each(names)("%s with an adapter: hidden states, gradients and files equal PEFT's", async (name) => {
  const encoder = await openSpeechEncoder(encoderFolder(name));
  const base = encoderBase(encoder);
  const loaded = await loadAdapter(join(fixtures, name, "adapter"), base);
  const golden = await loadSafetensors(join(fixtures, name, "golden.safetensors"));
  const host = (key: string): HostTensor => {
    const { shape, data } = golden.get(key) as StoredTensor;
    return f32(data as Float32Array, shape);
  };
  const lengths = Array.from(golden.get("lengths")?.data as BigInt64Array, Number);
  const counts = Array.from(golden.get("frames")?.data as BigInt64Array, Number);
  expect(encoder.frameCounts(lengths)).toEqual(counts);

  const parameters: Record<string, Tensor> = {};
  const linear = loaded.adapter.apply(encoder.linear, (key, shape) => (parameters[key] ??= input(key, shape)));
  const { last } = encoder.build(input("waves", ["rows", "samples"]), input("lengths", ["rows"], "i64"), linear);
  const ds = gradients(sum(mul(last, input("dy", last.shape))), Object.values(parameters));
  const outputs = Object.fromEntries(Object.keys(parameters).map((key, i) => [`grad.${key}`, ds[i] as Tensor]));
  const weights = new Map([...encoder.weights, ...base.tensors]);
  const program = await compile({ last, ...outputs }, { weights });
  const values = Object.fromEntries([...loaded.tensors].map(([key, t]) => [key, f32(t.data, t.shape)]));
  const fed = { waves: host("waves"), lengths: i64(lengths), dy: host("dy"), ...values };
  const out = await program.run(feedsOf(program, fed));
  await program.dispose();

  const wanted = golden.get("last")?.data as Float32Array;
  const [, most, width] = (golden.get("last") as StoredTensor).shape as [number, number, number];
  const ours = out["last"]?.data as Float32Array;
  // f32 through convolutions and layers on both sides; padded rows here, clips alone there.
  ours.forEach((v, i) => {
    if (Math.floor(i / width) % most < (counts[Math.floor(i / width / most)] as number))
      expect(Math.abs(v - (wanted[i] as number)) / largest(wanted)).toBeLessThan(2e-5);
  });
  expect(Object.keys(parameters).sort()).toEqual([...loaded.tensors.keys()].sort());
  const all = Object.keys(parameters).map((key) => golden.get(`grad.${key}`)?.data as Float32Array);
  const live = 1e-3 * Math.max(...all.map(largest));
  for (const key of Object.keys(parameters)) {
    const reference = golden.get(`grad.${key}`)?.data as Float32Array;
    const d = out[`grad.${key}`]?.data as Float32Array;
    const apart = largest(d.map((v, i) => v - (reference[i] as number)));
    expect(apart / Math.max(largest(reference), live), key).toBeLessThan(1e-4);
  }

  const scratch = await mkdtemp(join(tmpdir(), "emosllm-encoder-adapter-"));
  onTestFinished(() => rm(scratch, { recursive: true, force: true }));
  await saveAdapter(scratch, loaded);
  const file = "adapter_model.safetensors";
  expect(await readFile(join(scratch, file))).toEqual(await readFile(join(fixtures, name, "adapter", file)));
});

test("as a part of the projector: rows of a batch score as each alone, and the adapter matters", async () => {
  const name = names.find((n) => n.startsWith("wavlm")) as string;
  const encoder = await openSpeechEncoder(encoderFolder(name));
  const loaded = await loadAdapter(join(fixtures, name, "adapter"), encoderBase(encoder));
  const width = encoder.config.hiddenSize;
  const config = projectorConfig({
    type: "concat_mlp",
    frames_per_vector: 2,
    hidden_size: 9,
    input_size: width,
    num_layers_in: 2,
    output_size: WIDTH,
  });
  const r = randoms(31);
  const projector = overEncoder(makeProjector(config), {
    encoder,
    adapter: loaded.adapter,
    layers: [1, 2],
    mean: Array.from({ length: 2 * width }, () => 0.1 * r()),
    std: Array.from({ length: 2 * width }, () => 1.5 + r()),
  });
  expect(projector.vectors(400)).toBe(1);
  const { parts, parameters } = await tinyModel(6);
  const model = { ...parts, projector, audioSize: 1, encoder };
  const own = Object.fromEntries(
    Object.entries(projector.parameters).map(([key, shape]) => {
      const n = shape.reduce((a, b) => a * b, 1);
      const stored = loaded.tensors.get(key.slice(ENCODER_PREFIX.length))?.data;
      return [`projector.${key}`, f32(stored ?? Float32Array.from({ length: n }, () => 0.5 * r()), shape)];
    }),
  );
  const zeroed = Object.fromEntries(
    Object.entries(own).map(([key, t]) => [
      key,
      key.includes("lora_B") ? f32(new Float32Array(t.data.length), t.shape) : t,
    ]),
  );
  const rows = [400, 2611, 1300].map((length): BatchRow => ({
    before: [1, 2, 3],
    after: [4],
    answers: [[5, 6], [7]],
    frames: { length, data: Float32Array.from({ length }, () => 0.2 * r()) },
  }));
  const scorer = openScorer(model);
  const score = async (part: readonly BatchRow[], trained: typeof own): Promise<number[]> =>
    (await scorer.score(part, { ...parameters, ...trained })).flat(2);
  const together = await score(rows, own);
  const alone = (await Promise.all(rows.map((row) => score([row], own)))).flat();
  together.forEach((v, i) => expect(v).toBeCloseTo(alone[i] as number, 4));
  const without = await score(rows, zeroed);
  expect(Math.max(...together.map((v, i) => Math.abs(v - (without[i] as number))))).toBeGreaterThan(1e-3);
  await scorer.dispose();
});

test("encoders that take no padding, and dropout, are refused", async () => {
  const group = await openSpeechEncoder(encoderFolder("wav2vec2-base"));
  const large = await openSpeechEncoder(encoderFolder("wav2vec2-large"));
  const loaded = await loadAdapter(join(fixtures, "wav2vec2-large", "adapter"), encoderBase(large));
  const width = large.config.hiddenSize;
  const projector = makeProjector(projectorConfig({ type: "pooled_linear", input_size: width, output_size: 4 }));
  const rest = {
    layers: [2],
    mean: Array.from({ length: width }, () => 0),
    std: Array.from({ length: width }, () => 1),
  };
  expect(() => overEncoder(projector, { encoder: group, adapter: loaded.adapter, ...rest })).toThrow(
    /feat_extract_norm 'group'/,
  );
  const adapter = { ...loaded.adapter, config: { ...loaded.adapter.config, lora_dropout: 0.1 } };
  expect(() => overEncoder(projector, { encoder: large, adapter, ...rest })).toThrow(
    /lora_dropout on the speech encoder/,
  );
});
