/** @file Learning rates as functions of the number of updates made so far; names and shapes as in transformers' `get_scheduler`. */
import { type Tensor, add, constant, cos, div, less, maximum, minimum, mul, sub, where } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";

/** Updates made so far (f32 scalar, 0 at the first) -> learning rate (f32 scalar). */
export type Schedule = (count: Tensor) => Tensor;

/** Settings of {@link schedule}. */
export interface ScheduleOptions {
  /** `lr_scheduler_type` */
  readonly type: SchedulerType;
  readonly learningRate: number;
  readonly warmupSteps?: number;
  /** Updates in all; needed by all but `constant` kinds. */
  readonly totalSteps?: number;
  /** Lowest rate of `cosine_with_min_lr`, as a share of the learning rate. */
  readonly minRatio?: number;
}

/** All kinds of schedule. */
export const SCHEDULER_TYPES = ["constant", "constant_with_warmup", "linear", "cosine", "cosine_with_min_lr"] as const;
/** One of {@link SCHEDULER_TYPES}. */
export type SchedulerType = (typeof SCHEDULER_TYPES)[number];

const half = (progress: Tensor): Tensor => mul(add(cos(mul(progress, Math.PI)), 1), 0.5);

/** Progress after the warm-up in [0, 1] -> share of the learning rate. */
const DECAYS: { readonly [K in SchedulerType]: (progress: Tensor, minRatio: number) => Tensor } = {
  constant: () => constant(1),
  constant_with_warmup: () => constant(1),
  linear: (progress) => sub(1, progress),
  cosine: half,
  cosine_with_min_lr: (progress, minRatio) => add(mul(half(progress), 1 - minRatio), minRatio),
};

/** A constant rate. */
export const constantRate = (learningRate: number): Schedule => schedule({ type: "constant", learningRate });

/** Warm-up from 0 over `warmupSteps`, then the decay of the kind. Throws EmosllmError `config_invalid` for an unknown kind. */
export function schedule({
  type,
  learningRate,
  warmupSteps = 0,
  totalSteps = 0,
  minRatio = 0,
}: ScheduleOptions): Schedule {
  const decay = DECAYS[type];
  if (!decay)
    throw new EmosllmError("config_invalid", `lr_scheduler_type '${type}' is not one of ${SCHEDULER_TYPES.join(", ")}`);
  return (count) => {
    const progress = minimum(maximum(div(sub(count, warmupSteps), Math.max(1, totalSteps - warmupSteps)), 0), 1);
    const after = mul(decay(progress, minRatio), learningRate);
    if (warmupSteps === 0) return after;
    return where(less(count, warmupSteps), mul(div(count, warmupSteps), learningRate), after);
  };
}
