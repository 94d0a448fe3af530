/** @file The transformations that AdamW with clipping is made of. */
import { type Tensor, add, div, minimum, mul, neg, pow, sqrt, sub, sum } from "@emosllm/graph";
import type { Schedule } from "./schedules.ts";
import { hostAdamW } from "./host-adamw.ts";
import { type GradientTransformation, chain, mapTensors, stateOf } from "./transform.ts";

/** Scales all gradients down together when their joint norm is larger than `maxNorm`, as torch.nn.utils.clip_grad_norm_ does. */
export const clipByGlobalNorm = (maxNorm: number): GradientTransformation => ({
  uniform: true,
  init: () => ({}),
  update: (updates) => {
    const factor = minimum(div(maxNorm, add(globalNorm(Object.values(updates)), 1e-6)), 1);
    return { updates: mapTensors(updates, (g) => mul(g, factor)), state: {} };
  },
});

/** Square root of the sum of all squares. */
export const globalNorm = (tensors: readonly Tensor[]): Tensor =>
  sqrt(tensors.map((g) => sum(mul(g, g))).reduce((a, b) => add(a, b)));

/** Options of {@link scaleByAdam}. */
export interface AdamOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** First and second moments with bias correction (Kingma and Ba 2015; epsilon outside the root, as torch has it). */
export const scaleByAdam = ({
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
}: AdamOptions = {}): GradientTransformation => ({
  uniform: true,
  init: (shapes) => ({
    count: [],
    ...Object.fromEntries(
      Object.entries(shapes).flatMap(([name, shape]) => [
        [`exp_avg.${name}`, shape] as const,
        [`exp_avg_sq.${name}`, shape] as const,
      ]),
    ),
  }),
  update: (updates, state) => {
    const count = add(stateOf(state, "count"), 1);
    const correction1 = sub(1, pow(beta1, count));
    const correction2 = sqrt(sub(1, pow(beta2, count)));
    const next: Record<string, Tensor> = { count };
    const scaled = mapTensors(updates, (g, name) => {
      const m = add(mul(stateOf(state, `exp_avg.${name}`), beta1), mul(g, 1 - beta1));
      const v = add(mul(stateOf(state, `exp_avg_sq.${name}`), beta2), mul(mul(g, g), 1 - beta2));
      next[`exp_avg.${name}`] = m;
      next[`exp_avg_sq.${name}`] = v;
      return div(div(m, correction1), add(div(sqrt(v), correction2), epsilon));
    });
    return { updates: scaled, state: next };
  },
});

/** Adds `weightDecay` times the parameter (decoupled decay, Loshchilov and Hutter 2019); `applies` chooses the parameters. */
export const addDecayedWeights = (
  weightDecay: number,
  applies?: (name: string) => boolean,
): GradientTransformation => ({
  uniform: applies === undefined,
  init: () => ({}),
  update: (updates, _, parameters) => ({
    updates:
      weightDecay === 0
        ? updates
        : mapTensors(updates, (u, name) =>
            applies?.(name) === false ? u : add(u, mul(parameters[name] as Tensor, weightDecay)),
          ),
    state: {},
  }),
});

/** Turns directions into steps: times minus the learning rate of the schedule. `factor` gives single parameters their own multiple (LoRA+). */
export const scaleByLearningRate = (schedule: Schedule, factor?: (name: string) => number): GradientTransformation => ({
  uniform: factor === undefined,
  init: () => ({ count: [] }),
  update: (updates, state) => {
    const count = stateOf(state, "count");
    const learning_rate = schedule(count);
    const rate = neg(learning_rate);
    return {
      updates: mapTensors(updates, (u, name) => (factor ? mul(mul(u, rate), factor(name)) : mul(u, rate))),
      state: { count: add(count, 1) },
      report: { learning_rate },
    };
  },
});

/** Options of {@link adamW}. */
export interface AdamWOptions extends AdamOptions {
  readonly weightDecay?: number;
  /** Clip the joint gradient norm; undefined: no clipping. */
  readonly maxGradNorm?: number | undefined;
  readonly decays?: (name: string) => boolean;
  readonly rateFactor?: (name: string) => number;
}

/** AdamW as torch.optim.AdamW computes it, after clipping. */
export const adamW = (schedule: Schedule, options: AdamWOptions = {}): GradientTransformation => {
  const { weightDecay = 0.01, maxGradNorm, decays, rateFactor, ...adam } = options;
  const clipping = maxGradNorm === undefined ? [] : [clipByGlobalNorm(maxGradNorm)];
  const decay = addDecayedWeights(weightDecay, decays);
  const rate = scaleByLearningRate(schedule, rateFactor);
  const adamAt = `${clipping.length}`;
  const rateAt = `${clipping.length + 2}`;
  return {
    ...chain(...clipping, scaleByAdam(adam), decay, rate),
    host: hostAdamW(schedule, { ...options, weightDecay, adamAt, rateAt }),
  };
};
