/**
 * @file A training step as two programs: *gradients* (batch, parameters -> loss, gradients) and *update* (gradients, state ->
 * parameters and state, in place). Between them gradients may be added up over micro-batches and machines.
 */
import { type Tensor, gradients } from "@emosllm/graph";
import { type CompileOptions, type HostTensor, type Program, compile, feedsOf } from "@emosllm/runtime";
import { type TensorStore, tensorStore } from "./parameters.ts";
import type { GradientTransformation, Tensors } from "./transform.ts";
import { type Update, openUpdater } from "./updater.ts";

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
}

/** Result of one micro-batch. */
export interface MicroStep {
  readonly loss: number;
  readonly outputs: Readonly<Record<string, HostTensor>>;
}

/** Parameters, optimiser state, and the two programs. Dispose it. */
export interface Trainer {
  readonly parameters: TensorStore;
  readonly gradients: TensorStore;
  readonly state: TensorStore;
  /** Adds the batch's gradients to `gradients` (overwrites them when `first`). */
  accumulate(kind: string, feeds: Readonly<Record<string, HostTensor>>, first: boolean): Promise<MicroStep>;
  /**
   * Updates parameters and state from `gradients`; gives the joint norm of the gradients before clipping, and the learning rate that the
   * schedule in the optimiser had (NaN where it has none).
   */
  update(): Promise<Update>;
  dispose(): Promise<void>;
}

/** Compiles the update and makes zero-filled parameters and state; fill the parameters before the first step. */
export async function openTrainer({ shapes, graph, optimiser, ...compileOptions }: TrainerOptions): Promise<Trainer> {
  const parameters = tensorStore(shapes);
  const grads = tensorStore(shapes);
  let scratch: TensorStore | undefined;
  const state = tensorStore(optimiser.init(shapes));
  const stores = { parameters, gradients: grads, state };
  const updater = await openUpdater(stores, shapes, optimiser, compileOptions);
  const programs = new Map<string, Promise<Program>>();

  const gradientProgram = (kind: string): Promise<Program> => {
    let program = programs.get(kind);
    if (!program) {
      const { loss, parameters: read, outputs = {} } = graph(kind);
      const ds = gradients(loss, Object.values(read));
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
      const program = await gradientProgram(kind);
      const target = first ? grads : (scratch ??= tensorStore(shapes));
      const given = new Set(program.outputs.map((o) => o.name));
      const into: Record<string, HostTensor> = {};
      for (const [name, t] of Object.entries(target.tensors)) {
        if (given.has(`grad.${name}`)) into[`grad.${name}`] = t;
        // This kind of batch does not reach the parameter (text alone gives the projector nothing).
        else t.data.fill(0);
      }
      const { loss, ...rest } = await program.run(feedsOf(program, { ...feeds, ...parameters.tensors }), { into });
      if (!first)
        for (let i = 0; i < grads.flat.length; i++)
          grads.flat[i] = (grads.flat[i] as number) + (target.flat[i] as number);
      return {
        loss: Number((loss as HostTensor).data[0]),
        outputs: Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith("grad."))),
      };
    },
    update: () => updater.update(),
    async dispose() {
      await updater.dispose();
      for (const p of programs.values()) await (await p).dispose();
    },
  };
}
