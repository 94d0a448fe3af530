/**
 * @file An update over all parameters as one tensor, for devices where each op has a price whatever its size: gradients are joined, the
 * optimiser runs once over all of them, and the new values are cut into the parameters' own memory.
 */
import { type Tensor, add, concat, input, reshape, slice } from "@emosllm/graph";
import { elements } from "@emosllm/runtime";
import type { GradientTransformation, StateShapes, Tensors } from "./transform.ts";

type Shapes = Readonly<Record<string, readonly number[]>>;

/** The one tensor's name. */
const ALL = "all";

const totalOf = (shapes: Shapes): number => Object.values(shapes).reduce((n, s) => n + elements(s), 0);

/** State of an optimiser over one tensor. */
export const flatState = (shapes: Shapes, optimiser: GradientTransformation): StateShapes =>
  optimiser.init({ [ALL]: [totalOf(shapes)] });

/** Names of the parameters' own states that one state of {@link flatState} holds, in its order; it alone where it belongs to none. */
export const partsOfFlat = (name: string, shapes: Shapes): string[] =>
  name === ALL || name.endsWith(`.${ALL}`)
    ? Object.keys(shapes).map((p) => name.slice(0, name.length - ALL.length) + p)
    : [name];

/** What the update program computes. */
export interface UpdateGraph {
  /** By `parameter.NAME`. */
  readonly parameters: Tensors;
  readonly state: Tensors;
  readonly report: Tensors;
  /** All gradients, before clipping. */
  readonly gradients: readonly Tensor[];
}

/** What stands between gradients and optimiser where the loss was scaled: see `guardOf`. */
export interface Guard {
  /** The gradients as they are without the scale. */
  readonly unscale: (gradient: Tensor) => Tensor;
  /** The new value, or the old one where the gradients were not finite. */
  readonly keep: (next: Tensor, before: Tensor) => Tensor;
}

/** The graph of the update; inputs are `parameter.NAME`, `gradient.NAME`, `state.NAME`. */
export function flatUpdate(
  shapes: Shapes,
  optimiser: GradientTransformation,
  guard: (gradients: readonly Tensor[]) => Guard,
): UpdateGraph {
  const joined = (prefix: string): Tensor =>
    concat(
      Object.entries(shapes).map(([name, s]) => reshape(input(`${prefix}.${name}`, s), [elements(s)])),
      0,
    );
  const [all, scaled] = [joined("parameter"), joined("gradient")];
  const { unscale, keep } = guard([scaled]);
  const gradient = unscale(scaled);
  const state = Object.fromEntries(
    Object.entries(flatState(shapes, optimiser)).map(([name, s]) => [name, input(`state.${name}`, s)]),
  );
  const step = optimiser.update({ [ALL]: gradient }, state, { [ALL]: all });
  const next = keep(add(all, step.updates[ALL] as Tensor), all);
  let at = 0;
  const parameters = Object.fromEntries(
    Object.entries(shapes).map(([name, s]) => {
      const start = at;
      at += elements(s);
      return [`parameter.${name}`, reshape(slice(next, 0, start, at), s)];
    }),
  );
  const kept = Object.entries(step.state).map(([name, t]) => [name, keep(t, state[name] as Tensor)] as const);
  return { parameters, state: Object.fromEntries(kept), report: step.report ?? {}, gradients: [gradient] };
}
