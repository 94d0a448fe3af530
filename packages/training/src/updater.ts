/** @file The update of a training step, in place: as a program on the device, or in one pass over this process's memory on the CPU. */
import { type Tensor, add, input } from "@emosllm/graph";
import { type CompileOptions, type HostTensor, type Program, type Value, compile } from "@emosllm/runtime";
import { globalNorm } from "./optimisers.ts";
import type { TensorStore } from "./parameters.ts";
import type { Arrays, GradientTransformation, HostUpdate, Tensors } from "./transform.ts";

/** What an update says of itself. */
export interface Update {
  /** Joint norm of the gradients before clipping. */
  readonly gradNorm: number;
  /** What the schedule in the optimiser had; NaN where it has none. */
  readonly learningRate: number;
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
  options: CompileOptions,
): Promise<Updater> =>
  optimiser.host && (options.device ?? "cpu") === "cpu"
    ? hostUpdater(stores, shapes, optimiser, optimiser.host, options)
    : graphUpdater(values, shapes, optimiser, options);

/** f32 holds seven digits. */
const rateOf = (values: Readonly<Record<string, HostTensor>>, name: string): number =>
  Number(Number(values[name]?.data[0] ?? NaN).toPrecision(7));

async function hostUpdater(
  { parameters, gradients, state }: UpdatedStores,
  shapes: Shapes,
  optimiser: GradientTransformation,
  host: HostUpdate,
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
      const gradNorm = normOf(gradients.flat);
      const scalars = Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, Number(data[0])]));
      host.apply({ ...given, gradNorm, scalars });
      return { gradNorm, learningRate: rateOf(values, "learning_rate") };
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
  options: CompileOptions,
): Promise<Updater> {
  const { updateProgram, stateNames } = await compileUpdate(shapes, optimiser, options);
  return {
    async update() {
      const feeds: Record<string, Value> = {};
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
      return {
        gradNorm: Number(result["grad_norm"]?.data[0] ?? NaN),
        learningRate: rateOf(result, "report.learning_rate"),
      };
    },
    dispose: () => updateProgram.dispose(),
  };
}

async function compileUpdate(
  shapes: Shapes,
  optimiser: GradientTransformation,
  options: CompileOptions,
): Promise<{ updateProgram: Program; stateNames: readonly string[] }> {
  const declare = (prefix: string, from: Readonly<Record<string, readonly number[]>>): Tensors =>
    Object.fromEntries(Object.entries(from).map(([name, shape]) => [name, input(`${prefix}.${name}`, shape)]));
  const parameters = declare("parameter", shapes);
  const grads = declare("gradient", shapes);
  const stateShapes = optimiser.init(shapes);
  const step = optimiser.update(grads, declare("state", stateShapes), parameters);
  const named = (prefix: string, tensors: Tensors): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(tensors).map(([name, t]) => [`${prefix}.${name}`, t]));
  const next = Object.fromEntries(
    Object.entries(parameters).map(([name, p]) => [name, add(p, step.updates[name] as Tensor)]),
  );
  const updateProgram = await compile(
    {
      ...named("parameter", next),
      ...named("state", step.state),
      ...named("report", step.report ?? {}),
      grad_norm: globalNorm(Object.values(grads)),
    },
    options,
  );
  return { updateProgram, stateNames: Object.keys(stateShapes) };
}
