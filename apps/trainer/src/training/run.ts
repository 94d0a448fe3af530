/** @file The training run, from config to bundle: load, train, test, write. Read it from top to bottom. */
import { join } from "node:path";
import { writeWhole } from "../write-whole.ts";
import type { TrainConfig } from "./config.ts";
import { loadRunData } from "./data.ts";
import type { OnTrainEvent } from "./events.ts";
import { type FinalTest, finalTest } from "./final-test.ts";
import { trainModel } from "./loop.ts";
import { assembleModel } from "./model.ts";
import { metricsOf, writeBundle, writePredictions } from "./output.ts";

/** What a run gives. */
export interface RunResult extends FinalTest {
  readonly bundle: string;
  readonly trainSeconds: number;
}

/** Trains as the config says. Throws EmosllmError; what an earlier run left in `output_dir` stays until the new result is whole. */
export async function runTraining(config: TrainConfig, onEvent: OnTrainEvent): Promise<RunResult> {
  const data = await loadRunData(config, (p) => onEvent({ type: "data", what: "clips turned into frames", ...p }));
  onEvent({
    type: "split",
    train: data.train.length,
    validation: data.validation.length,
    test: data.test.length,
    sha256: data.split.sha256,
  });
  const model = await assembleModel(config, data);
  const { trainer, trainSeconds } = await trainModel(config, data, model, onEvent);
  try {
    const parameters = trainer.parameters.tensors;
    const result = await finalTest(config, data, model, parameters, onEvent);
    const bundle = join(config.output_dir, "best");
    await writeBundle(bundle, config, data, model, parameters, metricsOf(result));
    await writePredictions(config.output_dir, result.test);
    await writeWhole(join(config.output_dir, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
    return { ...result, bundle, trainSeconds };
  } finally {
    await trainer.dispose();
    await data.dispose();
  }
}
