/** @file The optimiser that a config describes. */
import { loraPlusRateFactor } from "@emosllm/lora";
import { type EmoSllmParts, trainedShapes } from "@emosllm/model";
import { type GradientTransformation, adamW, averageParameters, chain, schedule } from "@emosllm/training";
import type { TrainConfig } from "./config.ts";

/** AdamW with clipping, warm-up and decay over `total` updates. */
export function runOptimiser(config: TrainConfig, parts: EmoSllmParts, total: number): GradientTransformation {
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
  return config.ema_decay > 0 ? chain(adam, averageParameters(config.ema_decay)) : adam;
}
