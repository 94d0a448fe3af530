import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type LanguageModel, type Linear, causalLayout } from "@emosllm/backbones";
import { type StoredTensor, loadSafetensors } from "@emosllm/checkpoints";
import { type Tensor, input } from "@emosllm/graph";
import { type HostTensor, compile, f32, i64 } from "@emosllm/runtime";
import { expect, test } from "vitest";
import {
  type LoadedAdapter,
  type LoraConfig,
  adaptPerRow,
  applyPerRow,
  exportAdapter,
  loadAdapter,
  loraAdapter,
} from "../src/index.ts";
import { fixture, openBase, scratch } from "./fixture.ts";

const ROWS = 4;
const LENGTH = 5;
const ids = Array.from({ length: ROWS * LENGTH }, (_, i) => 3 + ((i * 7) % 37));

async function logits(
  model: LanguageModel,
  linear: Linear,
  feeds: Record<string, HostTensor> = {},
): Promise<Float32Array> {
  const hidden = model.embed(input("ids", [ROWS * LENGTH], "i64"));
  const out = model.head(model.layers(hidden, causalLayout({ rows: ROWS, suffix: LENGTH }), linear), linear);
  const program = await compile({ out }, { weights: model.weights, threads: 1 });
  try {
    const given = { ids: i64(ids), ...feeds };
    const asked = new Set(program.inputs.map((p) => p.name));
    const result = await program.run(Object.fromEntries(Object.entries(given).filter(([name]) => asked.has(name))));
    return Float32Array.from(result["out"]?.data as Float32Array);
  } finally {
    await program.dispose();
  }
}

const fed = (tensors: ReadonlyMap<string, StoredTensor>, prefix = ""): Record<string, HostTensor> =>
  Object.fromEntries([...tensors].map(([name, t]) => [prefix + name, f32(t.data as Float32Array, t.shape)]));

const farthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - (b[i] as number))), 0);

test("each row has its own adapter, or none", async () => {
  const { model, base } = await openBase("adapters/lora");
  const kinds = ["dora", "save-head", "rslora"];
  const loaded = await Promise.all(kinds.map((k) => loadAdapter(fixture(`adapters/${k}/adapter`), base)));
  const alone = await Promise.all([
    ...loaded.map(({ adapter, tensors }) => logits(model, adapter.apply(model.linear, input), fed(tensors))),
    logits(model, model.linear),
  ]);
  const rows = [2, -1, 0, 1];
  const linear = applyPerRow(
    loaded.map((l) => l.adapter),
    model.linear,
    (index, name, shape) => input(`${index}:${name}`, shape),
    input("choice", [ROWS * LENGTH], "i64"),
  );
  const together = await logits(model, linear, {
    choice: i64(rows.flatMap((k) => Array.from({ length: LENGTH }, () => k))),
    ...Object.assign({}, ...loaded.map((l, i) => fed(l.tensors, `${i}:`))),
  });
  const size = together.length / ROWS;
  rows.forEach((k, r) => {
    const part = (x: Float32Array): Float32Array => x.subarray(r * size, (r + 1) * size);
    const own = alone.at(k) as Float32Array;
    // The same products in one batch or another: f32 rounding only.
    expect(farthest(part(together), part(own)), `row ${r}`).toBeLessThan(1e-5);
    for (const other of alone) if (other !== own) expect(farthest(part(own), part(other))).toBeGreaterThan(1e-2);
  });
});

test.each(["gemma-tokens", "tied-ensured", "save-norms"])(
  "%s in some rows only: norms, also of heads, embeddings, the tied output",
  async (variant) => {
    const { model, base } = await openBase(`outside/${variant}`);
    const { adapter, tensors } = await loadAdapter(fixture(`outside/${variant}/adapter`), base);
    const run = async (m: Pick<LanguageModel, "embed" | "layers" | "head">, feeds = {}): Promise<Float32Array> => {
      const hidden = m.layers(
        m.embed(input("ids", [ROWS * LENGTH], "i64")),
        causalLayout({ rows: ROWS, suffix: LENGTH }),
      );
      const program = await compile({ out: m.head(hidden) }, { weights: model.weights, threads: 1 });
      const all = { ids: i64(ids), ...fed(tensors), ...feeds };
      const asked = new Set(program.inputs.map((p) => p.name));
      const out = await program.run(Object.fromEntries(Object.entries(all).filter(([name]) => asked.has(name))));
      await program.dispose();
      return Float32Array.from(out["out"]?.data as Float32Array);
    };
    const choice = input("choice", [ROWS * LENGTH], "i64");
    const mixed = adaptPerRow([adapter], base, model, (_, name, shape) => input(name, shape), choice);
    const rows = [0, -1, -1, 0];
    const chosen = rows.flatMap((k) => Array.from({ length: LENGTH }, () => k));
    const [together, own, plain] = [
      await run(mixed, { choice: i64(chosen) }),
      await run(adapter.adapt(model, input)),
      await run(model),
    ];
    const size = together.length / ROWS;
    rows.forEach((k, r) => {
      const part = (x: Float32Array): Float32Array => x.subarray(r * size, (r + 1) * size);
      expect(farthest(part(together), part(k === 0 ? own : plain)), `row ${r}`).toBeLessThan(1e-5);
      expect(farthest(part(own), part(plain))).toBeGreaterThan(1e-2);
    });
  },
);

