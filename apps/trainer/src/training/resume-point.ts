/** @file Where a run stands: what earlier runs with its folder have left. */
import { join } from "node:path";
import { checkpointName, checkpointSteps, readState } from "./checkpoint.ts";
import type { TrainConfig } from "./config.ts";
import { clearRun } from "./output-folder.ts";
import { readResults } from "./results.ts";
import { checkSameConfig, differingKeys } from "./trainer-state.ts";

/** Nothing, a checkpoint, or all of it. */
export interface GoOn {
  readonly finished?: Awaited<ReturnType<typeof readResults>>;
  /** Step of the checkpoint to go on from. */
  readonly step?: number | undefined;
}

/** Looks at what lies in the folder. Throws EmosllmError `config_invalid` where it is of another config and may not be overwritten. */
export async function whereToGoOn(config: TrainConfig): Promise<GoOn> {
  const folder = config.output_dir;
  const finished = await readResults(folder);
  const step = (await checkpointSteps(folder)).at(-1);
  const saved =
    finished?.config ?? (step === undefined ? undefined : (await readState(join(folder, checkpointName(step)))).config);
  if (config.overwrite_output_dir && saved && (finished || differingKeys(saved, config).length > 0)) {
    await clearRun(folder);
    return {};
  }
  if (saved) checkSameConfig(saved, config, finished ? folder : join(folder, checkpointName(step as number)));
  return finished ? { finished } : { step };
}
