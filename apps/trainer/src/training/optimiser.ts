/** @file The optimiser that a config describes, and its learning rate for the log. */
import { loraPlusRateFactor } from "@emosllm/lora";
import { type EmoSllmParts, trainedShapes } from "@emosllm/model";
import { type GradientTransformation, adamW, averageParameters, chain, schedule } from "@emosllm/training";
import type { TrainConfig } from "./config.ts";

/** An optimiser and the rate that it uses at a step, counted from 1. */
export interface RunOptimiser {
  readonly transformation: GradientTransformation;
  readonly rateAt: (step: number) => number;
}

/** AdamW with clipping, warm-up and decay over `total` updates. */
export function runOptimiser(config: TrainConfig, parts: EmoSllmParts, total: number): RunOptimiser {
  const { min_lr: least, min_lr_rate: leastShare } = config.lr_scheduler_kwargs;
  const rate = {
    type: config.lr_scheduler_type,
    learningRate: config.learning_rate,
    warmupSteps: Math.ceil(total * config.warmup_ratio),
    totalSteps: total,
    minRatio: least === undefined ? (leastShare ?? 0) : least / config.learning_rate,
  };
  const shapes = trainedShapes(parts);
  const adam = adamW(schedule(rate), {
    weightDecay: config.weight_decay,
    maxGradNorm: config.max_grad_norm,
    // Decay is for matrices: biases, norms and the queries keep their size.
    decays: (name) => (shapes[name]?.length ?? 0) > 1,
    rateFactor: loraPlusRateFactor(parts.adapter?.parameters ?? {}, config.loraplus_lr_ratio),
  });
  return {
    transformation: config.ema_decay > 0 ? chain(adam, averageParameters(config.ema_decay)) : adam,
    rateAt: (step) => learningRateAt(step - 1, rate),
  };
}

/** The rate that the schedule in the update program gives, for the log. */
function learningRateAt(
  step: number,
  o: {
    type: TrainConfig["lr_scheduler_type"];
    learningRate: number;
    warmupSteps: number;
    totalSteps: number;
    minRatio: number;
  },
): number {
  if (step < o.warmupSteps) return (step / o.warmupSteps) * o.learningRate;
  const progress = Math.min(1, (step - o.warmupSteps) / Math.max(1, o.totalSteps - o.warmupSteps));
  const shape = o.type.startsWith("cosine")
    ? (1 + Math.cos(Math.PI * progress)) / 2
    : o.type === "linear"
      ? 1 - progress
      : 1;
  const least = o.type === "cosine_with_min_lr" ? o.minRatio : 0;
  return (shape * (1 - least) + least) * o.learningRate;
}
