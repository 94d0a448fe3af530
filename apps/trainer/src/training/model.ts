/** @file From config and data to the model: language model, projector, adapter, tokenizer, prompt, label words. */
import { blockForManyTokens, openLanguageModel } from "@emosllm/backbones";
import { type StoredTensor, resolveModel } from "@emosllm/checkpoints";
import { type BundleManifest, EmosllmError, type FrontEndManifest } from "@emosllm/interfaces";
import {
  type LoraAdapter,
  type LoraBase,
  type LoraConfig,
  firstValues,
  initialFactors,
  loraAdapter,
  loraConfig,
  plainConfig,
} from "@emosllm/lora";
import {
  type AdaptedEncoder,
  ENCODER_PREFIX,
  type EmoSllmParts,
  PROJECTOR_PREFIX,
  adaptableEncoder,
  encoderBase,
  overEncoder,
} from "@emosllm/model";
import { type ProjectorConfig, makeProjector, projectorConfig } from "@emosllm/projector";
import {
  type LabelWord,
  type PromptDefinition,
  type Tokenizer,
  answersOf,
  labelLexicon,
  labelWords,
  loadTokenizer,
  promptLibrary,
  sharedFirstTokens,
} from "@emosllm/prompts";
import type { Task, TrainConfig } from "./config.ts";
import type { RunData } from "./data.ts";
import { emotionPrompts } from "./prompts-of.ts";
import { DIMENSIONS, DIMENSION_PROMPTS } from "./tasks.ts";

/** All of a model but its trained values. */
export interface RunModel {
  readonly parts: EmoSllmParts;
  /** What the adapter is put on. */
  readonly base: LoraBase;
  readonly projectorConfig: ProjectorConfig;
  readonly adapterConfig: LoraConfig;
  /** On the speech encoder, which then is a part of the projector. */
  readonly encoderAdapter: LoraAdapter | undefined;
  readonly tokenizer: Tokenizer;
  /** The prompt that is tested and saved: the first for emotion. */
  readonly prompt: PromptDefinition;
  /** All prompts that training draws from. */
  readonly prompts: Readonly<Record<Task, readonly PromptDefinition[]>>;
  /** The labels with their words, in the scheme's order. */
  readonly labels: readonly LabelWord[];
  readonly manifest: Pick<BundleManifest, "labels" | "scoring">;
  /** Where a bundle finds the language model again. */
  readonly baseModel: Pick<BundleManifest["base_model"], "name_or_path" | "revision">;
  /** Folder of a language model so small that bundles carry it along. */
  readonly carried: string | undefined;
}

/** Bytes up to which a language model goes along in the bundle. */
const CARRIED = 64 * 2 ** 20;

/** Opens and assembles. Throws EmosllmError for a model, adapter or prompt that is not there or not supported. */
export async function assembleModel(
  config: TrainConfig,
  { scheme, frontEnd, adaptedEncoder }: Pick<RunData, "scheme" | "frontEnd" | "adaptedEncoder">,
): Promise<RunModel> {
  const found = await resolveModel(config.model_name_or_path, { revision: config.model_revision });
  const languageModel = await openLanguageModel(found.folder, {
    precision: config.precision,
    backward: config.backward,
    blockSize: config.block_size ?? blockForManyTokens(config.precision),
  });
  const tokenizer = await loadTokenizer(found.folder);
  const bytes = [...languageModel.checkpoint.tensors.values()].reduce((sum, t) => sum + t.length, 0);
  const carried = found.from === "folder" && bytes <= CARRIED ? found.folder : undefined;
  const named = found.from === "folder" ? found.folder : config.model_name_or_path;
  const prompts = await promptsOf(config);
  const frames = adaptedEncoder ? { ...frontEnd, ...adaptedEncoder } : frontEnd;
  const runProjector = runProjectorConfig(config, frames, languageModel.config.hiddenSize);
  const adapterConfig = loraConfig({
    peft_type: "LORA",
    ...config.lora,
    base_model_name_or_path: config.model_name_or_path,
  });
  const base: LoraBase = { linearPaths: languageModel.linearPaths, tensors: languageModel.checkpoint.tensors };
  const adapter = loraAdapter(adapterConfig, base, { initial: await initialFactors(adapterConfig, base) });
  if (adapter.initial) plainConfig(adapterConfig); // refuses now what could not be saved later
  const adapted = adaptedEncoder && (await encoderWithAdapter(config, adaptedEncoder));
  const projector = makeProjector(runProjector);
  const labels = labelWords(scheme.labels, await labelLexicon());
  if (config.label_scoring === "first") checkFirstTokens(labels, prompts.emotion[0] as PromptDefinition, tokenizer);
  return {
    parts: {
      languageModel,
      projector: adapted ? overEncoder(projector, adapted) : projector,
      adapter,
      audioSize: frontEnd.mean.length,
      ...(adapted ? { encoder: adapted.encoder } : {}),
    },
    encoderAdapter: adapted?.adapter,
    base,
    projectorConfig: runProjector,
    adapterConfig,
    tokenizer,
    baseModel: { name_or_path: carried === undefined ? named : "backbone", revision: found.revision ?? null },
    carried,
    prompt: prompts.emotion[0] as PromptDefinition,
    prompts,
    labels,
    manifest: {
      labels: { scheme: scheme.name, words: labels.map(({ label, word }) => ({ label, word })) },
      scoring: { reduction: config.label_scoring, temperature: 1, abstain_below: null },
    },
  };
}

