/** @file What a run leaves on disk: the bundle, the test's predictions, the resolved config. */
import { join, resolve } from "node:path";
import { fingerprint, saveBundle } from "@emosllm/model";
import { type LoraConfig, plainLora } from "@emosllm/lora";
import { promptHash } from "@emosllm/prompts";
import { type HostTensor, hostTensor } from "@emosllm/runtime";
import { writeWhole } from "../write-whole.ts";
import { modelCard } from "./card.ts";
import type { TrainConfig } from "./config.ts";
import type { RunData } from "./data.ts";
import type { Evaluation } from "./evaluate.ts";
import type { FinalTest } from "./final-test.ts";
import type { RunModel } from "./model.ts";

/** Figures by the names that they have on disk. */
export const metricsOf = ({ test, audioOnly, textOnly, majorityWa }: FinalTest): Record<string, number> => ({
  ua: test.ua,
  wa: test.wa,
  macro_f1: test.macroF1,
  majority_wa: majorityWa,
  audio_only_ua: audioOnly.ua,
  text_only_ua: textOnly.ua,
});

/** Options of {@link writeBundle}. */
export interface WriteBundleOptions {
  readonly extraFiles?: (folder: string) => Promise<void>;
  /** Carries a small base model along, so that the folder can be taken elsewhere; a large one is named. */
  readonly portable?: boolean;
}

/** Writes the bundle of these values into `folder`, whole or not at all. */
export async function writeBundle(
  folder: string,
  config: TrainConfig,
  { frontEnd, voice, adaptedEncoder }: Pick<RunData, "frontEnd" | "voice" | "adaptedEncoder">,
  model: RunModel,
  parameters: Readonly<Record<string, HostTensor>>,
  metrics: Readonly<Record<string, number>>,
  { extraFiles, portable = false }: WriteBundleOptions = {},
): Promise<void> {
  const { languageModel } = model.parts;
  const plain = plainAdapter(model, parameters);
  await saveBundle(folder, {
    manifest: {
      base_model: {
        ...(!portable && model.carried !== undefined
          ? { ...model.baseModel, name_or_path: resolve(model.carried) }
          : model.baseModel),
        model_type: languageModel.config.modelType,
        fingerprint: await fingerprint(languageModel),
      },
      front_end: frontEnd,
      ...(adaptedEncoder ? { adapted_encoder: adaptedEncoder } : {}),
      ...(voice ? { voice } : {}),
      ...model.manifest,
      prompt: model.prompt as unknown as Record<string, unknown>,
      prompt_sha256: promptHash(model.prompt),
      metrics,
    },
    parameters: plain ? { ...parameters, ...plain.parameters } : parameters,
    projectorConfig: model.projectorConfig,
    loraConfig: plain?.config ?? model.adapterConfig,
    ...(model.parts.adapter ? { adapterCopies: model.parts.adapter.copies } : {}),
    encoderLoraConfig: model.encoderAdapter?.config,
    card: modelCard(config, metrics),
    ...(extraFiles ? { extraFiles } : {}),
    ...(portable && model.carried !== undefined ? { backboneFolder: model.carried } : {}),
  });
}

/** An adapter that began with a part of the base, as a plain LoRA that everyone can read over the base as it is. */
function plainAdapter(
  { parts: { adapter } }: RunModel,
  parameters: Readonly<Record<string, HostTensor>>,
): { config: LoraConfig; parameters: Record<string, HostTensor> } | undefined {
  if (!adapter?.initial) return undefined;
  const own = Object.keys(adapter.parameters).map((name) => [name, parameters[name] as HostTensor] as const);
  const { config, tensors } = plainLora(adapter, new Map(own));
  const plain = [...tensors].map(([name, { data, shape }]) => [name, hostTensor("f32", shape, data)] as const);
  return { config, parameters: Object.fromEntries(plain) };
}

/** Writes `predictions.jsonl`. */
export async function writePredictions(folder: string, { answers }: Evaluation): Promise<void> {
  const lines = answers.map(({ sample: { utterance, label }, prediction, probabilities }) =>
    JSON.stringify({
      id: utterance.id,
      corpus: utterance.corpus,
      label,
      prediction,
      probabilities,
      audio: { ...utterance.audio, path: resolve(utterance.audio.path) },
      speaker: utterance.speaker,
      gender: utterance.gender,
      session: utterance.session,
    }),
  );
  await writeWhole(join(folder, "predictions.jsonl"), `${lines.join("\n")}\n`);
}
