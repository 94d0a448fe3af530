/** @file The training loop: stage by stage, step by step, log, validate, save. Read it from top to bottom. */
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import type { Scorer } from "@emosllm/model";
import type { HostTensor } from "@emosllm/runtime";
import { keepBest, validationIsDue } from "./best.ts";
import { checkpointName } from "./checkpoint.ts";
import type { Task } from "./config.ts";
import { type StageAtWork, openStage } from "./open-stage.ts";
import { checkAgreement } from "./ranks.ts";
import { type RunContext, type TrainOptions, openRun } from "./run-context.ts";
import type { Stage } from "./stages.ts";
import { type StepDone, trainStep } from "./train-step.ts";
import type { TrainerState } from "./trainer-state.ts";
import { validate } from "./validation.ts";

/** What the loop leaves. */
export interface TrainedModel {
  readonly state: TrainerState;
  /** Values of everything trained, as the last checkpoint's bundle has them. */
  readonly values: Readonly<Record<string, HostTensor<"f32">>>;
  readonly scorer: Scorer;
}

/** Trains from first values, or from a checkpoint, to the last step. Throws EmosllmError `interrupted` after `signal`, once the step is finished and saved. */
export async function trainModel(options: TrainOptions): Promise<TrainedModel> {
  const run = await openRun(options);
  const { state, scorer, values, averaged, log } = run;
  try {
    for (const stage of run.stages.slice(state.stage)) await trainStage(run, stage);
  } catch (error) {
    await scorer.dispose();
    throw error;
  }
  const reached = { ...state, log_history: log.history, train_seconds: run.trainSeconds() };
  return { state: reached, values: (averaged ?? values).tensors, scorer };
}

async function trainStage(run: RunContext, stage: Stage): Promise<void> {
  const { state, onEvent } = run;
  const work = await openStage(run, stage);
  onEvent({ type: "stage", name: stage.name, steps: stage.steps, step: state.stage_step });
  const first = state.global_step;
  let finished = false;
  try {
    let ended = state.stage_step >= stage.steps;
    while (!ended) {
      const done = await trainStep(run, stage, work);
      countStep(run, stage, done, first);
      ended = state.stage_step >= stage.steps;
      await logStep(run, stage, done, ended);
      const verdict = validationIsDue(stage.config, run.data, state, stage, ended)
        ? await validateNow(run, stage, work)
        : { gained: false, enough: false };
      ended ||= verdict.enough;
      if (ended) {
        state.stage++;
        state.stage_step = 0;
        state.evaluations_without_gain = 0;
      }
      await saveOrStop(run, work, verdict.gained || ended);
    }
    finished = true;
  } finally {
    await work.close(finished);
  }
}

function countStep({ state, total, seconds, onEvent }: RunContext, stage: Stage, done: StepDone, first: number): void {
  state.global_step++;
  state.stage_step++;
  state.epoch = round(state.stage_step / stage.stepsPerEpoch);
  state.pending = { loss: state.pending.loss + done.loss, steps: state.pending.steps + 1 };
  const here = state.global_step - first;
  onEvent({
    type: "step",
    step: state.global_step,
    total,
    loss: done.loss,
    learningRate: done.learningRate,
    gradNorm: done.gradNorm,
    utterancesPerSecond: (here * done.utterances) / seconds(),
    secondsLeft: (seconds() / here) * (total - state.global_step),
    memory: process.memoryUsage.rss(),
  });
}

/** Where the log's entries stand. */
const placeOf = (state: TrainerState, stage: Stage): { step: number; epoch: number; stage?: string } => ({
  step: state.global_step,
  epoch: state.epoch,
  ...(stage.prefix ? { stage: stage.name } : {}),
});

async function logStep(run: RunContext, stage: Stage, done: StepDone, ended: boolean): Promise<void> {
  const { state, config } = run;
  const isLast = ended && stage.index === run.stages.length - 1;
  if (state.global_step % config.logging_steps !== 0 && !isLast) return;
  const { loss, steps } = state.pending;
  const { learningRate: learning_rate, gradNorm: grad_norm } = done;
  await run.writeLog({ ...placeOf(state, stage), loss: loss / steps, learning_rate, grad_norm });
  state.pending = { loss: 0, steps: 0 };
}

/** The leading process validates; the others hear whether this is the best so far, and whether it has been long enough without a gain. */
async function validateNow(
  run: RunContext,
  stage: Stage,
  { trainer, usable }: StageAtWork,
): Promise<{ readonly gained: boolean; readonly enough: boolean }> {
  const { state, config, data, model, scorer, rows, onEvent, collective } = run;
  await trainer.fetch("parameters", "state");
  const verdict = new Float32Array(2);
  if (run.leads) {
    const tasks = Object.entries(stage.config.tasks).flatMap(([task, weight]) => (weight > 0 ? [task as Task] : []));
    const figures = await validate(tasks, data.validation, {
      config: stage.config,
      model,
      rows,
      scorer,
      parameters: usable(),
    });
    const named = Object.fromEntries(Object.entries(figures).map(([key, value]) => [`eval_${key}`, value]));
    await run.writeLog({ ...placeOf(state, stage), ...named });
    const better = keepBest(state, config, figures);
    onEvent({ type: "validation", step: state.global_step, figures, best: state.best_metric });
    const { evaluations_without_gain: evaluations } = state;
    const enough = config.early_stopping_patience > 0 && evaluations >= config.early_stopping_patience;
    if (enough) onEvent({ type: "early stop", step: state.global_step, evaluations });
    verdict.set([Number(better), Number(enough)]);
  }
  await collective.broadcast(verdict);
  return { gained: verdict[0] === 1, enough: verdict[1] === 1 };
}

/** Saves where it is time to or `isDue`. Told to stop, one process stops all after the same step: saved, then thrown. */
async function saveOrStop(run: RunContext, work: StageAtWork, isDue: boolean): Promise<void> {
  const { state, config, collective, signal } = run;
  const stop = Float32Array.of(signal?.aborted ? 1 : 0);
  await collective.sum(stop);
  const stopping = stop[0] !== 0;
  if (isDue || stopping || (config.save_steps > 0 && state.global_step % config.save_steps === 0)) {
    await work.trainer.fetch("parameters", "state");
    await checkAgreement(collective, work.trainer.parameters, state.global_step);
    await work.save(work.now());
  }
  if (!stopping) return;
  await collective.barrier();
  if (state.stage < run.stages.length)
    throw new EmosllmError(
      "interrupted",
      `stopped after step ${state.global_step} of ${run.total}, saved in ${join(config.output_dir, checkpointName(state.global_step))}; the same command goes on from there`,
    );
}

/** Epochs in the log have four decimals, so that they read the same on every machine. */
const round = (x: number): number => Math.round(x * 1e4) / 1e4;
