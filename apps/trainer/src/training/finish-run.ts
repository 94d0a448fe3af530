/** @file The end of a run: the best values tested, and everything that users read written. */
import { join } from "node:path";
import { trainedShapes } from "@emosllm/model";
import { tensorStore } from "@emosllm/training";
import { checkpointName, readCheckpoint, restoreTensors } from "./checkpoint.ts";
import type { TrainConfig } from "./config.ts";
import { contentFreeCorrected } from "./content-free.ts";
import type { RunData } from "./data.ts";
import type { OnTrainEvent } from "./events.ts";
import { type FinalTest, finalTest } from "./final-test.ts";
import type { TrainedModel } from "./loop.ts";
import type { RunModel } from "./model.ts";
import { metricsOf, writeBundle, writePredictions } from "./output.ts";
import { writeResults } from "./results.ts";
import type { RunLog } from "./run-log.ts";
import { fitScoring } from "./scoring.ts";

/** What the end of a run needs. */
export interface FinishOptions {
  readonly config: TrainConfig;
  readonly data: RunData;
  readonly model: RunModel;
  readonly trained: TrainedModel;
  readonly log: RunLog;
  readonly onEvent: OnTrainEvent;
  /** Folder of the bundle. */
  readonly bundle: string;
}

/** Tests the best values and writes bundle, predictions and results. */
export async function finishRun({
  config,
  data,
  model,
  trained,
  log,
  onEvent,
  bundle,
}: FinishOptions): Promise<FinalTest> {
  const { state } = trained;
  const values = await bestValues(config, model, trained);
  const fair = config.content_free_correction ? await contentFreeCorrected(model, trained.scorer, values) : model;
  const scoring = await fitScoring(config, data, fair, trained.scorer, values, onEvent);
  const tuned = scoring ? { ...fair, manifest: { ...fair.manifest, scoring: scoring.manifest } } : fair;
  const result = await finalTest(config, data, tuned, trained.scorer, values, onEvent);
  const metrics = metricsOf(result);
  const tested = Object.fromEntries(Object.entries(metrics).map(([k, v]) => [`test_${k}`, v]));
  const entry = { step: state.global_step, ...tested };
  await log.append(entry);
  onEvent({ type: "log", entry });
  await writeBundle(bundle, config, data, tuned, values, metrics, { portable: true });
  await writePredictions(config.output_dir, result.test);
  const { global_step, best_global_step, train_seconds, bad_audio } = state;
  await writeResults(config.output_dir, result, { global_step, best_global_step, train_seconds, bad_audio, config });
  if (bad_audio.length > 0) onEvent({ type: "bad audio", bad: bad_audio });
  return result;
}

/** The values to test and keep: the best by validation, or the last. */
async function bestValues(
  config: TrainConfig,
  { parts }: RunModel,
  { state, values }: TrainedModel,
): Promise<TrainedModel["values"]> {
  const step = state.best_global_step;
  if (step === null || step === state.global_step || !config.load_best_model_at_end) return values;
  const saved = await readCheckpoint(join(config.output_dir, checkpointName(step)), parts.adapter);
  const store = tensorStore(trainedShapes(parts));
  restoreTensors(store.tensors, saved.bundleValues, saved.folder);
  return store.tensors;
}
