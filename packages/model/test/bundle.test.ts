import { appendFile, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadSafetensors } from "@emosllm/checkpoints";
import { loraAdapter, loraConfig } from "@emosllm/lora";
import { f32 } from "@emosllm/runtime";
import { beforeEach, expect, test } from "vitest";
import { type BundleContents, fingerprint, loadBundle, saveBundle } from "../src/index.ts";
import { adapterConfig, projectorConfig, temporaryFolder, tinyBackbone, tinyModel } from "./tiny.ts";

let folder: string;
let contents: BundleContents;
beforeEach(async () => {
  folder = join(await temporaryFolder(), "best");
  const model = await tinyModel(5);
  contents = {
    manifest: {
      base_model: {
        name_or_path: "backbone",
        revision: null,
        model_type: "llama",
        fingerprint: await fingerprint(model.parts.languageModel),
      },
      front_end: {
        kind: "prosody",
        sample_rate: 16000,
        settings: { mel_bins: 24, hop_seconds: 0.02 },
        mean: [0],
        std: [1],
      },
      labels: {
        scheme: "two",
        words: [
          { label: "happy", word: "happy" },
          { label: "sad", word: "sad" },
        ],
      },
      prompt: { name: "p", messages: [] },
      prompt_sha256: "0",
      scoring: { reduction: "sum", temperature: 1, abstain_below: null },
    },
    parameters: model.parameters,
    projectorConfig,
    loraConfig: adapterConfig,
    card: "# A model\n",
    backboneFolder: model.folder,
  };
  await saveBundle(folder, contents);
});

test("what is saved is loaded, to the bit, and nothing else is left", async () => {
  const loaded = await loadBundle(folder);
  expect(Object.keys(loaded.parameters).sort()).toEqual(Object.keys(contents.parameters).sort());
  for (const [name, t] of Object.entries(contents.parameters)) expect(loaded.parameters[name]?.data).toEqual(t.data);
  expect(await readdir(join(folder, ".."))).toEqual(["best"]);
});

test("embeddings that the output is tied to stand twice in the adapter's file, as PEFT needs it", async () => {
  const { languageModel } = (await loadBundle(folder)).parts;
  const config = loraConfig({ ...adapterConfig, modules_to_save: ["embed_tokens"], ensure_weight_tying: true });
  const base = { linearPaths: languageModel.linearPaths, tensors: languageModel.checkpoint.tensors };
  const { copies } = loraAdapter(config, base);
  const [[copy, name]] = [...copies] as [[string, string]];
  expect([copy, name]).toEqual(["base_model.model.lm_head.weight", "base_model.model.model.embed_tokens.weight"]);
  const embeddings = f32(
    Float32Array.from({ length: 640 }, (_, i) => Math.sin(i)),
    [40, 16],
  );
  const parameters = { ...contents.parameters, [name]: embeddings };
  await saveBundle(folder, { ...contents, parameters, loraConfig: config, adapterCopies: copies });
  const file = await loadSafetensors(join(folder, "adapter/adapter_model.safetensors"));
  expect(file.get(copy)?.data).toEqual(file.get(name)?.data);
  expect(Object.keys((await loadBundle(folder)).parameters).sort()).toEqual(Object.keys(parameters).sort());
});

test("a bundle's base model can be held in 8 or 4 bits", async () => {
  const packing = { cacheFolder: join(folder, "../cache") };
  const { languageModel } = (await loadBundle(folder, { precision: "int4", packing })).parts;
  expect(languageModel.weights.get("model.layers.0.mlp.up_proj.packed")?.dtype).toBe("u8");
  await expect(loadBundle(folder, { precision: "int2" as "int4" })).rejects.toThrow("precision 'int2' is not one of");
});

test("saving again replaces the bundle whole", async () => {
  await saveBundle(folder, { ...contents, card: "# Another\n" });
  const card = await readFile(join(folder, "README.md"), "utf8");
  expect(card).toContain("# Another\n");
  expect(card).not.toContain("# A model\n");
  await loadBundle(folder);
});

test.each([
  "projector.safetensors",
  "adapter/adapter_model.safetensors",
  "adapter/adapter_config.json",
  "backbone/model.safetensors",
])("a changed byte in %s is refused", async (name) => {
  const file = join(folder, name);
  const bytes = await readFile(file);
  const last = bytes.length - 3;
  bytes[last] = (bytes[last] as number) ^ 1;
  await writeFile(file, bytes);
  await expect(loadBundle(folder)).rejects.toThrow(new RegExp(`${name}.* was altered`));
});

test("a missing file, another base, and no bundle at all are refused with what is wrong", async () => {
  await expect(loadBundle(folder, { baseModel: await tinyBackbone(77) })).rejects.toThrow(
    /was trained on a model \(its own backbone\), llama [0-9a-f]{12}, but .* is another model, llama [0-9a-f]{12}\..*--base-model.*--allow-other-base/,
  );
  const other = await loadBundle(folder, { baseModel: await tinyBackbone(77), allowOtherBase: true });
  expect(other.parts.languageModel.config.modelType).toBe("llama");
  await rm(join(folder, "projector_config.json"));
  await expect(loadBundle(folder)).rejects.toThrow(/projector_config\.json is missing/);
  await expect(loadBundle(join(folder, "nowhere"))).rejects.toThrow(
    /is no bundle: emosllm\.json cannot be read \(ENOENT\)/,
  );
  await writeFile(join(folder, "emosllm.json"), "{");
  await expect(loadBundle(folder)).rejects.toThrow(/emosllm\.json is not JSON/);
  await writeFile(join(folder, "emosllm.json"), '{"format":"emosllm-bundle","version":2}');
  await expect(loadBundle(folder)).rejects.toThrow(/version:.*base_model/);
});

test("people may write into the model card", async () => {
  await appendFile(join(folder, "README.md"), "\nMine.\n");
  await loadBundle(folder);
  await saveBundle(folder, { ...contents, card: "# Another\n" });
  expect(await readFile(join(folder, "README.md"), "utf8")).toMatch(/# Another[^]*\nMine\.\n$/);
});
