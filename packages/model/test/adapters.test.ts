/** @file Several adapters on one bundle's language model: each row of a batch has its own, and gets what it would get alone. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type StoredTensor, loadSafetensors, writeSafetensors } from "@emosllm/checkpoints";
import { type LoraConfig, firstValues, loadAdapter, loraAdapter, loraConfig, saveAdapter } from "@emosllm/lora";
import { loadTokenizer } from "@emosllm/prompts";
import { type HostTensor, f32 } from "@emosllm/runtime";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  EmoSLLM,
  type EmoSllm,
  type EmotionInput,
  type LoadedBundle,
  PROJECTOR_PREFIX,
  loadBundle,
  openScorer,
  pipeline,
  promptRow,
} from "../src/index.ts";
import { openHearing } from "../src/hear.ts";
import { hum, tinyBundle } from "./tiny-bundle.ts";
import { randoms } from "./tiny.ts";

const CONFIGS: Readonly<Record<string, Partial<LoraConfig>>> = {
  // Another rank, other layers, whole modules, norms, embeddings (tied to the output): what a batch may hold beside the bundle's own LoRA.
  dora: { r: 3, lora_alpha: 9, target_modules: ["q_proj", "down_proj"], use_dora: true },
  whole: { r: 2, target_modules: ["v_proj"], modules_to_save: ["layers.1.mlp.up_proj", "lm_head"] },
  norms: { r: 2, target_modules: ["q_proj"], modules_to_save: ["norm"] },
  words: { r: 4, target_modules: ["embed_tokens", "o_proj"], use_rslora: true },
};
let root: string;
let bundle: LoadedBundle;
let model: EmoSllm;
const folders: Record<string, string> = {};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "emosllm-adapters-"));
  bundle = await loadBundle(await tinyBundle(join(root, "bundle")));
  const { languageModel } = bundle.parts;
  const base = { linearPaths: languageModel.linearPaths, tensors: languageModel.checkpoint.tensors };
  for (const [k, [name, fields]] of Object.entries(CONFIGS).entries()) {
    const adapter = loraAdapter(loraConfig({ peft_type: "LORA", ...fields }), base);
    const r = randoms(50 + k);
    const tensors = new Map<string, StoredTensor>();
    for (const [tensor, t] of await firstValues(adapter, base))
      tensors.set(tensor, { ...t, data: (t.data as Float32Array).map((v) => v * (1 + 0.1 * r()) + 0.15 * r()) });
    await saveAdapter((folders[name] = join(root, name)), { adapter, tensors });
  }
  model = await EmoSLLM.load(bundle.folder, { threads: 1, adapters: folders });
});
afterAll(async () => {
  await model.dispose();
  await rm(root, { recursive: true });
});

const SOUNDS = [hum(140, 1.3), hum(210, 2.1), hum(320, 1.05)];
const WORDS = ["I will see you tomorrow.", "Where is it?", "No."];
const CHOICES = ["dora", undefined, "words", null, "whole", "norms"] as const;
const INPUTS = CHOICES.map((adapter, i): EmotionInput => ({
  audio: SOUNDS[i % 3]!,
  transcript: WORDS[i % 3],
  adapter,
}));

/** The same by the graph that trains: one adapter, the whole row, no cache. */
async function alone({ adapter: name, ...input }: EmotionInput): Promise<number[]> {
  const { languageModel } = bundle.parts;
  const base = { linearPaths: languageModel.linearPaths, tensors: languageModel.checkpoint.tensors };
  const loaded = typeof name === "string" ? await loadAdapter(folders[name] as string, base) : undefined;
  const adapter = name === undefined ? bundle.parts.adapter : loaded?.adapter;
  const parameters: Record<string, HostTensor> = Object.fromEntries(
    Object.entries(bundle.parameters).filter(([key]) => name === undefined || key.startsWith(PROJECTOR_PREFIX)),
  );
  for (const [key, t] of loaded?.tensors ?? []) parameters[key] = f32(t.data, t.shape);
  const scorer = openScorer({ ...bundle.parts, adapter }, { threads: 1 });
  const ears = openHearing(bundle.manifest);
  try {
    const [heard] = await ears.hear([input]);
    const tokenizer = await loadTokenizer(bundle.backboneFolder);
    const row = promptRow(bundle.manifest.prompt as never, tokenizer, bundle.manifest, input, heard?.frames);
    const [answers = []] = await scorer.score([row], parameters, { sharedPrefix: false });
    const likelihoods = answers.map((tokens) => Math.exp(tokens.reduce((a, b) => a + b, 0)));
    const total = likelihoods.reduce((a, b) => a + b, 0);
    return likelihoods.map((p) => p / total);
  } finally {
    await scorer.dispose();
    await ears.dispose();
  }
}
const probabilities = (answer: { probabilities: Readonly<Record<string, number>> } | undefined): number[] =>
  Object.values(answer?.probabilities ?? {});

