/** @file A running mean of the trained values (Polyak and Juditsky 1992, exponentially weighted), kept by the update program. */
import { add, mul } from "@emosllm/graph";
import type { Tensor } from "@emosllm/graph";
import type { TensorStore } from "./parameters.ts";
import { type GradientTransformation, stateOf } from "./transform.ts";

const PREFIX = "ema.";

/**
 * Keeps `m = decay * m + (1 - decay) * parameter` after each update; put it last in a chain, where the updates are final. The means start
 * at 0; {@link averagedValues} takes that out again, as Adam's bias correction does. Leaves the updates alone.
 */
export const averageParameters = (decay: number): GradientTransformation => ({
  uniform: true,
  init: (shapes) => Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [PREFIX + name, shape])),
  update: (updates, state, parameters) => ({
    updates,
    state: Object.fromEntries(
      Object.keys(parameters).map((name) => [
        PREFIX + name,
        add(
          mul(stateOf(state, PREFIX + name), decay),
          mul(add(parameters[name] as Tensor, updates[name] as Tensor), 1 - decay),
        ),
      ]),
    ),
  }),
  host: {
    scalars: () => ({}),
    apply: ({ parameters, state }) => {
      for (const [name, p] of Object.entries(parameters)) {
        const mean = state[PREFIX + name] as Float32Array;
        for (let i = 0; i < p.length; i++) mean[i] = (mean[i] as number) * decay + (p[i] as number) * (1 - decay);
      }
    },
  },
});

/** The means after `updates` updates, written into `into`. Parameters without a mean in `state` are left as they are there. */
export function averagedValues(state: TensorStore, decay: number, updates: number, into: TensorStore): void {
  const correction = 1 - decay ** updates;
  for (const [name, t] of Object.entries(state.tensors)) {
    const at = name.indexOf(PREFIX);
    const target = at < 0 ? undefined : into.tensors[name.slice(at + PREFIX.length)];
    if (target) for (let i = 0; i < t.data.length; i++) target.data[i] = (t.data[i] as number) / correction;
  }
}
