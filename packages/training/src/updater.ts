/** @file The update of a training step, in place: as a program on the device, or in one pass over this process's memory on the CPU. */
import { type Tensor, add, input, less, mul, where } from "@emosllm/graph";
import {
  type CompileOptions,
  type HostTensor,
  type Program,
  type Value,
  compile,
  f32,
  keepsState,
} from "@emosllm/runtime";
import { type Guard, type UpdateGraph, flatState, flatUpdate } from "./flat-update.ts";
import type { LossScale } from "./loss-scale.ts";
import { globalNorm } from "./optimisers.ts";
import type { TensorStore } from "./parameters.ts";
import { type Arrays, type GradientTransformation, type HostUpdate, type Tensors, mapTensors } from "./transform.ts";

/** What an update says of itself. */
export interface Update {
  /** Joint norm of the gradients before clipping. */
  readonly gradNorm: number;
  /** What the schedule in the optimiser had; NaN where it has none. */
  readonly learningRate: number;
  /** Whether the gradients were not finite and were left out: with loss scaling, and on devices that keep state. */
  readonly skipped: boolean;
}

/** Changes parameters and state by the gradients. Dispose it. */
export interface Updater {
  update(): Promise<Update>;
  dispose(): Promise<void>;
}

/** Memory that an {@link Updater} works on. */
export interface UpdatedStores {
  readonly parameters: TensorStore;
  readonly gradients: TensorStore;
  readonly state: TensorStore;
}

/** The same by name, wherever it lies; the scalars of `state` lie in this process. */
export interface UpdatedValues {
  readonly parameters: Readonly<Record<string, Value>>;
  readonly gradients: Readonly<Record<string, Value>>;
  readonly state: Readonly<Record<string, Value>>;
}

type Shapes = Readonly<Record<string, readonly number[]>>;

/** On the CPU the optimiser's own pass over memory where it has one, else its graph over the values where they lie. */
export const openUpdater = (
  stores: UpdatedStores,
  values: UpdatedValues,
  shapes: Shapes,
  optimiser: GradientTransformation,
  scale: LossScale | undefined,
  options: CompileOptions,
): Promise<Updater> =>
  optimiser.host && (options.device ?? "cpu") === "cpu"
    ? hostUpdater(stores, shapes, optimiser, optimiser.host, scale, options)
    : graphUpdater(values, shapes, optimiser, scale, options);

/** f32 holds seven digits. */
const rateOf = (values: Readonly<Record<string, HostTensor>>, name: string): number =>
  Number(Number(values[name]?.data[0] ?? NaN).toPrecision(7));

async function hostUpdater(
  { parameters, gradients, state }: UpdatedStores,
  shapes: Shapes,
  optimiser: GradientTransformation,
  host: HostUpdate,
  scale: LossScale | undefined,
  options: CompileOptions,
): Promise<Updater> {
  const counters = Object.entries(optimiser.init(shapes)).flatMap(([name, shape]) =>
    shape.length === 0 ? [name] : [],
  );
  const named = host.scalars(Object.fromEntries(counters.map((name) => [name, input(name, [])])));
  const program = Object.keys(named).length > 0 ? await compile(named, { ...options, threads: 1 }) : undefined;
  const arrays = ({ tensors }: TensorStore): Arrays =>
    Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));
  const given = { parameters: arrays(parameters), gradients: arrays(gradients), state: arrays(state) };
  return {
    async update() {
      const feeds = Object.fromEntries(
        (program?.inputs ?? []).map(({ name }) => [name, state.tensors[name] as HostTensor]),
      );
      const values = (await program?.run(feeds)) ?? {};
      const factor = 1 / (scale?.value() ?? 1);
      if (factor !== 1)
        for (let i = 0; i < gradients.flat.length; i++) gradients.flat[i] = (gradients.flat[i] as number) * factor;
      const gradNorm = normOf(gradients.flat);
      const skipped = scale !== undefined && !Number.isFinite(gradNorm);
      scale?.taken(!skipped);
      if (skipped) return { gradNorm, learningRate: rateOf(values, "learning_rate"), skipped };
      const scalars = Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, Number(data[0])]));
      host.apply({ ...given, gradNorm, scalars });
      return { gradNorm, learningRate: rateOf(values, "learning_rate"), skipped };
    },
    dispose: async () => program?.dispose(),
  };
}

function normOf(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return Math.sqrt(sum);
}