test("a batch whose rows have different adapters, the bundle's own and none among them", async () => {
  expect(model.adapters).toEqual(["dora", "whole", "norms", "words"]);
  const together = await model.score(INPUTS);
  const loss = await model.loss(INPUTS.map((input) => ({ ...input, label: "sad" })));
  const each: number[] = [];
  for (const [i, input] of INPUTS.entries()) {
    const expected = await alone(input);
    // f32 in another order: 1e-5 of a probability, as for one adapter.
    probabilities(together[i]).forEach((p, k) => expect(Math.abs(p - (expected[k] as number))).toBeLessThan(2e-5));
    expect(probabilities((await model.score([input]))[0])).toEqual(
      probabilities(together[i]).map((p) => expect.closeTo(p, 5) as number),
    );
    each.push(await model.loss([{ ...input, label: "sad" }]));
  }
  expect(loss).toBeCloseTo(each.reduce((a, b) => a + b, 0) / each.length, 4);
  // They do differ: the same sound and words by each adapter.
  const same = await model.score(CHOICES.map((adapter) => ({ ...INPUTS[0], adapter })));
  const seen = same.map((s) => probabilities(s));
  seen.forEach((p, i) => {
    for (const q of seen.slice(i + 1))
      expect(Math.max(...p.map((v, k) => Math.abs(v - (q[k] as number))))).toBeGreaterThan(3e-4);
  });
});

test("written together, each by its own adapter, also when rows end at different times", async () => {
  const inputs = INPUTS.map(({ audio, adapter }) => ({ audio: audio!, adapter }));
  const options = { task: "description", max_new_tokens: 8, logprobs: true } as const;
  const together = await model.generate(inputs, options);
  for (const [i, input] of inputs.entries()) {
    const [one] = await model.generate([input], options);
    expect(together[i]?.ids).toEqual(one?.ids);
    together[i]?.logprobs?.forEach((l, k) => expect(l.logprob).toBeCloseTo(one?.logprobs?.[k]?.logprob ?? 0, 3));
  }
});

test("a pipeline takes them too", async () => {
  const emotion = await pipeline("audio-emotion", bundle.folder, { threads: 1, adapters: { dora: folders["dora"]! } });
  const sounds = [SOUNDS[0]!, SOUNDS[0]!];
  const [own, dora] = await emotion(sounds, { adapter: [undefined, "dora"] });
  expect(own).not.toEqual(dora);
  const [again] = await emotion([SOUNDS[0]!], { adapter: "dora" });
  again?.forEach(({ label, score }) => expect(dora?.find((d) => d.label === label)?.score).toBeCloseTo(score, 5));
  await expect(emotion(sounds, { adapter: ["dora"] })).rejects.toThrow(/1 adapters for 2 sounds/);
  await emotion.dispose();
});

test("names that are not there, a bundle for an adapter, another base: refused", async () => {
  await expect(model.score([{ ...INPUTS[0], adapter: "doro" }])).rejects.toThrow(
    /Input 0 asks for the adapter 'doro'; there are dora, whole, norms, words.*null is none/,
  );
  const plain = await EmoSLLM.load(bundle.folder, { threads: 1 });
  await expect(plain.score([{ ...INPUTS[0], adapter: "dora" }])).rejects.toThrow(
    /none were loaded \(option 'adapters'\)/,
  );
  await expect(plain.score([{ ...INPUTS[0], adapter: null }])).rejects.toThrow(/needs the option 'adapters'/);
  await plain.dispose();
  const load = (folder: string): Promise<EmoSllm> => EmoSLLM.load(bundle.folder, { adapters: { other: folder } });
  await expect(load(bundle.folder)).rejects.toThrow(/adapters\.other: .* is a bundle with a projector of its own/);
  await expect(load(join(root, "nowhere"))).rejects.toThrow(/nowhere.*adapter_config\.json/);
  const tensors = await loadSafetensors(join(folders["dora"]!, "adapter_model.safetensors"));
  const wrong = new Map([...tensors].map(([name, t]) => [name.replace("layers.0", "layers.9"), t]));
  const other = join(root, "other");
  await cp(folders["dora"]!, other, { recursive: true });
  await writeSafetensors(join(other, "adapter_model.safetensors"), wrong, { format: "pt" });
  await expect(load(other)).rejects.toThrow(/unexpected: base_model\.model\.model\.layers\.9/);
});