/** Throws EmosllmError `config_invalid` where labels begin with one token, and so are one label to `label_scoring: first`. */
function checkFirstTokens(labels: readonly LabelWord[], prompt: PromptDefinition, tokenizer: Tokenizer): void {
  const answers = answersOf(prompt, labels);
  const [same] = sharedFirstTokens(answers.map((answer) => tokenizer.encodeAnswer(answer)));
  if (same)
    throw new EmosllmError(
      "config_invalid",
      `label_scoring: first: ${same.map((i) => `'${answers[i]}'`).join(", ")} begin with the same token and could not be told apart; accepted here: sum, mean`,
    );
}

/** The encoder that the config puts an adapter on. Throws EmosllmError `adapter_invalid`, `not_supported`, `checkpoint_*`. */
async function encoderWithAdapter(
  { encoder_lora: fields }: TrainConfig,
  { encoder: named, mean, std }: NonNullable<RunData["adaptedEncoder"]>,
): Promise<AdaptedEncoder> {
  const encoder = await adaptableEncoder(named);
  const config = loraConfig(
    { peft_type: "LORA", task_type: null, ...fields, base_model_name_or_path: named.name_or_path },
    "encoder_lora",
  );
  return { encoder, adapter: loraAdapter(config, encoderBase(encoder)), layers: named.layers, mean, std };
}

/** First values of both adapters that come from the models they are on, by the names of what is trained. */
export async function valuesFromBase({ parts, base, encoderAdapter }: RunModel): Promise<Map<string, StoredTensor>> {
  const values = new Map(parts.adapter ? await firstValues(parts.adapter, base) : []);
  if (encoderAdapter && parts.encoder) {
    // A and B are drawn with the projector.
    const names = Object.keys(encoderAdapter.parameters).filter((name) => !/\.lora_[AB]\./.test(name));
    for (const [name, t] of await firstValues(encoderAdapter, encoderBase(parts.encoder), names))
      values.set(PROJECTOR_PREFIX + ENCODER_PREFIX + name, t);
  }
  return values;
}

/** The config's projector between frames and the language model; several layers of an encoder are summed. Throws EmosllmError `config_invalid`. */
function runProjectorConfig(
  { projector }: TrainConfig,
  { mean, encoder, settings }: Pick<FrontEndManifest, "mean" | "encoder" | "settings">,
  outputSize: number,
): ProjectorConfig {
  const audioSize = mean.length;
  const layers = Number(projector["num_layers_in"] ?? encoder?.layers.length ?? 1);
  if (audioSize % layers !== 0)
    throw new EmosllmError(
      "config_invalid",
      `projector.num_layers_in: ${layers} layers do not divide frames of ${audioSize} features`,
    );
  const hop = Number(settings["hop_seconds"]);
  return projectorConfig(
    {
      ...(projector.type === "window_q_former" ? { frames_per_second: 1 / hop } : {}),
      ...projector,
      num_layers_in: layers,
      input_size: audioSize / layers,
      output_size: outputSize,
    },
    "projector",
  );
}

/** Prompts whose answer is what was said, or how the voice sounds, and nothing else. */
const TRANSCRIPTION = /^transcription-(plain|instruction-first|exact|question|expert|noun|convert|repeat)$/;
const DESCRIPTION = /^description-(plain|instruction-first|voice|caption|expert)$/;

async function promptsOf(config: TrainConfig): Promise<RunModel["prompts"]> {
  const named = (list: readonly PromptDefinition[], pattern: RegExp): PromptDefinition[] =>
    list.filter((p) => pattern.test(p.name));
  return {
    emotion: await emotionPrompts(config),
    transcription: named(await promptLibrary({ task: "transcription", language: "en" }), TRANSCRIPTION),
    description: named(await promptLibrary({ task: "description", language: "en" }), DESCRIPTION),
    dimensional: DIMENSIONS.map((d) => DIMENSION_PROMPTS[d]),
  };
}
