/** Adapters that need more than A and B in training: on the speech encoder too, and beginning with a part of the base. */
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeIemocap } from "@emosllm/datasets/testing";
import { loadSafetensors, readTensor } from "@emosllm/checkpoints";
import { loadBundle, loadEmoSllm } from "@emosllm/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TrainEvent } from "../src/training/events.ts";
import { readTrainConfig } from "../src/training/read-config.ts";
import { runTraining } from "../src/training/run.ts";
import { recipe, repository, tinyModel } from "./tiny-run.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm-adapters-"));
  process.env["EMOSLLM_CACHE"] = join(folder, "cache");
  writeIemocap(join(folder, "iemocap"), { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
});
afterAll(async () => {
  delete process.env["EMOSLLM_CACHE"];
  await rm(folder, { recursive: true, force: true });
});

const configOf = (output: string, ...more: string[]) =>
  readTrainConfig(recipe("demo"), [
    `model_name_or_path=${tinyModel}`,
    `corpus=iemocap:${join(folder, "iemocap")}`,
    `output_dir=${join(folder, output)}`,
    "per_device_train_batch_size=4",
    "per_device_eval_batch_size=16",
    "max_steps=3",
    ...more,
  ]);

test("encoder and language model adapted, PiSSA with DoRA, norms and embeddings on the latter: trained, resumed exactly, saved as PEFT reads it, asked", async () => {
  const overrides = [
    `encoder_name_or_path=${join(repository, "packages/backbones/test/fixtures/wav2vec2-large")}`,
    "encoder_layers=[1, 2]",
    "encoder_lora.r=2",
    "encoder_lora.use_dora=true",
    "lora.r=4",
    "lora.init_lora_weights=pissa",
    "lora.use_dora=true",
    "lora.modules_to_save=[input_layernorm, embed_tokens]",
    "lora.target_modules=[q_proj, v_proj]",
  ];
  const { bundle } = await runTraining(await configOf("whole", ...overrides), () => {});

  const stop = new AbortController();
  const interrupted = await configOf("parts", ...overrides);
  const onStep = (event: TrainEvent): void => {
    if (event.type === "step") stop.abort();
  };
  await expect(runTraining(interrupted, onStep, { signal: stop.signal })).rejects.toMatchObject({
    code: "interrupted",
  });
  await runTraining(interrupted, () => {});
  const files = [
    "adapter/adapter_model.safetensors",
    "adapter_encoder/adapter_model.safetensors",
    "projector.safetensors",
  ];
  for (const file of files)
    expect(await readFile(join(folder, "parts", "best", file)), file).toEqual(await readFile(join(bundle, file)));

  const { parts, manifest } = await loadBundle(bundle);
  expect(manifest.front_end).toMatchObject({ kind: "waveform", mean: [0], std: [1] });
  expect(manifest.adapted_encoder?.encoder.layers).toEqual([1, 2]);
  // Twice the rank, over the base as it is on disk.
  expect(parts.adapter?.config).toMatchObject({ r: 8, init_lora_weights: true, use_dora: true });
  const own = await loadSafetensors(join(bundle, "adapter/adapter_model.safetensors"));
  const saved = [...own].filter(([name]) => /input_layernorm|embed_tokens/.test(name));
  expect(saved.length).toBeGreaterThan(2);
  for (const [name, t] of saved) {
    const before = parts.languageModel.checkpoint.tensors.get(name.replace("base_model.model.", ""));
    if (!before) throw new Error(`the base has no ${name}`);
    const data = await readTensor(before, "f32");
    expect(
      (t.data as Float32Array).some((v, i) => v !== data[i]),
      name,
    ).toBe(true);
  }
  const trained = await loadSafetensors(join(bundle, "adapter_encoder/adapter_model.safetensors"));
  const bs = [...trained].filter(([name]) => name.includes("lora_B"));
  expect(bs.length).toBeGreaterThan(0);
  for (const [name, t] of bs)
    expect(
      Array.from(t.data as Float32Array).some((v) => v !== 0),
      name,
    ).toBe(true);

  const model = await loadEmoSllm(bundle);
  const sound = Float32Array.from({ length: 20_000 }, (_, i) => 0.2 * Math.sin(i / 9) * Math.sin(i / 900));
  const [alone] = await model.score([{ audio: sound }]);
  const [, again] = await model.score([{ audio: sound.subarray(0, 16_000) }, { audio: sound }]);
  for (const [label, p] of Object.entries(alone?.probabilities ?? {}))
    expect(again?.probabilities[label]).toBeCloseTo(p, 4);
  await model.dispose();
}, 240_000);

test("what does not go together is said before anything is read", async () => {
  await expect(configOf("x", "encoder_lora.r=2")).rejects.toThrow(/encoder_lora: needs encoder_name_or_path/);
  await expect(configOf("x", "lora.init_lora_weights=pisa")).rejects.toThrow(/lora.init_lora_weights/);
  const both = await configOf("x", "lora.init_lora_weights=olora", "lora.target_modules=[q_proj, embed_tokens]");
  await expect(runTraining(both, () => {})).rejects.toThrow(/embed_tokens with init_lora_weights 'olora'/);
});

test("temperature and threshold from validation are in the bundle, and said", async () => {
  const events: TrainEvent[] = [];
  const corpus = join(folder, "longer");
  writeIemocap(corpus, { quirks: false, turns: 14, dialogues: 1, seconds: 0.3 });
  const config = await configOf(
    "scoring",
    "validation=other-session",
    "max_steps=2",
    "target_selective_accuracy=0.1",
    "label_scoring=mean",
    "content_free_correction=true",
    `corpus=iemocap:${corpus}`,
  );
  const { bundle } = await runTraining(config, (event) => events.push(event));
  const said = events.find((e) => e.type === "scoring");
  const { manifest } = await loadBundle(bundle);
  expect(said).toMatchObject(manifest.scoring);
  expect(manifest.scoring.reduction).toBe("mean");
  // Minus the logarithms of mean probabilities: these add up to 1.
  expect((manifest.scoring.bias ?? []).reduce((sum, b) => sum + Math.exp(-b), 0)).toBeCloseTo(1, 6);
  // What the bundle says of nothing is even now, but for the temperature: on average over the three ways to say nothing.
  const model = await loadEmoSllm(bundle);
  const [empty] = await model.score([{ transcript: "N/A" }]);
  const scores = Object.values(empty?.probabilities ?? {}).map((p) => manifest.scoring.temperature * Math.log(p));
  const plain = scores.map((s, i) => s - (manifest.scoring.bias?.[i] as number));
  const spread = (x: readonly number[]): number => Math.max(...x) - Math.min(...x);
  expect(spread(scores)).toBeLessThan(spread(plain));
  await model.dispose();
  expect(manifest.scoring.temperature).toBeGreaterThan(0);
  expect(manifest.scoring.temperature).not.toBe(1);
  if (said?.type !== "scoring") throw new Error("not said");
  expect(said.lossAfter).toBeLessThanOrEqual(said.lossBefore);
  if (manifest.scoring.abstain_below !== null) expect(said.accuracy).toBeGreaterThanOrEqual(0.1);
  expect(await readdir(join(folder, "scoring", "best"))).toContain("emosllm.json");
}, 120_000);
