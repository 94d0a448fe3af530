/** @file The training run, from config to bundle: load, train, test, write. Read it from top to bottom. */
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { fingerprint, trainedShapes } from "@emosllm/model";
import { promptHash } from "@emosllm/prompts";
import { type Collective, oneProcess, tensorStore } from "@emosllm/training";
import { stringify } from "yaml";
import { writeWhole } from "../write-whole.ts";
import { checkpointName, checkpointSteps, linkTo, readCheckpoint, readState, restoreTensors } from "./checkpoint.ts";
import type { TrainConfig } from "./config.ts";
import { type RunData, type StageSamples, loadRunData, loadStageSamples } from "./data.ts";
import type { OnTrainEvent } from "./events.ts";
import { type FinalTest, finalTest } from "./final-test.ts";
import { type TrainedModel, trainModel } from "./loop.ts";
import { type RunModel, assembleModel } from "./model.ts";
import { claimFolder, clearRun } from "./output-folder.ts";
import { metricsOf, writeBundle, writePredictions } from "./output.ts";
import { globalBatch } from "./ranks.ts";
import { type Reporter, openReporters } from "./reporters.ts";
import { type SavedResults, readResults, savedTest, writeResults } from "./results.ts";
import { openRunLog, unwrittenLog } from "./run-log.ts";
import { contentFreeCorrected } from "./content-free.ts";
import { fitScoring } from "./scoring.ts";
import { resolveStages } from "./stages.ts";
import { type TrainerState, checkMadeOf, checkSameConfig, differingKeys } from "./trainer-state.ts";

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
      const values = await bestValues(config, model, trained);
      const fair = config.content_free_correction ? await contentFreeCorrected(model, trained.scorer, values) : model;
      const scoring = await fitScoring(config, data, fair, trained.scorer, values, onEvent);
      const tuned = scoring ? { ...fair, manifest: { ...fair.manifest, scoring: scoring.manifest } } : fair;
      const result = await finalTest(config, data, tuned, trained.scorer, values, onEvent);
      const metrics = metricsOf(result);
      const tested = Object.fromEntries(Object.entries(metrics).map(([k, v]) => [`test_${k}`, v]));
      const entry = { step: state.global_step, ...tested };
      await log.append(entry);
      report({ type: "log", entry });
      await writeBundle(bundle, config, data, tuned, values, metrics, { portable: true });
      await writePredictions(folder, result.test);
      const { global_step, best_global_step, train_seconds, bad_audio } = state;
      await writeResults(folder, result, { global_step, best_global_step, train_seconds, bad_audio, config });
      if (bad_audio.length > 0) onEvent({ type: "bad audio", bad: bad_audio });
      await collective.barrier();
      return { ...result, bundle, trainSeconds: train_seconds, finishedBefore: false };
    } finally {
      await trained.scorer.dispose();
    }
  } finally {
    await reporters?.close();
    for (const d of [data, ...own]) await d?.dispose();
  }
}

interface GoOn {
  readonly finished?: Awaited<ReturnType<typeof readResults>>;
  /** Step of the checkpoint to go on from. */
  readonly step?: number | undefined;
}

/** Looks at what lies in the folder. Throws EmosllmError `config_invalid` where it is of another config and may not be overwritten. */
async function whereToGoOn(config: TrainConfig): Promise<GoOn> {
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
