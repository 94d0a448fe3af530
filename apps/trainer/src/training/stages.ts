/** @file The stages of a run: each a config of its own, with how many steps it has. */
import type { TrainConfig } from "./config.ts";

/** One stage. */
export interface Stage {
  readonly index: number;
  readonly name: string;
  /** The config with what the stage changes. */
  readonly config: TrainConfig;
  /** Updates in this stage, and before it. */
  readonly steps: number;
  readonly before: number;
  /** Updates in one pass over its samples. */
  readonly stepsPerEpoch: number;
  /** Before the names of its random streams; empty where there is one stage. */
  readonly prefix: string;
}

/** `samplesOf` gives how many samples a stage trains on. */
export function resolveStages(config: TrainConfig, samplesOf: (stage: TrainConfig, index: number) => number): Stage[] {
  const { stages, ...base } = config;
  let before = 0;
  return (stages ?? [{ name: "train" }]).map(({ name, ...own }, index) => {
    // A stage's epochs are meant also where the config has max_steps for all.
    const epochs = own.num_train_epochs !== undefined && own.max_steps === undefined ? { max_steps: -1 } : {};
    const given = Object.fromEntries(Object.entries({ ...epochs, ...own }).filter(([, v]) => v !== undefined));
    const stage: TrainConfig = { ...base, ...given };
    const perStep = stage.per_device_train_batch_size * stage.gradient_accumulation_steps;
    const stepsPerEpoch = Math.ceil(samplesOf(stage, index) / perStep);
    const steps = stage.max_steps > 0 ? stage.max_steps : Math.ceil(stepsPerEpoch * stage.num_train_epochs);
    const result = { index, name, config: stage, steps, before, stepsPerEpoch, prefix: stages ? `${name} ` : "" };
    before += steps;
    return result;
  });
}
