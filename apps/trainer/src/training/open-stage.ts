/** @file A stage at work: its trainer and its batches, and how what it has reached is tested and saved. */
import { join } from "node:path";
import { PROJECTOR_PREFIX } from "@emosllm/model";
import type { HostTensor } from "@emosllm/runtime";
import { type EmoSllmTrainer, averagedValues, openEmoSllmTrainer } from "@emosllm/training";
import { type BatchSource, batchSource } from "./batches.ts";
import { lastFigures } from "./best.ts";
import { checkpointName, linkTo, pruneCheckpoints, restoreTensors, writeTrainerFiles } from "./checkpoint.ts";
import { type Sample, checkBadShare } from "./data.ts";
import type { BadAudio } from "./frames.ts";
import { runOptimiser } from "./optimiser.ts";
import { writeBundle } from "./output.ts";
import type { RunContext } from "./run-context.ts";
import type { Stage } from "./stages.ts";
import type { TrainerState } from "./trainer-state.ts";

type Values = Readonly<Record<string, HostTensor<"f32">>>;

/** What steps of a stage need. */
export interface StageAtWork {
  readonly trainer: EmoSllmTrainer;
  readonly source: BatchSource;
  /** What is tested and saved: the trained values, or their running mean. */
  readonly usable: () => Values;
  /** The state as it would be saved. */
  readonly now: () => TrainerState;
  /** Writes a checkpoint; on the leading process alone. */
  readonly save: (at: TrainerState) => Promise<void>;
  /** Copies what was trained back to the run's values, and frees the rest. */
  readonly close: (finished: boolean) => Promise<void>;
}

/** Opens a stage where the run's state stands. Throws what the trainer and the batches throw. */
export async function openStage(run: RunContext, stage: Stage): Promise<StageAtWork> {
  const { config, data, model, resume, state, streams, values, averaged, log } = run;
  const settings = stage.config;
  const isFrozen = (name: string): boolean =>
    name.startsWith(PROJECTOR_PREFIX) ? settings.freeze_projector : settings.freeze_adapter;
  const frozen = Object.fromEntries(Object.entries(values.tensors).filter(([name]) => isFrozen(name)));
  const trainer = await openEmoSllmTrainer({
    threads: state.threads,
    device: run.device,
    parts: model.parts,
    optimiser: runOptimiser(settings, model.parts, stage.steps),
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
  const current: Values = { ...values.tensors, ...trainer.parameters.tensors };
  const before = state.global_step - state.stage_step;
  const usable = (): Values => {
    if (!averaged) return current;
    for (const [name, t] of Object.entries(current)) averaged.tensors[name]?.data.set(t.data);
    const updates = state.global_step - before;
    if (updates > 0) averagedValues(trainer.state, config.ema_decay, updates, averaged);
    return averaged.tensors;
  };

  const samples = run.samples[stage.index] as readonly Sample[];
  const ids = new Set(samples.map(({ utterance }) => utterance.id));
  const source = batchSource({
    config: settings,
    samples,
    prompts: model.prompts,
    labels: model.labels,
    context: run.rows,
    streams,
    prefix: stage.prefix,
    saved: going ? resume.state.orders : undefined,
    onBad: (bad: BadAudio) => {
      if (state.bad_audio.some((b) => b.id === bad.id)) return;
      state.bad_audio = [...state.bad_audio, bad];
      // Another stage may draw from another corpus.
      const badOfStage = state.bad_audio.filter(({ id }) => ids.has(id));
      checkBadShare(badOfStage, samples.length, config);
    },
  });
  return {
    trainer,
    source,
    usable,
    now: () => ({
      ...state,
      streams: streams.states(),
      orders: source.orders(),
      train_seconds: run.trainSeconds(),
      log_history: [...log.history],
    }),
    save: async (at) => {
      if (!run.leads) return;
      const name = checkpointName(at.global_step);
      const folder = join(config.output_dir, name);
      const extraFiles = (inside: string): Promise<void> =>
        writeTrainerFiles(inside, at, trainer.state.tensors, averaged ? current : undefined);
      await writeBundle(folder, config, data, model, usable(), lastFigures(at.log_history), { extraFiles });
      await linkTo(config.output_dir, "last", name);
      if (at.best_global_step !== null) await linkTo(config.output_dir, "best", checkpointName(at.best_global_step));
      await pruneCheckpoints(config.output_dir, config.save_total_limit, [at.best_global_step]);
      run.onEvent({ type: "checkpoint", step: at.global_step, folder });
    },
    close: async (finished) => {
      if (finished) {
        await trainer.fetch("parameters");
        for (const [name, t] of Object.entries(trainer.parameters.tensors)) values.tensors[name]?.data.set(t.data);
      }
      await trainer.dispose();
    },
  };
}
