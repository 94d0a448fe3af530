/** @file When a run validates, and which validation was the best so far. */
import type { TrainConfig } from "./config.ts";
import type { RunData } from "./data.ts";
import type { Stage } from "./stages.ts";
import type { LogEntry, TrainerState } from "./trainer-state.ts";

/** A state that the run works on. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Whether the step just done is one after which the run validates. */
export function validationIsDue(
  config: TrainConfig,
  data: RunData,
  state: TrainerState,
  stage: Stage,
  ended: boolean,
): boolean {
  if (data.validation.length === 0 || config.eval_strategy === "no") return false;
  if (ended) return true;
  return config.eval_strategy === "steps"
    ? state.global_step % config.eval_steps === 0
    : state.stage_step % stage.stepsPerEpoch === 0;
}

/** Notes a new best value; true when this is one. */
export function keepBest(
  state: Mutable<TrainerState>,
  config: TrainConfig,
  figures: Readonly<Record<string, number>>,
): boolean {
  const value = figures[config.metric_for_best_model];
  if (value === undefined) return false;
  const sign = config.metric_for_best_model === "loss" ? -1 : 1;
  const gain = state.best_metric === null ? Infinity : sign * (value - state.best_metric);
  if (gain > config.early_stopping_threshold) state.evaluations_without_gain = 0;
  else state.evaluations_without_gain++;
  if (!(gain > 0)) return false;
  state.best_metric = value;
  state.best_global_step = state.global_step;
  return true;
}

/** Figures of the newest validation, for the bundle's manifest. */
export function lastFigures(history: readonly LogEntry[]): Record<string, number> {
  const entry = history.findLast((e) => Object.keys(e).some((key) => key.startsWith("eval_")));
  return Object.fromEntries(
    Object.entries(entry ?? {}).filter((pair): pair is [string, number] => pair[0].startsWith("eval_")),
  );
}