/** The update as a program; what lies on the program's device stays there. */
async function graphUpdater(
  { parameters, gradients, state }: UpdatedValues,
  shapes: Shapes,
  optimiser: GradientTransformation,
  scale: LossScale | undefined,
  options: CompileOptions,
): Promise<Updater> {
  const { updateProgram, stateNames } = await compileUpdate(shapes, optimiser, scale !== undefined, options);
  return {
    async update() {
      const feeds: Record<string, Value> = scale ? { unscale: f32([1 / scale.value()], []) } : {};
      const into: Record<string, Value> = {};
      for (const [name, t] of Object.entries(parameters)) {
        feeds[`parameter.${name}`] = t;
        feeds[`gradient.${name}`] = gradients[name] as Value;
        into[`parameter.${name}`] = t;
      }
      for (const name of stateNames) {
        const t = state[name] as Value;
        feeds[`state.${name}`] = t;
        // Counters are read by several ops, so they are not written where they are read.
        if (t.shape.length > 0) into[`state.${name}`] = t;
      }
      const result = await updateProgram.run(feeds, { into });
      for (const name of stateNames) {
        const t = state[name] as Value;
        if (t.shape.length === 0)
          (t as HostTensor<"f32">).data.set((result[`state.${name}`] as HostTensor<"f32">).data);
      }
      const gradNorm = Number(result["grad_norm"]?.data[0] ?? NaN);
      const skipped = scale !== undefined && !(gradNorm < LARGEST);
      scale?.taken(!skipped);
      return { gradNorm, learningRate: rateOf(result, "report.learning_rate"), skipped };
    },
    dispose: () => updateProgram.dispose(),
  };
}

async function compileUpdate(
  shapes: Shapes,
  optimiser: GradientTransformation,
  scaled: boolean,
  options: CompileOptions,
): Promise<{ updateProgram: Program; stateNames: readonly string[] }> {
  const flat = isFlat(optimiser, options);
  const { parameters, state, report, gradients } = (flat ? flatUpdate : updateByName)(
    shapes,
    optimiser,
    scaled ? guardOf : () => UNGUARDED,
  );
  const named = (prefix: string, tensors: Tensors): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(tensors).map(([name, t]) => [`${prefix}.${name}`, t]));
  const updateProgram = await compile(
    { ...parameters, ...named("state", state), ...named("report", report), grad_norm: globalNorm(gradients) },
    options,
  );
  return { updateProgram, stateNames: Object.keys(flat ? flatState(shapes, optimiser) : optimiser.init(shapes)) };
}

/** Whether an update over device memory takes all parameters as one tensor. */
export const isFlat = (optimiser: GradientTransformation, { device }: CompileOptions): boolean =>
  optimiser.uniform === true && keepsState(device);

/** Beyond this no norm is finite: what is compared with NaN or infinity fails on every device, which tests for these do not. */
const LARGEST = 3e38;

const UNGUARDED: Guard = { unscale: (g) => g, keep: (next) => next };

/** Divides by the loss scale, and keeps what was where that leaves gradients that are not finite. */
function guardOf(gradients: readonly Tensor[]): Guard {
  const factor = input("unscale", []);
  const unscale = (g: Tensor): Tensor => mul(g, factor);
  const finite = less(globalNorm(gradients.map(unscale)), LARGEST);
  return { unscale, keep: (next, before) => where(finite, next, before) };
}

/** The graph of an update with every parameter a tensor of its own. */
function updateByName(
  shapes: Shapes,
  optimiser: GradientTransformation,
  guard: (gradients: readonly Tensor[]) => Guard,
): UpdateGraph {
  const declare = (prefix: string, from: Readonly<Record<string, readonly number[]>>): Tensors =>
    Object.fromEntries(Object.entries(from).map(([name, shape]) => [name, input(`${prefix}.${name}`, shape)]));
  const before = declare("parameter", shapes);
  const scaled = declare("gradient", shapes);
  const { unscale, keep } = guard(Object.values(scaled));
  const grads = mapTensors(scaled, unscale);
  const state = declare("state", optimiser.init(shapes));
  const step = optimiser.update(grads, state, before);
  const parameters = Object.fromEntries(
    Object.entries(before).map(([name, p]) => [`parameter.${name}`, keep(add(p, step.updates[name] as Tensor), p)]),
  );
  const kept = mapTensors(step.state, (t, name) => keep(t, state[name] as Tensor));
  return { parameters, state: kept, report: step.report ?? {}, gradients: Object.values(grads) };
}
