import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { input } from "@emosllm/graph";
import { expect, test } from "vitest";
import { loadAdapter, loraNames, saveAdapter } from "../src/index.ts";
import { damaged, fixture, openBase, scratch } from "./fixture.ts";

const Q0 = "model.layers.0.self_attn.q_proj";

const VARIANTS = [
  ...(await readdir(fixture("adapters"))).map((name) => `adapters/${name}`),
  ...["save-norms", "tokens", "tied-ensured", "gemma-tokens"].map((name) => `outside/${name}`),
];

test.each(VARIANTS)("%s: what PEFT wrote is read whole and written back byte for byte", async (variant) => {
  const { base } = await openBase(variant);
  const folder = fixture(`${variant}/adapter`);
  const loaded = await loadAdapter(folder, base);
  expect(loaded.report).toEqual({
    unmatched: [],
    missing: [],
    unexpected: [],
    wrongShape: [],
    notFinite: [],
    allZero: false,
  });
  const out = join(await scratch(), "new", "folder");
  await saveAdapter(out, loaded);
  expect(await readdir(out)).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
  const read = async (name: string): Promise<Buffer[]> =>
    Promise.all([folder, out].map((f) => readFile(join(f, name))));
  const [theirs, ours] = (await read("adapter_model.safetensors")) as [Buffer, Buffer];
  expect(ours.equals(theirs)).toBe(true);
  const [wanted, got] = (await read("adapter_config.json")).map((b) => JSON.parse(b.toString()) as object);
  expect(got).toEqual(wanted);
});

test("a missing tensor is named", async () => {
  const { base } = await openBase("adapters/lora");
  const folder = await damaged("adapters/lora", (tensors) => tensors.delete(loraNames(Q0).b));
  await expect(loadAdapter(folder, base)).rejects.toThrow(`missing: ${loraNames(Q0).b}`);
  const { report, tensors } = await loadAdapter(folder, base, { strict: false });
  expect(report.missing).toEqual([loraNames(Q0).b]);
  expect(tensors.get(loraNames(Q0).b)?.data.every((v) => v === 0)).toBe(true);
});

test("without its magnitudes a DoRA starts from the base's own row norms", async () => {
  const { base } = await openBase("adapters/dora");
  const name = loraNames(Q0).magnitude;
  const folder = await damaged("adapters/dora", (tensors) => tensors.delete(name));
  await expect(loadAdapter(folder, base)).rejects.toThrow(`missing: ${name}`);
  const { tensors } = await loadAdapter(folder, base, { strict: false });
  const { readTensor } = await import("@emosllm/checkpoints");
  const source = base.tensors.get(`${Q0}.weight`);
  if (!source) throw new Error("no weight");
  const row = (await readTensor(source, "f32")).subarray(0, source.shape[1]);
  expect(tensors.get(name)?.data[0]).toBeCloseTo(Math.hypot(...row), 6);
});

test("an unexpected tensor is named, such as one whose prefix is not doubled", async () => {
  const { base } = await openBase("adapters/lora");
  const folder = await damaged("adapters/lora", (tensors) => {
    const t = tensors.get(loraNames(Q0).a);
    if (t) tensors.set("base_model.model.layers.0.self_attn.q_proj.lora_A.weight", t);
  });
  await expect(loadAdapter(folder, base)).rejects.toThrow(
    "unexpected: base_model.model.layers.0.self_attn.q_proj.lora_A.weight",
  );
  expect((await loadAdapter(folder, base, { strict: false })).report.unexpected).toHaveLength(1);
});

test("a wrong shape is named with both shapes", async () => {
  const { base } = await openBase("adapters/lora");
  const folder = await damaged("adapters/lora", (tensors) =>
    tensors.set(loraNames(Q0).a, { dtype: "f32", shape: [2, 16], data: new Float32Array(32) }),
  );
  await expect(loadAdapter(folder, base)).rejects.toThrow(
    `wrong shape: ${loraNames(Q0).a} is [2,16], needed is [4,16]`,
  );
  const { report } = await loadAdapter(folder, base, { strict: false });
  expect(report.wrongShape).toEqual([{ name: loraNames(Q0).a, found: [2, 16], needed: [4, 16] }]);
});

test("a rank in the config that the file does not have is seen", async () => {
  const { base } = await openBase("adapters/lora");
  const folder = await damaged("adapters/lora", (_, config) => (config["r"] = 5));
  await expect(loadAdapter(folder, base)).rejects.toThrow(
    /wrong shape: .*is \[4,16\], needed is \[5,16\].*and \d+ more/,
  );
});

