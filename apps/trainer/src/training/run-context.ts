/** @file What all stages of a run share: values, random streams, the state that checkpoints hold, the clock. */
import { EmosllmError } from "@emosllm/interfaces";
import { type Scorer, openScorer, trainedShapes } from "@emosllm/model";
import { type Device, chooseDevice, keepsState } from "@emosllm/runtime";
import {
  type Collective,
  type StreamSet,
  type TensorStore,
  initialise,
  streamSet,
  tensorStore,
} from "@emosllm/training";
import type { Mutable } from "./best.ts";
import { type ReadCheckpoint, restoreTensors } from "./checkpoint.ts";
import type { TrainConfig } from "./config.ts";
import type { RunData, Sample } from "./data.ts";
import type { OnTrainEvent } from "./events.ts";
import { labelWeights } from "./label-weights.ts";
import { type RunModel, valuesFromBase } from "./model.ts";
import { threadsOf } from "./ranks.ts";
import type { RunLog } from "./run-log.ts";
import type { Stage } from "./stages.ts";
import type { RowContext } from "./tasks.ts";
import type { LogEntry, TrainerState } from "./trainer-state.ts";

/** What training needs. */
export interface TrainOptions {
  readonly config: TrainConfig;
  readonly data: RunData;
  readonly model: RunModel;
  readonly stages: readonly Stage[];
  /** Samples of each stage. */
  readonly samples: readonly (readonly Sample[])[];
  readonly madeOf: TrainerState["made_of"];
  readonly resume: ReadCheckpoint | undefined;
  readonly log: RunLog;
  readonly onEvent: OnTrainEvent;
  readonly signal?: AbortSignal | undefined;
  readonly collective: Collective;
}

/** A run at work. */
export interface RunContext extends TrainOptions {
  /** This process writes for all. */
  readonly leads: boolean;
  readonly device: Device;
  /** Values of everything trained, up to date between stages. */
  readonly values: TensorStore;
  /** Their running mean, with `ema_decay`. */
  readonly averaged: TensorStore | undefined;
  readonly streams: StreamSet;
  readonly scorer: Scorer;
  readonly state: Mutable<TrainerState>;
  readonly rows: RowContext;
  /** Steps of all stages. */
  readonly total: number;
  /** Seconds since this process began to train. */
  readonly seconds: () => number;
  /** Seconds of training, those before a checkpoint among them. */
  readonly trainSeconds: () => number;
  readonly writeLog: (entry: LogEntry) => Promise<void>;
}

/** First values, or those of the checkpoint. Throws EmosllmError `config_invalid` for several processes on a device that cannot share. */
export async function openRun(options: TrainOptions): Promise<RunContext> {
  const { config, data, model, stages, resume, log, onEvent, collective } = options;
  const { parts } = model;
  const total = stages.reduce((n, s) => n + s.steps, 0);
  const { device, why } = await chooseDevice(config.device);
  if (config.device === "auto") onEvent({ type: "note", text: `device: ${device} (${why})` });
  if (keepsState(device) && collective.size > 1)
    throw new EmosllmError(
      "config_invalid",
      `device: '${device}' with ${collective.size} processes; several processes train on cpu`,
    );
  const state = resume ? { ...resume.state, config, max_steps: total } : firstState(options, total);
  const values = tensorStore(trainedShapes(parts));
  const averaged = config.ema_decay > 0 ? tensorStore(trainedShapes(parts)) : undefined;
  if (resume) {
    restoreTensors(values.tensors, resume.values, resume.folder);
    if (averaged) restoreTensors(averaged.tensors, resume.bundleValues, resume.folder);
  } else initialise(values, parts, config.seed, await valuesFromBase(model));

  const secondsBefore = state.train_seconds;
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  return {
    ...options,
    leads: collective.rank === 0,
    device,
    values,
    averaged,
    streams: streamSet(config.seed, resume?.state.streams),
    scorer: openScorer(parts, { threads: state.threads, device }),
    state,
    rows: { tokenizer: model.tokenizer, scheme: data.scheme, config, labelWeights: labelWeights(config, data) },
    total,
    seconds,
    trainSeconds: () => secondsBefore + seconds(),
    writeLog: async (entry) => {
      await log.append(entry);
      onEvent({ type: "log", entry });
    },
  };
}

function firstState({ config, data, madeOf, log, collective }: TrainOptions, total: number): TrainerState {
  return {
    format: 1,
    global_step: 0,
    max_steps: total,
    epoch: 0,
    stage: 0,
    stage_step: 0,
    best_metric: null,
    best_global_step: null,
    evaluations_without_gain: 0,
    log_history: log.history,
    pending: { loss: 0, steps: 0 },
    streams: {},
    orders: {},
    bad_audio: data.bad,
    train_seconds: 0,
    threads: threadsOf(collective),
    config,
    made_of: madeOf,
  };
}
