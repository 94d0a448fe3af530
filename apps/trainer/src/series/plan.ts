/** @file One of several training runs that belong together: what it is, whether it is finished, and the mark that says so. */
import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import type { TrainConfig } from "../training/config.ts";
import { writeWhole } from "../write-whole.ts";

/** A run to be made. */
export interface RunPlan {
  /** What messages and tables call it. */
  readonly name: string;
  /** File and `key=value` words that give {@link RunPlan.config}; `output_dir` is among them. */
  readonly argv: readonly string[];
  readonly config: TrainConfig;
}

/** What a finished run leaves beside its files. */
export interface RunMark {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly predictions_sha256: string;
  readonly seconds: number;
}

const MARK = "finished.json";
export const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** The config as far as it decides the result: where it is written and how often it is logged does not. */
export function decisive(config: TrainConfig): Record<string, unknown> {
  const { output_dir: _, ...rest } = config as TrainConfig & Record<string, unknown>;
  for (const key of ["logging_steps", "report_to", "save_steps", "save_total_limit", "overwrite_output_dir"])
    delete (rest as Record<string, unknown>)[key];
  return JSON.parse(JSON.stringify(rest)) as Record<string, unknown>;
}

/** The file of a run's answers. */
export const predictionsFile = ({ config }: Pick<RunPlan, "config">): string =>
  join(config.output_dir, "predictions.jsonl");

/**
 * The mark of a finished run of the same config whose predictions are as they were written; undefined when there is none. One whose
 * predictions were altered since is discarded.
 * Throws EmosllmError `config_invalid` when the folder holds a finished run of another config, naming the keys that differ.
 */
export async function finishedRun(plan: RunPlan): Promise<RunMark | undefined> {
  const file = join(plan.config.output_dir, MARK);
  let mark: RunMark;
  try {
    mark = JSON.parse(await readFile(file, "utf8")) as RunMark;
  } catch {
    return undefined;
  }
  const now = decisive(plan.config);
  const keys = [...new Set([...Object.keys(now), ...Object.keys(mark.config)])];
  const differ = keys.filter((key) => JSON.stringify(now[key]) !== JSON.stringify(mark.config[key]));
  if (differ.length > 0)
    throw new EmosllmError(
      "config_invalid",
      `${plan.config.output_dir} holds a finished run of another config (${differ.join(", ")} differ${differ.length === 1 ? "s" : ""}); give another output folder, or --restart`,
    );
  const predictions = await readFile(predictionsFile(plan)).catch(() => undefined);
  if (predictions && sha256(predictions) === mark.predictions_sha256) return mark;
  await discardRun(plan); // what a finished run left was altered: nothing of it can be trusted to go on from
  return undefined;
}

/** Marks a run as finished. */
export async function markFinished(plan: RunPlan, seconds: number): Promise<RunMark> {
  const mark: RunMark = {
    name: plan.name,
    config: decisive(plan.config),
    predictions_sha256: sha256(await readFile(predictionsFile(plan))),
    seconds: Number(seconds.toFixed(1)),
  };
  await writeWhole(join(plan.config.output_dir, MARK), `${JSON.stringify(mark, null, 2)}\n`);
  return mark;
}

/** Forgets a run. */
export const discardRun = ({ config }: RunPlan): Promise<void> =>
  rm(config.output_dir, { recursive: true, force: true });
