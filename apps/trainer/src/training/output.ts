/** @file What a run leaves on disk: the bundle, the test's predictions, the resolved config. */
import { join, resolve } from "node:path";
import { fingerprint, saveBundle } from "@emosllm/model";
import { promptHash } from "@emosllm/prompts";
import type { HostTensor } from "@emosllm/runtime";
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
  { frontEnd, voice }: Pick<RunData, "frontEnd" | "voice">,
  model: RunModel,
  parameters: Readonly<Record<string, HostTensor>>,
  metrics: Readonly<Record<string, number>>,
  { extraFiles, portable = false }: WriteBundleOptions = {},
): Promise<void> {
  const { languageModel } = model.parts;
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
      ...(voice ? { voice } : {}),
      ...model.manifest,
      prompt: model.prompt as unknown as Record<string, unknown>,
      prompt_sha256: promptHash(model.prompt),
      metrics,
    },
    parameters,
    projectorConfig: model.projectorConfig,
    loraConfig: model.adapterConfig,
    card: modelCard(config, metrics),
    ...(extraFiles ? { extraFiles } : {}),
    ...(portable && model.carried !== undefined ? { backboneFolder: model.carried } : {}),
  });
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
