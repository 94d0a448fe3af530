/**
 * @file Gradient transformations: an optimiser is a chain of `{ init, update }` values, as in optax. `update` builds graph, so
 * the same optimiser runs on every device; its state is tensors with names and shapes.
 */
import type { Tensor } from "@emosllm/graph";

/** Tensors by parameter name. */
export type Tensors = Readonly<Record<string, Tensor>>;
/** State of an optimiser: names (unique in a chain) and shapes; all start at 0. */
export type StateShapes = Readonly<Record<string, readonly number[]>>;

/** What `update` is given and gives. Both records of tensors have the parameters' names. */
export interface TransformStep {
  readonly updates: Tensors;
  readonly state: Tensors;
  /** Scalars for the log, by name (`learning_rate`). */
  readonly report?: Tensors;
}

/** One step of an optimiser: turns gradients into better updates. */
export interface GradientTransformation {
  /** State for parameters of these shapes. */
  readonly init: (shapes: Readonly<Record<string, readonly number[]>>) => StateShapes;
  /** `updates` come in as gradients (or what an earlier transformation made of them). */
  readonly update: (updates: Tensors, state: Tensors, parameters: Tensors) => TransformStep;
  /** Whether it treats every number alike, whatever its parameter: then all parameters may be one tensor. */
  readonly uniform?: boolean;
  /** The same as one pass over this process's memory, for the CPU: as graph each operation is a pass of its own, with a copy at the end. */
  readonly host?: HostUpdate;
}

/** Numbers by name: of parameters, or of an optimiser's state. */
export type Arrays = Readonly<Record<string, Float32Array>>;

/** An update in place; several in a chain follow one another, and later ones see parameters that are updated already. */
export interface HostUpdate {
  /** Scalars that {@link HostUpdate.apply} needs, from the state's own (counters), as graph; also for the log. */
  readonly scalars: (state: Tensors) => Tensors;
  readonly apply: (given: HostUpdateInputs) => void;
}

/** What a {@link HostUpdate} reads and changes. */
export interface HostUpdateInputs {
  readonly parameters: Arrays;
  readonly gradients: Arrays;
  readonly state: Arrays;
  /** Joint norm of the gradients. */
  readonly gradNorm: number;
  readonly scalars: Readonly<Record<string, number>>;
}

/** Applies transformations one after the other; their states live under `0.`, `1.`, ... */
export function chain(...parts: readonly GradientTransformation[]): GradientTransformation {
  const prefixed = <T>(record: Readonly<Record<string, T>>, i: number): Record<string, T> =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [`${i}.${name}`, value]));
  const own = <T>(state: Readonly<Record<string, T>>, i: number): Record<string, T> =>
    Object.fromEntries(
      Object.entries(state).flatMap(([name, value]) =>
        name.startsWith(`${i}.`) ? [[name.slice(`${i}.`.length), value]] : [],
      ),
    );
  const hosts = parts.flatMap(({ host }) => host ?? []);
  const host: HostUpdate = {
    scalars: (state) => Object.assign({}, ...hosts.map((h, i) => h.scalars(own(state, i)))) as Tensors,
    apply: (given) => hosts.forEach((h, i) => h.apply({ ...given, state: own(given.state, i) })),
  };
  return {
    ...(hosts.length === parts.length ? { host } : {}),
    uniform: parts.every((p) => p.uniform === true),
    init: (shapes) => Object.assign({}, ...parts.map((p, i) => prefixed(p.init(shapes), i))) as StateShapes,
    update: (updates, state, parameters) => {
      let current = updates;
      const next: Record<string, Tensor> = {};
      const report: Record<string, Tensor> = {};
      parts.forEach((p, i) => {
        const step = p.update(current, own(state, i), parameters);
        current = step.updates;
        Object.assign(next, prefixed(step.state, i));
        Object.assign(report, step.report);
      });
      return { updates: current, state: next, report };
    },
  };
}

/** The same function on each tensor. */
export const mapTensors = (tensors: Tensors, f: (t: Tensor, name: string) => Tensor): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, f(t, name)]));

/** A state tensor. Throws RangeError (internal) when it was not declared. */
export function stateOf(state: Tensors, name: string): Tensor {
  const t = state[name];
  if (!t) throw new RangeError(`internal: no optimiser state '${name}'`);
  return t;
}
