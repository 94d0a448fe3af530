/** @file A graph run node by node on TensorFlow.js. Each value lives from the node that makes it to the last one that reads it. */
import { type Dim, type Tensor, dimEvaluate, isOp, topologicalOrder } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { inThisProcess } from "../device-tensor.ts";
import type { HostTensor } from "../host-tensor.ts";
import { type Port, collectInputs, structuralKey } from "../lower.ts";
import type { LoweredOp } from "../onnx/lowerings.ts";
import { checkFeeds, checkOutputs } from "../ports.ts";
import type { Program, RunOptions } from "../program.ts";
import type { WeightSource } from "../weight-source.ts";
import { TFJS_BACKENDS, type Tf, loadTfjs } from "./backends.ts";
import type { TfjsDevice } from "./devices.ts";
import { type Context, type Kernel, type Value, kernels } from "./kernels.ts";
import { TF_TYPES, fromTf, toTf, weightToTf } from "./values.ts";

/** Options of {@link compile}. */
export interface TfjsOptions {
  readonly device: TfjsDevice;
  /** Frozen weights by name; they are read into the backend's memory and stay there. */
  readonly weights?: ((name: string) => WeightSource | undefined) | ReadonlyMap<string, WeightSource>;
}

/** One computation of a plan: node `t`, from the places `x`, into its own place. */
interface Step {
  readonly t: Tensor;
  readonly x: readonly number[];
  /** Places that nothing reads after this step. */
  readonly free: readonly number[];
}

interface Plan {
  readonly steps: readonly Step[];
  readonly outputs: ReadonlyMap<string, number>;
}

/** The graph of some outputs without repetitions, and when each value is read last. */
function planOf(outputs: Readonly<Record<string, Tensor>>): Plan {
  const place = new Map<Tensor, number>();
  const known = new Map<string, number>();
  const nodes: { t: Tensor; x: number[] }[] = [];
  for (const t of topologicalOrder(Object.values(outputs))) {
    const x = t.inputs.map((i) => place.get(i) as number);
    const key = structuralKey(t, x.map(String));
    let at = known.get(key);
    if (at === undefined) {
      at = nodes.push({ t, x }) - 1;
      known.set(key, at);
    }
    place.set(t, at);
  }
  const wanted = new Map(Object.entries(outputs).map(([name, t]) => [name, place.get(t) as number]));
  const last = new Map<number, number>();
  nodes.forEach(({ x }, i) => {
    if (!last.has(i)) last.set(i, i);
    for (const from of x) last.set(from, i);
  });
  const kept = new Set(wanted.values());
  const free: number[][] = nodes.map(() => []);
  for (const [value, step] of last) if (!kept.has(value)) (free[step] as number[]).push(value);
  return { steps: nodes.map((n, i) => ({ ...n, free: free[i] as number[] })), outputs: wanted };
}

/** Programs of one process take turns: the backend is a setting of TensorFlow.js as a whole. */
let turn: Promise<unknown> = Promise.resolve();
const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
  const mine = turn.then(work, work);
  turn = mine.catch(() => undefined);
  return mine;
};

/**
 * Opens a graph on a backend of TensorFlow.js; what it gives is run, fed and disposed like any other program. Throws EmosllmError
 * `device_unavailable` when the backend is not installed, and what every executor throws for weights that do not fit.
 */
