/**
 * @file A training step as two programs: *gradients* (batch, parameters -> loss, gradients) and *update* (gradients, state ->
 * parameters and state, in place). Between them gradients may be added up over micro-batches and machines.
 */
import { type Tensor, gradients, input, mul } from "@emosllm/graph";
import {
  type CompileOptions,
  type HostTensor,
  type Program,
  type Value,
  compile,
  f32,
  feedsOf,
  keepsState,
} from "@emosllm/runtime";
import { type LossScaling, SCALE_STATE, lossScale } from "./loss-scale.ts";
import { type TensorStore, tensorStore } from "./parameters.ts";
import { openPlacement } from "./placement.ts";
import type { GradientTransformation, Tensors } from "./transform.ts";
import { type Update, type UpdatedStores, openUpdater } from "./updater.ts";

/** The graph of one kind of batch. */
export interface LossGraph {
  /** A scalar. */
  readonly loss: Tensor;
  /** The trained parameters that it reads, by name. */
  readonly parameters: Tensors;
  /** Computed along with the gradients, and given back. */
  readonly outputs?: Tensors;
}

/** What a trainer needs to start. */
export interface TrainerOptions extends CompileOptions {
  /** Shapes of everything trained, by name. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** The graph for a kind of batch; each kind is a program of its own, compiled when it is first met. */
  readonly graph: (kind: string) => LossGraph;
  readonly optimiser: GradientTransformation;
  /** For products in 16-bit floats (`precision: "f16"`). */
  readonly lossScaling?: LossScaling | undefined;
}

/** Result of one micro-batch. */
export interface MicroStep {
  readonly loss: number;
  readonly outputs: Readonly<Record<string, HostTensor>>;
}

/**
 * Parameters, optimiser state, and the two programs. Dispose it. On a device that keeps state (`webgpu`) the values lie there and the stores
 * are copies of this process: what is set in them counts from the first step on or after {@link Trainer.place}, and they are brought up to
 * date by {@link Trainer.fetch}.
 */
export interface Trainer {
  readonly parameters: TensorStore;
  readonly gradients: TensorStore;
  readonly state: TensorStore;
  /** Adds the batch's gradients to `gradients` (overwrites them when `first`); with loss scaling, times the scale. */
  accumulate(kind: string, feeds: Readonly<Record<string, HostTensor>>, first: boolean): Promise<MicroStep>;
  /**
   * Updates parameters and state from `gradients`; gives the joint norm of the gradients before clipping, and the learning rate that the
   * schedule in the optimiser had (NaN where it has none).
   */
  update(): Promise<Update>;
  /** Takes over what was changed in `parameters` and `state` since the first step. */
  place(): Promise<void>;
  /** Brings stores up to date; all when not told which. */
  fetch(...which: (keyof UpdatedStores)[]): Promise<void>;
  dispose(): Promise<void>;
}

/** Compiles the update and makes zero-filled parameters and state; fill the parameters before the first step. */
export async function openTrainer({
  shapes,
  graph,
  optimiser,
  lossScaling,
  ...compileOptions
}: TrainerOptions): Promise<Trainer> {
  const parameters = tensorStore(shapes);
  const grads = tensorStore(shapes);
  const state = tensorStore({ ...optimiser.init(shapes), ...(lossScaling ? SCALE_STATE : {}) });
  // On a device nobody looks at the gradients: the update itself leaves out those that are not finite.
  const scale = lossScaling || keepsState(compileOptions.device) ? lossScale(state, lossScaling) : undefined;
  const stores = { parameters, gradients: grads, state };
  const placement = await openPlacement(stores, shapes, optimiser, compileOptions);
  let placed: Promise<void> | undefined;
  const updater = await openUpdater(stores, placement.values, shapes, optimiser, scale, compileOptions);
  const programs = new Map<string, Promise<Program>>();

  const gradientProgram = (kind: string): Promise<Program> => {
    let program = programs.get(kind);
    if (!program) {
      const { loss, parameters: read, outputs = {} } = graph(kind);
      const ds = gradients(lossScaling ? mul(loss, input("loss_scale", [])) : loss, Object.values(read));
      const named = Object.fromEntries(Object.keys(read).map((name, i) => [`grad.${name}`, ds[i] as Tensor]));
      program = compile({ loss, ...named, ...outputs }, compileOptions);
      programs.set(kind, program);
    }
    return program;
  };

  return {
    parameters,
    gradients: grads,
    state,
    async accumulate(kind, feeds, first) {
      await (placed ??= placement.place());
      const program = await gradientProgram(kind);
      const target = first ? placement.values.gradients : await placement.scratch();
      const given = new Set(program.outputs.map((o) => o.name));
      const reached = Object.keys(target).filter((name) => given.has(`grad.${name}`));
      const into = Object.fromEntries(reached.map((name) => [`grad.${name}`, target[name] as Value]));
      // This kind of batch does not reach the others (text alone gives the projector nothing).
      const others = Object.keys(target).filter((name) => !given.has(`grad.${name}`));
      await placement.clear(first ? "gradients" : "scratch", others);
      const scaled = lossScaling ? { loss_scale: f32([scale?.value() ?? 1], []) } : {};
      const known: Record<string, Value> = { ...feeds, ...scaled, ...placement.values.parameters };
      const { loss, ...rest } = await program.run(feedsOf(program, known), { into });
      if (!first) await placement.addScratch();
      return {
        loss: Number((loss as HostTensor).data[0]),
        outputs: Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith("grad."))),
      };
    },
    async update() {
      await (placed ??= placement.place());
      return updater.update();
    },
    place: () => (placed = placement.place()),
    fetch: (...which) => placement.fetch(which.length > 0 ? which : ["parameters", "gradients", "state"]),
    async dispose() {
      await placement.dispose();
      await updater.dispose();
      for (const p of programs.values()) await (await p).dispose();
    },
  };
}
