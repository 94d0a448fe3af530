/** @file From config and data to the model: language model, projector, adapter, tokenizer, prompt, label words. */
import { openLanguageModel } from "@emosllm/backbones";
import { type BundleManifest, EmosllmError } from "@emosllm/interfaces";
import { type LoraBase, type LoraConfig, loraAdapter, loraConfig } from "@emosllm/lora";
import type { EmoSllmParts } from "@emosllm/model";
import { type ProjectorConfig, makeProjector, projectorConfig } from "@emosllm/projector";
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
  readonly projectorConfig: ProjectorConfig;
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
  const languageModel = await openLanguageModel(config.model_name_or_path, {
    precision: config.precision,
    backward: config.backward,
  });
  const tokenizer = await loadTokenizer(config.model_name_or_path);
  const [prompt] = (await promptLibrary({ name: config.prompt })) as [PromptDefinition];
  const audioSize = frontEnd.mean.length;
  const runProjector = runProjectorConfig(config, audioSize, languageModel.config.hiddenSize);
  const adapterConfig = loraConfig({
    peft_type: "LORA",
    ...config.lora,
    base_model_name_or_path: config.model_name_or_path,
  });
  const base: LoraBase = { linearPaths: languageModel.linearPaths, tensors: languageModel.checkpoint.tensors };
  const adapter = loraAdapter(adapterConfig, base);
  const words = labelWords(scheme.labels, await labelLexicon()).map((w) => ({ label: w.label, word: w.word }));
  return {
    parts: { languageModel, projector: makeProjector(runProjector), adapter, audioSize },
    base,
    projectorConfig: runProjector,
    adapterConfig,
    tokenizer,
    prompt,
    manifest: {
      labels: { scheme: scheme.name, words },
      scoring: { reduction: "sum", temperature: 1, abstain_below: null },
    },
  };
}

/** The config's projector between frames of `audioSize` and the language model. Throws EmosllmError `config_invalid`. */
function runProjectorConfig(
  { projector, front_end }: TrainConfig,
  audioSize: number,
  outputSize: number,
): ProjectorConfig {
  const layers = Number(projector["num_layers_in"] ?? 1);
  if (audioSize % layers !== 0)
    throw new EmosllmError(
      "config_invalid",
      `projector.num_layers_in: ${layers} layers do not divide frames of ${audioSize} features`,
    );
  const hop = front_end.settings.hop_seconds;
  return projectorConfig(
    {
      ...(projector.type === "window_q_former" ? { frames_per_second: 1 / hop } : {}),
      ...projector,
      input_size: audioSize / layers,
      output_size: outputSize,
    },
    "projector",
  );
}
