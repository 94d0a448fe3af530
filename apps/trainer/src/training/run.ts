/** @file The training run, from config to bundle: load, train, test, write. Read it from top to bottom. */
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { fingerprint } from "@emosllm/model";
import { promptHash } from "@emosllm/prompts";
import { type Collective, oneProcess } from "@emosllm/training";
import { stringify } from "yaml";
import { writeWhole } from "../write-whole.ts";
import { checkpointName, linkTo, readCheckpoint } from "./checkpoint.ts";
import type { TrainConfig } from "./config.ts";
import { type RunData, type StageSamples, loadRunData, loadStageSamples } from "./data.ts";
import type { OnTrainEvent } from "./events.ts";
import type { FinalTest } from "./final-test.ts";
import { finishRun } from "./finish-run.ts";
import { trainModel } from "./loop.ts";
import { type RunModel, assembleModel } from "./model.ts";
import { claimFolder } from "./output-folder.ts";
import { globalBatch } from "./ranks.ts";
import { type Reporter, openReporters } from "./reporters.ts";
import { type SavedResults, readResults, savedTest } from "./results.ts";
import { whereToGoOn } from "./resume-point.ts";
import { openRunLog, unwrittenLog } from "./run-log.ts";
import { resolveStages } from "./stages.ts";
import { type TrainerState, checkMadeOf } from "./trainer-state.ts";

/** What a run gives. */
export interface RunResult extends FinalTest {
  readonly bundle: string;
  readonly trainSeconds: number;
  /** An earlier run with this config had finished; nothing was trained now. */
  readonly finishedBefore: boolean;
}

/** Options of {@link runTraining}. */
export interface RunOptions {
  /** Asks to stop: the step is finished and saved, then EmosllmError `interrupted` is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** The processes that share the run; this one alone when not given. */
  readonly collective?: Collective | undefined;
}

/**
 * Trains as the config says. Where `output_dir` holds a part of this run, it goes on from the newest checkpoint, and ends with the same
 * weights and the same log as without the interruption; where it holds all of it, nothing is done. Throws EmosllmError.
 */
export async function runTraining(
  config: TrainConfig,
  onEvent: OnTrainEvent,
  { signal, collective = oneProcess }: RunOptions = {},
): Promise<RunResult> {
  const folder = collective.rank === 0 ? await claimFolder(config.output_dir) : undefined;
  try {
    return await runInFolder(config, onEvent, signal, collective);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "ENOSPC" && code !== "EDQUOT" && code !== "disk_full") throw cause;
    throw new EmosllmError(
      "disk_full",
      `${(cause as Error).message}. What was saved before is whole; make room and run the same command again`,
      { cause },
    );
  } finally {
    await folder?.release();
  }
}

async function runInFolder(
  config: TrainConfig,
  onEvent: OnTrainEvent,
  signal: AbortSignal | undefined,
  collective: Collective,
): Promise<RunResult> {
  const folder = config.output_dir;
  const bundle = join(folder, "best");
  const leads = collective.rank === 0;
  // The first looks alone: it may take away what lies there.
  if (!leads) await collective.barrier();
  const resume = await whereToGoOn(config);
  if (leads) await collective.barrier();
  if (resume.finished) {
    onEvent({ type: "finished before", folder, steps: resume.finished.global_step });
    const test = await savedTest(folder, resume.finished);
    return { ...test, bundle, trainSeconds: resume.finished.train_seconds, finishedBefore: true };
  }

  const onData = (p: { done: number; total: number }): void =>
    onEvent({ type: "data", what: "clips turned into frames", ...p });
  const data = await loadRunData(config, onData);
  const own: (StageSamples | undefined)[] = [];
  let reporters: Reporter | undefined;
  try {
    onEvent({
      type: "split",
      train: data.train.length,
      validation: data.validation.length,
      test: data.test.length,
      sha256: data.split.sha256,
    });
    if (Object.keys(data.outside).length > 0)
      onEvent({ type: "labels outside", scheme: data.scheme.name, counts: data.outside });
    const model = await assembleModel(config, data);
    for (const { corpus } of config.stages ?? [])
      own.push(corpus === undefined ? undefined : await loadStageSamples({ ...config, corpus }, data, onData));
    const samples = (config.stages ?? [undefined]).map((_, i) => own[i]?.samples ?? data.train);
    const bad = [...data.bad, ...own.flatMap((o) => o?.bad ?? [])];
    const stages = resolveStages(globalBatch(config, collective), (_, i) => samples[i]?.length ?? 0);

    const madeOf = await hashesOf(data, model, collective);
    const checkpoint =
      resume.step === undefined
        ? undefined
        : await readCheckpoint(join(folder, checkpointName(resume.step)), model.parts.adapter);
    if (checkpoint) {
      checkMadeOf(checkpoint.state.made_of, madeOf, checkpoint.folder);
      if (leads) await linkTo(folder, "last", checkpointName(checkpoint.state.global_step));
      onEvent({ type: "resume", step: checkpoint.state.global_step, folder: checkpoint.folder });
    }
    const history = checkpoint?.state.log_history ?? [];
    const log = leads ? await openRunLog(folder, history) : unwrittenLog(history);
    // One process reports for all.
    const reporting = leads ? config : { ...config, report_to: [] };
    const reporter = (reporters = await openReporters(reporting, checkpoint?.state.global_step ?? 0));
    const report: OnTrainEvent = (event) => {
      reporter.take(event);
      onEvent(event);
    };
    if (leads) await writeWhole(join(folder, "config.yaml"), stringify(config));
    const trained = await trainModel({
      config,
      data: { ...data, bad },
      model,
      stages,
      samples,
      madeOf,
      resume: checkpoint,
      log,
      onEvent: report,
      signal,
      collective,
    });
    try {
      const { state } = trained;
      if (!leads) {
        await collective.barrier();
        const results = (await readResults(folder)) as SavedResults;
        return {
          ...(await savedTest(folder, results)),
          bundle,
          trainSeconds: state.train_seconds,
          finishedBefore: false,
        };
      }
      const result = await finishRun({ config, data, model, trained, log, onEvent: report, bundle });
      await collective.barrier();
      return { ...result, bundle, trainSeconds: state.train_seconds, finishedBefore: false };
    } finally {
      await trained.scorer.dispose();
    }
  } finally {
    await reporters?.close();
    for (const d of [data, ...own]) await d?.dispose();
  }
}

async function hashesOf(data: RunData, model: RunModel, { size }: Collective): Promise<TrainerState["made_of"]> {
  return {
    ...(size > 1 && { "number of processes": String(size) }),
    split: data.split.sha256,
    "base model": await fingerprint(model.parts.languageModel),
    prompts: Object.values(model.prompts)
      .flat()
      .map((p) => promptHash(p))
      .join(" "),
  };
}
