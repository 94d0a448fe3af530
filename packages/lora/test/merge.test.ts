import { cp, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadSafetensors, openCheckpoint, readTensor } from "@emosllm/checkpoints";
import { expect, test } from "vitest";
import { mergeAdapter } from "../src/index.ts";
import { damaged, fixture, scratch } from "./fixture.ts";

// Made by: python tools/oracle/peft_torch.py make --dtype bf16 --small --seed 8 --only lora,dora,lora-bias --out packages/lora/test/fixtures/bf16
test.each(["lora", "dora", "lora-bias"])(
  "%s: weights in bf16 are those of PEFT's merge, bit for bit",
  async (variant) => {
    const out = join(await scratch(), "merged");
    const { changed } = await mergeAdapter({
      base: fixture(`bf16/${variant}/backbone`),
      adapter: fixture(`bf16/${variant}/adapter`),
      out,
    });
    const golden = await loadSafetensors(fixture(`bf16/${variant}/golden.safetensors`));
    const { tensors } = await openCheckpoint(out);
    let [values, different] = [0, 0];
    for (const name of changed) {
      const source = tensors.get(name);
      const wanted = golden.get(`merged.${name}`);
      if (!source || !wanted) throw new Error(`no ${name}`);
      expect(source.dtype).toBe("bf16");
      const ours = (await readTensor(source)) as Uint16Array;
      const theirs = wanted.data as Uint16Array;
      values += ours.length;
      ours.forEach((v, i) => {
        if (v !== theirs[i]) different++;
        // Neighbours at most: a sum that lies between two values may round to either.
        expect(Math.abs(v - (theirs[i] as number))).toBeLessThanOrEqual(1);
      });
    }
    // Of some thousand values one or two may lie so close to the middle that the order of the sum decides.
    expect(different).toBeLessThanOrEqual(values / 1000);
  },
);

test("shards hold every tensor once, other files come along, what is not adapted keeps its bytes", async () => {
  const base = fixture("adapters/lora/backbone");
  const out = join(await scratch(), "merged");
  const { files, changed } = await mergeAdapter({
    base,
    adapter: fixture("adapters/lora/adapter"),
    out,
    maxShardBytes: 10_000,
  });
  expect(files.length).toBeGreaterThan(2);
  expect((await readdir(out)).sort()).toEqual(
    ["config.json", "model.safetensors.index.json", ...files.map((f) => f.slice(out.length + 1))].sort(),
  );
  const [before, after] = await Promise.all([openCheckpoint(base), openCheckpoint(out)]);
  expect([...after.tensors.keys()].sort()).toEqual([...before.tensors.keys()].sort());
  expect(changed).toHaveLength(6);
  for (const [name, source] of before.tensors) {
    const same =
      (await readTensor(source, "f32")).join() ===
      (await readTensor(after.tensors.get(name) as typeof source, "f32")).join();
    expect(same, name).toBe(!changed.includes(name));
  }
});

test("a sharded base is merged too", async () => {
  const folder = await scratch();
  const [sharded, one, two] = ["sharded", "one", "two"].map((n) => join(folder, n)) as [string, string, string];
  const adapter = fixture("adapters/dora/adapter");
  const base = fixture("adapters/dora/backbone");
  await mergeAdapter({ base, adapter, out: sharded, maxShardBytes: 8_000 });
  await mergeAdapter({ base, adapter, out: one });
  // The merged model, sharded or not, is a base like any other.
  await mergeAdapter({ base: sharded, adapter, out: two });
  await mergeAdapter({ base: one, adapter, out: join(folder, "three") });
  const read = (name: string): Promise<Buffer> => readFile(join(folder, name, "model.safetensors"));
  expect((await read("two")).equals(await read("three"))).toBe(true);
  expect((await read("two")).equals(await read("one"))).toBe(false);
});

test("an existing folder is not overwritten", async () => {
  const out = await scratch();
  await writeFile(join(out, "mine.txt"), "keep");
  const options = { base: fixture("adapters/lora/backbone"), adapter: fixture("adapters/lora/adapter"), out };
  await expect(mergeAdapter(options)).rejects.toThrow(/is there already/);
  expect(await readdir(out)).toEqual(["mine.txt"]);
});

test("lora_bias over a layer without bias cannot be merged, and leaves nothing behind", async () => {
  const adapter = await damaged("adapters/lora-bias", (tensors, config) => {
    config["target_modules"] = ["o_proj"];
    const before = new Map(tensors);
    tensors.clear();
    for (const [name, t] of before) {
      if (name.includes("q_proj")) tensors.set(name.replace("q_proj", "o_proj"), t);
    }
  });
  const folder = await scratch();
  const base = join(folder, "base");
  await cp(fixture("adapters/lora-bias/backbone"), base, { recursive: true });
  await expect(mergeAdapter({ base, adapter, out: join(folder, "out") })).rejects.toThrow(
    /lora_bias cannot be merged: the base has no 'model\.layers\.0\.self_attn\.o_proj\.bias'/,
  );
  expect(await readdir(folder)).toEqual(["base"]);
});
