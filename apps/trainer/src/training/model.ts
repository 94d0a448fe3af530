/** @file From config and data to the model: language model, projector, adapter, tokenizer, prompt, label words. */
import { openLanguageModel } from "@emosllm/backbones";
import type { BundleManifest } from "@emosllm/interfaces";
import { type LoraBase, type LoraConfig, loraAdapter, loraConfig } from "@emosllm/lora";
import type { EmoSllmParts } from "@emosllm/model";
import { type QpMapperConfig, qpMapper, qpMapperConfig } from "@emosllm/projector";
import {
  type PromptDefinition,
  type Tokenizer,
  labelLexicon,
  labelWords,
  loadTokenizer,
  promptLibrary,
} from "@emosllm/prompts";
import type { TrainConfig } from "./config.ts";
import type { RunData } from "./data.ts";

/** All of a model but its trained values. */
export interface RunModel {
  readonly parts: EmoSllmParts;
  /** What the adapter is put on. */
  readonly base: LoraBase;
  readonly projectorConfig: QpMapperConfig;
  readonly adapterConfig: LoraConfig;
  readonly tokenizer: Tokenizer;
  readonly prompt: PromptDefinition;
  readonly manifest: Pick<BundleManifest, "labels" | "scoring">;
}

/** Opens and assembles. Throws EmosllmError for a model, adapter or prompt that is not there or not supported. */
export async function assembleModel(
  config: TrainConfig,
  { scheme, frontEnd }: Pick<RunData, "scheme" | "frontEnd">,
): Promise<RunModel> {
  const languageModel = await openLanguageModel(config.model_name_or_path);
  const tokenizer = await loadTokenizer(config.model_name_or_path);
  const [prompt] = (await promptLibrary({ name: config.prompt })) as [PromptDefinition];
  const audioSize = frontEnd.mean.length;
  const projectorConfig = qpMapperConfig(audioSize, languageModel.config.hiddenSize, config.projector);
  const adapterConfig = loraConfig({
    peft_type: "LORA",
    ...config.lora,
    base_model_name_or_path: config.model_name_or_path,
  });
  const base: LoraBase = { linearPaths: languageModel.linearPaths, tensors: languageModel.checkpoint.tensors };
  const adapter = loraAdapter(adapterConfig, base);
  const words = labelWords(scheme.labels, await labelLexicon()).map((w) => ({ label: w.label, word: w.word }));
  return {
    parts: { languageModel, projector: qpMapper(projectorConfig), adapter, audioSize },
    base,
    projectorConfig,
    adapterConfig,
    tokenizer,
    prompt,
    manifest: {
      labels: { scheme: scheme.name, words },
      scoring: { reduction: "sum", temperature: 1, abstain_below: null },
    },
  };
}
