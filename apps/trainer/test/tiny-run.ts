/** A model trained for a few steps on a synthetic IEMOCAP tree, for tests of the commands that need one. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeIemocap } from "@emosllm/datasets/testing";
import { readTrainConfig } from "../src/training/read-config.ts";
import { runTraining } from "../src/training/run.ts";

/** The repository. */
export const repository: string = fileURLToPath(new URL("../../../", import.meta.url));
/** A small Llama with weights. */
export const tinyModel: string = join(repository, "tools/tiny-backbone/model");
/** A recipe by name. */
export const recipe = (name: string): string => join(repository, "apps/trainer/recipes", `${name}.yaml`);

/** Overrides that make any recipe small enough for a test. */
export const SMALL: readonly string[] = [
  "max_steps=2",
  "per_device_train_batch_size=4",
  "per_device_eval_batch_size=16",
];

/** Writes a corpus and trains in `folder`; gives the bundle. */
export async function tinyRun(
  folder: string,
  more: readonly string[] = [],
): Promise<{ bundle: string; corpus: string; output: string }> {
  const corpus = join(folder, "iemocap");
  writeIemocap(corpus, { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
  const output = join(folder, "run");
  const config = await readTrainConfig(recipe("demo"), [
    `model_name_or_path=${tinyModel}`,
    `corpus=iemocap:${corpus}`,
    `output_dir=${output}`,
    ...SMALL,
    ...more,
  ]);
  const { bundle } = await runTraining(config, () => {});
  return { bundle, corpus: `iemocap:${corpus}`, output };
}