export async function compile(
  outputs: Readonly<Record<string, Tensor>>,
  { device, weights = () => undefined }: TfjsOptions,
): Promise<Program> {
  const { backend } = TFJS_BACKENDS[device];
  const tf = await loadTfjs(device);
  const find = typeof weights === "function" ? weights : (name: string) => weights.get(name);
  const order = topologicalOrder(Object.values(outputs));
  const port = ([name, { dtype, shape }]: [string, Tensor]): Port => ({ name, dtype, shape });
  const inputs = [...collectInputs(order)].map(port);
  const outputPorts = Object.entries(outputs).map(port);
  // What does not change from run to run.
  const frozen = new Map<string, Value>();
  await inTurn(async () => {
    await tf.setBackend(backend);
    try {
      for (const t of order)
        if (isOp(t, "weight") && !frozen.has(t.attrs.name))
          frozen.set(t.attrs.name, weightToTf(tf, t, find(t.attrs.name)));
    } catch (error) {
      for (const v of frozen.values()) v.dispose();
      throw error;
    }
  });
  const plans = new Map<string, Plan>();
  const plan = (names: readonly string[]): Plan => {
    const key = names.join("\n");
    let known = plans.get(key);
    if (!known) {
      known = planOf(Object.fromEntries(names.map((name) => [name, outputs[name] as Tensor])));
      plans.set(key, known);
    }
    return known;
  };

  let disposed: Promise<void> | undefined;
  const dispose = (): Promise<void> =>
    (disposed ??= inTurn(async () => {
      for (const v of frozen.values()) v.dispose();
      frozen.clear();
    }));
  return {
    inputs,
    outputs: outputPorts,
    nodeCount: order.length,
    run: async (values, { only, into = {} }: RunOptions = {}) => {
      if (disposed) throw new EmosllmError("runtime_failed", "The program was disposed; compile it again.");
      const [feeds, memory] = [inThisProcess(values), inThisProcess(into)];
      const bindings = checkFeeds(inputs, feeds);
      const wanted = checkOutputs(outputPorts, only, memory, bindings);
      return inTurn(async () => {
        await tf.setBackend(backend);
        const results = await execute(tf, plan(wanted.map((w) => w.port.name)), feeds, frozen, bindings);
        return Object.fromEntries(
          wanted.map(({ port: { name } }) => {
            const result = results.get(name) as HostTensor;
            const target = memory[name];
            if (target) (target.data as Uint8Array).set(result.data as Uint8Array);
            return [name, target ?? result];
          }),
        );
      });
    },
    dispose,
    [Symbol.dispose]: () => void dispose(),
  };
}

async function execute(
  tf: Tf,
  { steps, outputs }: Plan,
  feeds: Readonly<Record<string, HostTensor>>,
  frozen: ReadonlyMap<string, Value>,
  bindings: Readonly<Record<string, number>>,
): Promise<Map<string, HostTensor>> {
  const dim = (d: Dim): number => dimEvaluate(d, bindings);
  const context: Context = { tf, dim, shape: (s) => s.map(dim) };
  const values: (Value | undefined)[] = Array.from({ length: steps.length });
  const own = new Set(frozen.values());
  const release = (at: number): void => {
    const v = values[at];
    values[at] = undefined;
    if (v && !own.has(v)) v.dispose();
  };
  try {
    steps.forEach(({ t, x, free }, at) => {
      values[at] = leaf(tf, t, feeds, frozen) ?? compute(context, t, x.map((i) => values[i] as Value)); // prettier-ignore
      free.forEach(release);
    });
    const results = new Map<string, HostTensor>();
    for (const [name, at] of outputs) results.set(name, await fromTf(values[at] as Value, (steps[at] as Step).t.dtype));
    return results;
  } catch (cause) {
    if (cause instanceof EmosllmError || cause instanceof RangeError) throw cause;
    throw new EmosllmError(
      "runtime_failed",
      `The program failed while running: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  } finally {
    values.forEach((_, at) => release(at));
  }
}

function leaf(
  tf: Tf,
  t: Tensor,
  feeds: Readonly<Record<string, HostTensor>>,
  frozen: ReadonlyMap<string, Value>,
): Value | undefined {
  if (isOp(t, "input")) return toTf(tf, feeds[t.attrs.name] as HostTensor, `The input '${t.attrs.name}'`);
  if (isOp(t, "weight")) return frozen.get(t.attrs.name);
  if (isOp(t, "constant"))
    return toTf(tf, { dtype: t.dtype, shape: t.shape as number[], data: t.attrs.data as Float32Array }, "A constant");
  return undefined;
}

function compute(context: Context, t: Tensor, x: readonly Value[]): Value {
  const { tf } = context;
  const shape = context.shape(t.shape);
  // Backends differ in what they do with tensors that hold nothing.
  const empty = (v: { readonly size: number }): boolean => v.size === 0;
  if (shape.includes(0) || (x.some(empty) && OF_NOTHING.has(t.op)))
    return tf.zeros(shape, TF_TYPES[t.dtype] as "float32");
  return tf.tidy(() => {
    const y = (kernels[t.op as LoweredOp] as Kernel<never>)(context, t as never, x);
    return x.includes(y) ? tf.clone(y) : y;
  });
}

/** Ops that give zeros when they are given nothing. */
const OF_NOTHING: ReadonlySet<string> = new Set(["sum", "matmul", "scatterAdd", "scatterElementsAdd"]);
