/** @file A bundle for tests: the tiny backbone of this repository, random projector and LoRA, features that need no weights. */
import { fileURLToPath } from "node:url";
import { openLanguageModel } from "@emosllm/backbones";
import { loraAdapter, loraConfig } from "@emosllm/lora";
import { qpMapper, qpMapperConfig } from "@emosllm/projector";
import { promptHash, promptLibrary } from "@emosllm/prompts";
import { f32 } from "@emosllm/runtime";
import { type EmoSllmParts, fingerprint, openFrontEnd, saveBundle, trainedShapes } from "../src/index.ts";
import { randoms } from "./tiny.ts";

const BACKBONE = fileURLToPath(new URL("../../../tools/tiny-backbone/model", import.meta.url));
export const RATE = 16_000;
/** A hum of `seconds` at `hz`, louder and quieter. */
export const hum = (hz: number, seconds: number): Float32Array =>
  Float32Array.from(
    { length: Math.round(RATE * seconds) },
    (_, i) => 0.3 * Math.sin((2 * Math.PI * hz * i) / RATE) * (0.6 + 0.4 * Math.sin((2 * Math.PI * 3 * i) / RATE)),
  );

/** Writes the bundle into `folder`, and gives it. */
export async function tinyBundle(folder: string): Promise<string> {
  const languageModel = await openLanguageModel(BACKBONE);
  const frontEnd = {
    kind: "prosody",
    sample_rate: RATE,
    settings: { mel_bins: 24, hop_seconds: 0.02 },
    mean: [] as number[],
    std: [] as number[],
  };
  const { dispose, frames } = await openFrontEnd(frontEnd);
  const [{ features = 0 } = {}] = await frames([hum(140, 1.3)]);
  await dispose();
  frontEnd.mean = Array.from({ length: features }, () => 0);
  frontEnd.std = Array.from({ length: features }, () => 10);
  const mapper = qpMapperConfig(features, languageModel.config.hiddenSize, {
    hidden_size: 16,
    num_heads: 2,
    num_queries: 4,
  });
  const adapterConfig = loraConfig({ peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: "all-linear" });
  const parts: EmoSllmParts = {
    languageModel,
    projector: qpMapper(mapper),
    adapter: loraAdapter(adapterConfig, {
      linearPaths: languageModel.linearPaths,
      tensors: languageModel.checkpoint.tensors,
    }),
    audioSize: features,
  };
  const r = randoms(8);
  const parameters = Object.fromEntries(
    Object.entries(trainedShapes(parts)).map(([name, shape]) => [
      name,
      f32(
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.05 * r()),
        shape,
      ),
    ]),
  );
  const [prompt] = await promptLibrary({ name: "emotion-plain" });
  await saveBundle(folder, {
    manifest: {
      base_model: {
        name_or_path: "backbone",
        revision: null,
        model_type: languageModel.config.modelType,
        fingerprint: await fingerprint(languageModel),
      },
      front_end: frontEnd,
      labels: { scheme: "four", words: ["angry", "happy", "sad", "neutral"].map((label) => ({ label, word: label })) },
      prompt: prompt as unknown as Record<string, unknown>,
      prompt_sha256: promptHash(prompt as never),
      scoring: { reduction: "sum", temperature: 1, abstain_below: null },
    },
    parameters,
    projectorConfig: mapper,
    loraConfig: adapterConfig,
    card: "# A model\n",
    backboneFolder: BACKBONE,
  });
  return folder;
}
