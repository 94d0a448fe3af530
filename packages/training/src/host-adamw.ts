/** @file AdamW in one pass over memory: each number is read and written once, where the graph of `adamW` takes some fifteen passes. */
import type { AdamWOptions } from "./optimisers.ts";
import type { Schedule } from "./schedules.ts";
import { type HostUpdate, stateOf } from "./transform.ts";

/** Where the chain of `adamW` keeps its states. */
export interface AdamWPlaces {
  readonly adamAt: string;
  readonly rateAt: string;
}

/** The update of `adamW` with the same state; sums in double precision, rounded when stored. */
export function hostAdamW(
  schedule: Schedule,
  {
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon = 1e-8,
    weightDecay = 0,
    maxGradNorm = Infinity,
    decays = () => true,
    rateFactor = () => 1,
    adamAt,
    rateAt,
  }: AdamWOptions & AdamWPlaces,
): HostUpdate {
  return {
    scalars: (state) => ({ learning_rate: schedule(stateOf(state, `${rateAt}.count`)) }),
    apply: ({ parameters, gradients, state, gradNorm, scalars }) => {
      const rate = scalars["learning_rate"] as number;
      const clip = Math.min(maxGradNorm / (gradNorm + 1e-6), 1);
      const [count, made] = [state[`${adamAt}.count`], state[`${rateAt}.count`]] as [Float32Array, Float32Array];
      const step = (count[0] as number) + 1;
      count[0] = step;
      made[0] = (made[0] as number) + 1;
      const correction1 = 1 - beta1 ** step;
      const correction2 = Math.sqrt(1 - beta2 ** step);
      for (const [name, p] of Object.entries(parameters)) {
        const own = rate * rateFactor(name);
        updateOne(
          p,
          gradients[name] as Float32Array,
          state[`${adamAt}.exp_avg.${name}`] as Float32Array,
          state[`${adamAt}.exp_avg_sq.${name}`] as Float32Array,
          {
            clip,
            beta1,
            beta2,
            size: (own * correction2) / correction1,
            epsilon: epsilon * correction2,
            keep: decays(name) ? 1 - own * weightDecay : 1,
          },
        );
      }
    },
  };
}

interface Factors {
  readonly clip: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly size: number;
  readonly epsilon: number;
  readonly keep: number;
}

/** `m / c1 / (sqrt(v) / c2 + eps)` is `m * c2 / c1 / (sqrt(v) + eps * c2)`. */
function updateOne(
  p: Float32Array,
  g: Float32Array,
  m: Float32Array,
  v: Float32Array,
  { clip, beta1, beta2, size, epsilon, keep }: Factors,
): void {
  const [rest1, rest2] = [(1 - beta1) * clip, (1 - beta2) * clip * clip];
  for (let i = 0; i < p.length; i++) {
    const d = g[i] as number;
    const mean = (m[i] as number) * beta1 + d * rest1;
    const square = (v[i] as number) * beta2 + d * d * rest2;
    m[i] = mean;
    v[i] = square;
    p[i] = (p[i] as number) * keep - (size * mean) / (Math.sqrt(square) + epsilon);
  }
}
