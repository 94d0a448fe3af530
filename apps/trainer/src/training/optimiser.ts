/** @file The optimiser that a config describes, and its learning rate for the log. */
import { loraPlusRateFactor } from "@emosllm/lora";
import { type EmoSllmParts, trainedShapes } from "@emosllm/model";
import { type GradientTransformation, adamW, schedule } from "@emosllm/training";
import type { TrainConfig } from "./config.ts";

/** An optimiser and the rate that it uses at a step, counted from 1. */
export interface RunOptimiser {
  readonly transformation: GradientTransformation;
  readonly rateAt: (step: number) => number;
}

/** AdamW with clipping, warm-up and decay over `total` updates. */
export function runOptimiser(config: TrainConfig, parts: EmoSllmParts, total: number): RunOptimiser {
  const rate = {
    type: config.lr_scheduler_type,
    learningRate: config.learning_rate,
    warmupSteps: Math.ceil(total * config.warmup_ratio),
    totalSteps: total,
  };
  const shapes = trainedShapes(parts);
  return {
    transformation: adamW(schedule(rate), {
      weightDecay: config.weight_decay,
      maxGradNorm: config.max_grad_norm,
      // Decay is for matrices: biases, norms and the queries keep their size.
      decays: (name) => (shapes[name]?.length ?? 0) > 1,
      rateFactor: loraPlusRateFactor(parts.adapter?.parameters ?? {}, config.loraplus_lr_ratio),
    }),
    rateAt: (step) => learningRateAt(step - 1, rate),
  };
}

/** The rate that the schedule in the update program gives, for the log. */
function learningRateAt(
  step: number,
  o: { type: TrainConfig["lr_scheduler_type"]; learningRate: number; warmupSteps: number; totalSteps: number },
): number {
  if (step < o.warmupSteps) return (step / o.warmupSteps) * o.learningRate;
  const progress = Math.min(1, (step - o.warmupSteps) / Math.max(1, o.totalSteps - o.warmupSteps));
  const shape = o.type.startsWith("cosine")
    ? (1 + Math.cos(Math.PI * progress)) / 2
    : o.type === "linear"
      ? 1 - progress
      : 1;
  return shape * o.learningRate;
}