test("an adapter of another base is refused", async () => {
  const { base } = await openBase("bf16/lora");
  const smaller = { ...base, linearPaths: base.linearPaths.filter((p) => !p.startsWith("model.layers.2.")) };
  await expect(loadAdapter(fixture("adapters/lora/adapter"), smaller)).rejects.toThrow(
    /unexpected: base_model\.model\.model\.layers\.2\./,
  );
});

test("an adapter that changes nothing is refused", async () => {
  const { base } = await openBase("adapters/lora");
  const folder = await damaged("adapters/lora", (tensors) => {
    for (const [name, t] of tensors) if (name.includes("lora_B")) t.data.fill(0 as never);
  });
  await expect(loadAdapter(folder, base)).rejects.toThrow(/every lora_B is zero/);
  expect((await loadAdapter(folder, base, { strict: false })).report.allZero).toBe(true);
});

test("NaN is refused and named", async () => {
  const { base } = await openBase("adapters/lora");
  const folder = await damaged("adapters/lora", (tensors) => {
    tensors.get(loraNames(Q0).a)?.data.fill(NaN as never, 3, 4);
  });
  await expect(loadAdapter(folder, base)).rejects.toThrow(`not finite: ${loraNames(Q0).a}`);
});

test("targets that match nothing are named", async () => {
  const { base } = await openBase("adapters/lora");
  const folder = await damaged(
    "adapters/lora",
    (_, config) => (config["target_modules"] = ["q_proj", "v_proj", "query"]),
  );
  await expect(loadAdapter(folder, base)).rejects.toThrow(/target_modules \["query"\] matches no linear layer/);
  expect((await loadAdapter(folder, base, { strict: false })).report).toMatchObject({
    unmatched: ["query"],
    missing: [],
  });
  const none = await damaged("adapters/lora", (_, config) => (config["target_modules"] = "nothing.*"));
  await expect(loadAdapter(none, base)).rejects.toThrow(/\["nothing\.\*"\] matches no linear layer/);
  const saved = await damaged("adapters/save-head", (_, config) => (config["modules_to_save"] = ["classifier"]));
  await expect(loadAdapter(saved, base)).rejects.toThrow(/modules_to_save \["classifier"\] matches no module/);
});

test.each([
  ["init_lora_weights", "pissa_niter_4", /'pissa_niter_4' took a random part out of the base that is not stored/],
  [
    "trainable_token_indices",
    { lm_head: [1] },
    /trainable_token_indices of 'lm_head' is not supported; of embed_tokens/,
  ],
  ["trainable_token_indices", [1, 99], /trainable_token_indices holds 99; the base has tokens 0 to 39/],
  [
    "trainable_token_indices",
    [1],
    /missing: base_model\.model\.model\.embed_tokens\.token_adapter\.trainable_tokens_delta/,
  ],
  ["modules_to_save", ["embed_tokens"], /missing: base_model\.model\.model\.embed_tokens\.weight/],
  ["target_parameters", ["experts.up"], /target_parameters is not supported/],
])("%s %j is refused with a reason", async (key, value, message) => {
  const { base } = await openBase("adapters/lora");
  const folder = await damaged("adapters/lora", (_, config) => (config[key] = value));
  await expect(loadAdapter(folder, base)).rejects.toThrow(message);
});

test("unknown fields are still there after a round trip", async () => {
  const { base } = await openBase("adapters/lora");
  const folder = await damaged("adapters/lora", (_, config) => (config["from_the_future"] = { deep: [1, "ä"] }));
  const out = await scratch();
  await saveAdapter(out, await loadAdapter(folder, base));
  expect(JSON.parse(await readFile(join(out, "adapter_config.json"), "utf8"))).toMatchObject({
    from_the_future: { deep: [1, "ä"] },
    peft_version: expect.any(String) as string,
  });
});

test("an adapter in bf16 or f16 is read, and can be written so", async () => {
  const { base } = await openBase("adapters/dora");
  const loaded = await loadAdapter(fixture("adapters/dora/adapter"), base);
  for (const [dtype, bits] of [
    ["bf16", 8],
    ["f16", 11],
  ] as const) {
    const out = await scratch();
    await saveAdapter(out, loaded, { dtype });
    const again = await loadAdapter(out, base);
    for (const [name, t] of loaded.tensors)
      for (const [i, v] of t.data.entries()) {
        const difference = Math.abs((again.tensors.get(name)?.data[i] as number) - v);
        expect(difference).toBeLessThanOrEqual(Math.abs(v) * 2 ** -bits + 1e-7);
      }
  }
});

