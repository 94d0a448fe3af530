/** @file The training loop: stage by stage, draw rows, accumulate gradients, update, log, validate, save. Read it from top to bottom. */
import { join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { PROJECTOR_PREFIX, type Scorer, openScorer, trainedShapes } from "@emosllm/model";
import { type HostTensor, chooseDevice, hostTensor, keepsState } from "@emosllm/runtime";
import {
  type Collective,
  averagedValues,
  initialise,
  openEmoSllmTrainer,
  streamSet,
  tensorStore,
} from "@emosllm/training";
import { batchSource } from "./batches.ts";
import { type Mutable, keepBest, lastFigures, validationIsDue } from "./best.ts";
import {
  type ReadCheckpoint,
  checkpointName,
  checkpointSteps,
  linkTo,
  pruneCheckpoints,
  restoreTensors,
  writeTrainerFiles,
} from "./checkpoint.ts";
import type { Task, TrainConfig } from "./config.ts";
import { type RunData, type Sample, checkBadShare } from "./data.ts";
import type { BadAudio } from "./frames.ts";
import type { OnTrainEvent } from "./events.ts";
import { type RunModel, valuesFromBase } from "./model.ts";
import { keepBadBatch } from "./bad-batch.ts";
import { labelWeights } from "./label-weights.ts";
import { runOptimiser } from "./optimiser.ts";
import { writeBundle } from "./output.ts";
import { checkAgreement, threadsOf } from "./ranks.ts";
import type { RunLog } from "./run-log.ts";
import type { Stage } from "./stages.ts";
import { stepBatches } from "./step-batches.ts";
import type { RowContext } from "./tasks.ts";
import type { LogEntry, TrainerState } from "./trainer-state.ts";
import { validate } from "./validation.ts";

/** What the loop needs. */
export interface LoopOptions {
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

/** What the loop leaves. */
export interface TrainedModel {
  readonly state: TrainerState;
  /** Values of everything trained, as the last checkpoint's bundle has them. */
  readonly values: Readonly<Record<string, HostTensor<"f32">>>;
  readonly scorer: Scorer;
}

/** Trains from first values, or from a checkpoint, to the last step. Throws EmosllmError `interrupted` after `signal`, once the step is finished and saved. */
export async function trainModel(options: LoopOptions): Promise<TrainedModel> {
  const { config, data, model, stages, samples, madeOf, resume, log, onEvent, signal, collective } = options;
  const leads = collective.rank === 0;
  const { parts } = model;
  const values = tensorStore(trainedShapes(parts));
  const averaged = config.ema_decay > 0 ? tensorStore(trainedShapes(parts)) : undefined;
  const streams = streamSet(config.seed, resume?.state.streams);
  const total = stages.reduce((n, s) => n + s.steps, 0);
  const state: Mutable<TrainerState> = resume
    ? { ...resume.state, config, max_steps: total }
    : {
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
  const { device, why } = await chooseDevice(config.device);
  if (config.device === "auto") onEvent({ type: "note", text: `device: ${device} (${why})` });
  const onDevice = keepsState(device);
  if (onDevice && collective.size > 1)
    throw new EmosllmError(
      "config_invalid",
      `device: '${device}' with ${collective.size} processes; several processes train on cpu`,
    );
  const compile = { threads: state.threads, device };
  const scorer = openScorer(parts, compile);
  const secondsBefore = state.train_seconds;
  const start = performance.now();
  if (resume) {
    restoreTensors(values.tensors, resume.values, resume.folder);
    if (averaged) restoreTensors(averaged.tensors, resume.bundleValues, resume.folder);
  } else initialise(values, parts, config.seed, await valuesFromBase(model));

  const rowContext: RowContext = {
    tokenizer: model.tokenizer,
    scheme: data.scheme,
    config,
    labelWeights: labelWeights(config, data),
  };
  const sizes = { vectors: parts.projector.vectors, audioSize: parts.audioSize };

  try {
    for (const stage of stages.slice(state.stage)) {
      const settings = stage.config;
      const isFrozen = (name: string): boolean =>
        name.startsWith(PROJECTOR_PREFIX) ? settings.freeze_projector : settings.freeze_adapter;
      const frozen = Object.fromEntries(Object.entries(values.tensors).filter(([name]) => isFrozen(name)));
      const optimiser = runOptimiser(settings, parts, stage.steps);
      const trainer = await openEmoSllmTrainer({
        ...compile,
        parts,
        optimiser,
        ...(config.precision === "f16" ? { lossScaling: {} } : {}),
        frozen,
        focalGamma: settings.focal_gamma,
        gradientCheckpointing: settings.gradient_checkpointing,
        prepack: settings.prepack_weights ?? undefined,
      });
      for (const [name, t] of Object.entries(trainer.parameters.tensors))
        t.data.set((values.tensors[name] as HostTensor<"f32">).data);
      const going = resume && resume.state.stage === stage.index && resume.state.stage_step > 0;
      if (going) restoreTensors(trainer.state.tensors, resume.optimiser, resume.folder);
      const current = { ...values.tensors, ...trainer.parameters.tensors };
      let updates = state.stage_step;
      /** What is tested and saved. */
      const usable = (): Readonly<Record<string, HostTensor<"f32">>> => {
        if (!averaged) return current;
        for (const [name, t] of Object.entries(current)) averaged.tensors[name]?.data.set(t.data);
        if (updates > 0) averagedValues(trainer.state, config.ema_decay, updates, averaged);
        return averaged.tensors;
      };
      const stageSamples = samples[stage.index] as readonly Sample[];
      const stageIds = new Set(stageSamples.map(({ utterance }) => utterance.id));
      const source = batchSource({
        config: settings,
        samples: stageSamples,
        prompts: model.prompts,
        labels: model.labels,
        context: rowContext,
        streams,
        prefix: stage.prefix,
        saved: going ? resume.state.orders : undefined,
        onBad: (bad: BadAudio) => {
          if (state.bad_audio.some((b) => b.id === bad.id)) return;
          state.bad_audio = [...state.bad_audio, bad];
          // Another stage may draw from another corpus.
          const badOfStage = state.bad_audio.filter(({ id }) => stageIds.has(id));
          checkBadShare(badOfStage, stageSamples.length, config);
        },
      });
      const now = (): TrainerState => ({
        ...state,
        streams: streams.states(),
        orders: source.orders(),
        train_seconds: secondsBefore + (performance.now() - start) / 1000,
        log_history: [...log.history],
      });
      const save = async (at: TrainerState): Promise<void> => {
        if (!leads) return;
        const folder = join(config.output_dir, checkpointName(at.global_step));
        const extraFiles = (inside: string): Promise<void> =>
          writeTrainerFiles(inside, at, trainer.state.tensors, averaged ? current : undefined);
        await writeBundle(folder, config, data, model, usable(), lastFigures(at.log_history), { extraFiles });
        await linkTo(config.output_dir, "last", checkpointName(at.global_step));
        if (at.best_global_step !== null) await linkTo(config.output_dir, "best", checkpointName(at.best_global_step));
        await pruneCheckpoints(config.output_dir, config.save_total_limit, [at.best_global_step]);
        onEvent({ type: "checkpoint", step: at.global_step, folder });
      };
      onEvent({ type: "stage", name: stage.name, steps: stage.steps, step: state.stage_step });
      const tasks = Object.keys(settings.tasks).filter((t) => (settings.tasks[t as Task] ?? 0) > 0) as Task[];
      const first = state.global_step;

      try {
        let ended = state.stage_step >= stage.steps;
        while (!ended) {
          const before = now();
          const drawn = [];
          for (let micro = 0; micro < settings.gradient_accumulation_steps; micro++) drawn.push(await source.next());
          let loss = 0;
          for (const [micro, batch] of stepBatches(drawn, sizes, collective, settings.max_tokens).entries()) {
            const key = BigInt(Math.floor(streams.get(`${stage.prefix}lora dropout`).next() * 2 ** 31));
            const feeds = { ...batch.feeds, dropout_key: hostTensor("i64", [], BigInt64Array.of(key)) };
            loss += (await trainer.accumulate({ ...batch, feeds }, micro === 0)).loss;
          }
          await collective.sum(trainer.gradients.flat);
          if (collective.size > 1) {
            const total = Float32Array.of(loss);
            await collective.sum(total);
            loss = total[0] as number;
          }
          // With loss scaling gradients may overflow, which lowers the scale; on a device the update looks at them.
          const seen = onDevice || config.precision === "f16" || allFinite(trainer.gradients.flat);
          const update = Number.isFinite(loss) && seen ? await trainer.update() : undefined;
          if (!update || (update.skipped && config.precision !== "f16")) {
            const last = (await checkpointSteps(config.output_dir)).includes(before.global_step);
            await trainer.fetch("parameters", "state");
            if (!last && before.global_step > 0) await save(before);
            const error = await keepBadBatch(config.output_dir, before, drawn, loss);
            await collective.barrier();
            throw error;
          }
          const { gradNorm, learningRate } = update;
          state.global_step++;
          state.stage_step++;
          updates++;
          state.epoch = round(state.stage_step / stage.stepsPerEpoch);
          state.pending = { loss: state.pending.loss + loss, steps: state.pending.steps + 1 };
          const seconds = (performance.now() - start) / 1000;
          const here = state.global_step - first;
          onEvent({
            type: "step",
            step: state.global_step,
            total,
            loss,
            learningRate,
            gradNorm,
            utterancesPerSecond: (here * drawn.reduce((n, b) => n + b.rows.length, 0)) / seconds,
            secondsLeft: (seconds / here) * (total - state.global_step),
            memory: process.memoryUsage.rss(),
          });
          ended = state.stage_step >= stage.steps;
          const at = { step: state.global_step, epoch: state.epoch, ...(stage.prefix ? { stage: stage.name } : {}) };
          if (state.global_step % config.logging_steps === 0 || (ended && stage.index === stages.length - 1)) {
            const { loss: sum, steps } = state.pending;
            await write({ ...at, loss: sum / steps, learning_rate: learningRate, grad_norm: gradNorm });
            state.pending = { loss: 0, steps: 0 };
          }
          let gained = false;
          if (validationIsDue(settings, data, state, stage, ended)) {
            await trainer.fetch("parameters", "state");
            const verdict = new Float32Array(2);
            if (leads) {
              const context = { config: settings, model, rows: rowContext, scorer, parameters: usable() };
              const figures = await validate(tasks, data.validation, context);
              await write({ ...at, ...Object.fromEntries(Object.entries(figures).map(([k, v]) => [`eval_${k}`, v])) });
              const better = keepBest(state, config, figures);
              onEvent({ type: "validation", step: state.global_step, figures, best: state.best_metric });
              const { evaluations_without_gain: evaluations } = state;
              const enough = config.early_stopping_patience > 0 && evaluations >= config.early_stopping_patience;
              if (enough) onEvent({ type: "early stop", step: state.global_step, evaluations });
              verdict.set([Number(better), Number(enough)]);
            }
            await collective.broadcast(verdict);
            gained = verdict[0] === 1;
            ended ||= verdict[1] === 1;
          }
          if (ended) {
            state.stage++;
            state.stage_step = 0;
            state.evaluations_without_gain = 0;
          }
          const isLast = ended && state.stage === stages.length;
          const due = config.save_steps > 0 && state.global_step % config.save_steps === 0;
          // Told to one rank, it stops all, after the same step.
          const stop = Float32Array.of(signal?.aborted ? 1 : 0);
          await collective.sum(stop);
          const stopping = stop[0] !== 0;
          if (due || gained || ended || stopping) {
            await trainer.fetch("parameters", "state");
            await checkAgreement(collective, trainer.parameters, state.global_step);
            await save(now());
          }
          if (stopping) await collective.barrier();
          if (stopping && !isLast)
            throw new EmosllmError(
              "interrupted",
              `stopped after step ${state.global_step} of ${total}, saved in ${join(config.output_dir, checkpointName(state.global_step))}; the same command goes on from there`,
            );
        }
        await trainer.fetch("parameters");
        for (const [name, t] of Object.entries(trainer.parameters.tensors)) values.tensors[name]?.data.set(t.data);
      } finally {
        await trainer.dispose();
      }
    }
  } catch (error) {
    await scorer.dispose();
    throw error;
  }
  const train_seconds = secondsBefore + (performance.now() - start) / 1000;
  return { state: { ...state, log_history: log.history, train_seconds }, values: (averaged ?? values).tensors, scorer };

  async function write(entry: LogEntry): Promise<void> {
    await log.append(entry);
    onEvent({ type: "log", entry });
  }
}

/** Epochs in the log have four decimals, so that they read the same on every machine. */
const round = (x: number): number => Math.round(x * 1e4) / 1e4;

/** Not a sum: that could overflow where every gradient is finite. */
function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}