test("dropout: the same key, the same mask; another key, another; without a key none", async () => {
  for (const kind of ["lora", "dora"]) {
    const { model, base } = await openBase(`adapters/${kind}`);
    const loaded = await loadAdapter(fixture(`adapters/${kind}/adapter`), base);
    const withRate = (lora_dropout: number): ReturnType<typeof loraAdapter> =>
      loraAdapter({ ...loaded.config, lora_dropout }, base);
    const run = (rate: number, key?: number): Promise<Float32Array> => {
      const options = key === undefined ? {} : { dropoutKey: input("key", [], "i64") };
      const linear = withRate(rate).apply(model.linear, input, options);
      return logits(model, linear, { ...fed(loaded.tensors), key: i64([key ?? 0], []) });
    };
    const plain = await run(0);
    expect(await run(0.5)).toEqual(plain);
    expect(await run(0, 7)).toEqual(plain);
    const [one, again, two] = [await run(0.5, 7), await run(0.5, 7), await run(0.5, 8)];
    expect(one).toEqual(again);
    expect(farthest(one, plain)).toBeGreaterThan(1e-2);
    expect(farthest(one, two)).toBeGreaterThan(1e-2);
  }
});

test("dropout scales what it keeps: its mean over many keys is the plain LoRA", async () => {
  const { base } = await openBase("adapters/lora");
  const loaded = await loadAdapter(fixture("adapters/lora/adapter"), base);
  const adapter = loraAdapter({ ...loaded.config, lora_dropout: 0.3 }, base);
  const zero: Linear = (paths, x) => paths.map(() => x);
  const path = "model.layers.0.self_attn.q_proj";
  const build = (dropoutKey?: Tensor): Tensor =>
    adapter.apply(zero, input, dropoutKey ? { dropoutKey } : {})([path], input("x", [2, 16]))[0] as Tensor;
  const program = await compile({ plain: build(), dropped: build(input("key", [], "i64")) }, { threads: 1 });
  const x = f32(
    Array.from({ length: 32 }, (_, i) => Math.sin(i)),
    [2, 16],
  );
  const wanted = new Set(program.inputs.map((p) => p.name));
  const feeds = Object.fromEntries(Object.entries(fed(loaded.tensors)).filter(([name]) => wanted.has(name)));
  const total = new Float64Array(32);
  let plain = new Float32Array();
  const KEYS = 2000;
  for (let key = 0; key < KEYS; key++) {
    const result = await program.run({ ...feeds, x, key: i64([key], []) });
    plain = Float32Array.from(result["plain"]?.data as Float32Array);
    const dropped = result["dropped"]?.data ?? [];
    for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + Number(dropped[i]) / KEYS;
  }
  await program.dispose();
  // The standard error is about 0.4 / sqrt(2000) = 0.01; the values themselves are about 0.5.
  plain.forEach((v, i) => expect(Math.abs((total[i] as number) - v)).toBeLessThan(0.05));
});

const product = ({ adapter, tensors }: LoadedAdapter): Map<string, Float64Array> =>
  new Map(
    adapter.targets.map(({ path, rank, scaling }) => {
      const [A, B] = ["A", "B"].map((m) => tensors.get(`base_model.model.${path}.lora_${m}.weight`)) as [
        StoredTensor,
        StoredTensor,
      ];
      const [width, out] = [A.shape[1] as number, B.shape[0] as number];
      const result = new Float64Array(out * width);
      for (let o = 0; o < out; o++)
        for (let i = 0; i < width; i++)
          for (let k = 0; k < rank; k++)
            result[o * width + i] =
              (result[o * width + i] as number) +
              scaling * Number(B.data[o * rank + k]) * Number(A.data[k * width + i]);
      return [path, result];
    }),
  );

test.each(["lora", "all-linear", "rslora", "patterns", "regex", "some-layers", "exclude"])(
  "%s exported: one rank, one factor, no patterns, the same change",
  async (variant) => {
    const { base } = await openBase(`adapters/${variant}`);
    const loaded = await loadAdapter(fixture(`adapters/${variant}/adapter`), base);
    const out = await scratch();
    await exportAdapter(out, loaded, base);
    const config = JSON.parse(await readFile(join(out, "adapter_config.json"), "utf8")) as LoraConfig;
    expect(config).toMatchObject({ use_rslora: false, rank_pattern: {}, alpha_pattern: {}, exclude_modules: null });
    const file = await loadSafetensors(join(out, "adapter_model.safetensors"));
    for (const [name, { shape }] of file) {
      expect(name).toMatch(/\.lora_[AB]\.weight$/);
      expect(shape[name.includes("lora_A") ? 0 : 1]).toBe(config.r);
    }
    const again = await loadAdapter(out, base);
    // What a reader of lora_alpha and the matrices' rank alone would use.
    expect(new Set(again.adapter.targets.map((t) => t.scaling))).toEqual(new Set([config.lora_alpha / config.r]));
    const [before, after] = [product(loaded), product(again)];
    expect([...after.keys()]).toEqual([...before.keys()]);
    for (const [path, values] of before)
      values.forEach((v, i) => expect(Math.abs((after.get(path)?.[i] as number) - v)).toBeLessThan(1e-6));
  },
);

test.each([
  ["dora", /use_dora: they have no place for lora_magnitude_vector/],
  ["bias", /bias: they have no place for trained biases/],
  ["lora-bias", /lora_bias: they have no place/],
  ["save-head", /modules_to_save: they have no place for whole modules.*merge it/],
])("%s cannot be exported, and the reason is said", async (variant, message) => {
  const { base } = await openBase(`adapters/${variant}`);
  const loaded = await loadAdapter(fixture(`adapters/${variant}/adapter`), base);
  await expect(exportAdapter(await scratch(), loaded, base)).rejects.toThrow(message);
});