test("nothing is written when tensors do not fit", async () => {
  const { base } = await openBase("adapters/lora");
  const loaded = await loadAdapter(fixture("adapters/lora/adapter"), base);
  const out = join(await scratch(), "adapter");
  const tensors = new Map(loaded.tensors);
  tensors.delete(loraNames(Q0).a);
  await expect(saveAdapter(out, { adapter: loaded.adapter, tensors })).rejects.toThrow(`missing: ${loraNames(Q0).a}`);
  await expect(readdir(out)).rejects.toThrow("ENOENT");
});

test("a folder without weights, a config that is no JSON", async () => {
  const { base } = await openBase("adapters/lora");
  const folder = await damaged("adapters/lora", () => undefined);
  const { rm, writeFile } = await import("node:fs/promises");
  await rm(join(folder, "adapter_model.safetensors"));
  await expect(loadAdapter(folder, base)).rejects.toThrow(
    /no weights; looked for adapter_model\.safetensors, adapter_model\.bin/,
  );
  await writeFile(join(folder, "adapter_config.json"), "{");
  await expect(loadAdapter(folder, base)).rejects.toThrow(/adapter_config\.json cannot be read as JSON/);
  await writeFile(join(folder, "adapter_config.json"), "[]");
  await expect(loadAdapter(folder, base)).rejects.toThrow(/is no JSON object/);
});

test("the base's own weight beside a target, as PEFT stores it for an output layer, is accepted while it is equal", async () => {
  const { base } = await openBase("adapters/lora");
  const name = `base_model.model.${Q0}.base_layer.weight`;
  const { readTensor } = await import("@emosllm/checkpoints");
  const source = base.tensors.get(`${Q0}.weight`);
  if (!source) throw new Error("no weight");
  const data = await readTensor(source, "f32");
  const same = await damaged("adapters/lora", (t) => t.set(name, { dtype: "f32", shape: source.shape, data }));
  expect((await loadAdapter(same, base)).report.unexpected).toEqual([]);
  const other = await damaged("adapters/lora", (t) =>
    t.set(name, { dtype: "f32", shape: source.shape, data: data.map((v) => v + 1) }),
  );
  await expect(loadAdapter(other, base)).rejects.toThrow(`unexpected: ${name}`);
});

test("adapted embeddings: PEFT's copy of the base's own is accepted and not written again; A of zeros changes nothing", async () => {
  const { base } = await openBase("outside/embeddings-dora");
  const loaded = await loadAdapter(fixture("outside/embeddings-dora/adapter"), base);
  const names = ["lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector"].map(
    (part) => `base_model.model.model.embed_tokens.${part}`,
  );
  expect(names.map((name) => loaded.tensors.get(name)?.shape)).toEqual([[4, 40], [16, 4], [16]]);
  const out = await scratch();
  await saveAdapter(out, loaded);
  const again = await loadAdapter(out, base);
  expect([...again.tensors.keys()].sort()).toEqual([...loaded.tensors.keys()].sort());
  const zero = await damaged("outside/tied-embeddings", (tensors) => {
    for (const [name, t] of tensors) if (/lora_embedding_A|lora_B/.test(name)) t.data.fill(0 as never);
  });
  await expect(loadAdapter(zero, (await openBase("outside/tied-embeddings")).base)).rejects.toThrow(
    /every lora_B is zero/,
  );
});

test("the output that PEFT writes beside ensured tied embeddings has to be the same", async () => {
  const { base } = await openBase("outside/tied-ensured");
  const folder = await damaged("outside/tied-ensured", (tensors) => {
    tensors.get("base_model.model.lm_head.weight")?.data.fill(1 as never);
  });
  await expect(loadAdapter(folder, base)).rejects.toThrow("unexpected: base_model.model.lm_head.weight");
});

test.each([
  [{ lora_bias: true }, /adapter on model\.embed_tokens with lora_bias/],
  [{ init_lora_weights: "pissa" }, /model\.embed_tokens with init_lora_weights 'pissa'/],
  [{ ensure_weight_tying: true }, /model\.embed_tokens with ensure_weight_tying: train the embeddings whole/],
])("an adapter on embeddings with %j is refused with a reason", async (fields, message) => {
  const { base } = await openBase("outside/tied-embeddings");
  const folder = await damaged("outside/tied-embeddings", (_, config) => Object.assign(config, fields));
  await expect(loadAdapter(folder, base)).rejects.toThrow(message);
});

test("an adapter on more than linear layers is not put into linear layers alone", async () => {
  const { model, base } = await openBase("outside/save-norms");
  const { adapter } = await loadAdapter(fixture("outside/save-norms/adapter"), base);
  expect(adapter.outsideLinear).toHaveLength(7); // "norm" is the end of all of their names
  expect(() => adapter.apply(model.linear, input)).toThrow(
    /changes model\.layers\.0\.input_layernorm\.weight.*no linear layer/,
  );
});
