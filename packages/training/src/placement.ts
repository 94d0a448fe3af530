/**
 * @file Where parameters, gradients and optimiser state lie between programs: in this process, or on a device that keeps them (then the
 * stores of this process are copies, brought up to date when they are asked for).
 */
import { type Tensor, add, input } from "@emosllm/graph";
import {
  type CompileOptions,
  type DeviceMemory,
  type HostTensor,
  type Value,
  compile,
  deviceMemory,
  keepsState,
} from "@emosllm/runtime";
import { type TensorStore, tensorStore } from "./parameters.ts";
import { flatState, partsOfFlat } from "./flat-update.ts";
import type { GradientTransformation } from "./transform.ts";
import { type UpdatedStores, type UpdatedValues, isFlat } from "./updater.ts";

type Values = Readonly<Record<string, Value>>;

/** What programs are fed and write to. */
export interface Placement {
  readonly values: UpdatedValues;
  /** Memory like the gradients', for those of another micro-batch. */
  scratch(): Promise<Values>;
  /** Adds what lies in `scratch` to the gradients. */
  addScratch(): Promise<void>;
  /** Zeros for parameters that a batch does not reach. */
  clear(which: "gradients" | "scratch", names: readonly string[]): Promise<void>;
  /** From the stores to where the values lie. */
  place(): Promise<void>;
  /** From where the values lie to the stores. */
  fetch(which: readonly (keyof UpdatedStores)[]): Promise<void>;
  dispose(): Promise<void>;
}

/** Chooses by the device of `options`. */
export const openPlacement = (
  stores: UpdatedStores,
  shapes: Shapes,
  optimiser: GradientTransformation,
  options: CompileOptions,
): Promise<Placement> =>
  keepsState(options.device)
    ? onDevice(stores, shapes, optimiser, options)
    : Promise.resolve(inProcess(stores, shapes));

type Shapes = Readonly<Record<string, readonly number[]>>;

function inProcess({ parameters, gradients, state }: UpdatedStores, shapes: Shapes): Placement {
  let spare: TensorStore | undefined;
  const scratch = (): TensorStore => (spare ??= tensorStore(shapes));
  const done = Promise.resolve();
  return {
    values: { parameters: parameters.tensors, gradients: gradients.tensors, state: state.tensors },
    scratch: async () => scratch().tensors,
    addScratch: async () => {
      const [sum, more] = [gradients.flat, scratch().flat];
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (more[i] as number);
    },
    clear: async (which, names) => {
      const { tensors } = which === "gradients" ? gradients : scratch();
      for (const name of names) tensors[name]?.data.fill(0);
    },
    place: () => done,
    fetch: () => done,
    dispose: () => done,
  };
}

async function onDevice(
  stores: UpdatedStores,
  shapes: Shapes,
  optimiser: GradientTransformation,
  options: CompileOptions,
): Promise<Placement> {
  const { device = "cpu" } = options;
  // Scalars (counters) are read by several ops and never written in place: they stay in this process.
  const stateShapes = isFlat(optimiser, options) ? flatState(shapes, optimiser) : optimiser.init(shapes);
  const large = Object.fromEntries(Object.entries(stateShapes).filter(([, s]) => s.length > 0));
  const memory = {
    parameters: await deviceMemory(shapes, device),
    gradients: await deviceMemory(shapes, device),
    state: await deviceMemory(large, device),
  };
  const scalars = Object.fromEntries(Object.entries(stores.state.tensors).filter(([, t]) => t.shape.length === 0));
  /** The same memory as `large`, in this process: a copy where parameters are one tensor. */
  const staged = tensorStore(large);
  const pieces = Object.entries(staged.tensors).map(([name, whole]) => {
    const parts = partsOfFlat(name, shapes).map((part) => stores.state.tensors[part] as HostTensor<"f32">);
    return { whole: whole.data, parts: parts.map((p) => p.data) };
  });
  let spare: Promise<DeviceMemory> | undefined;
  const scratch = (): Promise<DeviceMemory> => (spare ??= deviceMemory(shapes, device));
  const adder = lazily(() =>
    compile(
      Object.fromEntries(
        Object.entries(shapes).map(([n, s]): [string, Tensor] => [n, add(input(n, s), input(`more.${n}`, s))]),
      ),
      options,
    ),
  );
  return {
    values: {
      parameters: memory.parameters.tensors,
      gradients: memory.gradients.tensors,
      state: { ...scalars, ...memory.state.tensors },
    },
    scratch: async () => (await scratch()).tensors,
    async addScratch() {
      const more = Object.entries((await scratch()).tensors).map(([n, t]) => [`more.${n}`, t] as const);
      const sum = memory.gradients.tensors;
      await (await adder()).run({ ...sum, ...Object.fromEntries(more) }, { into: sum });
    },
    async clear(which, names) {
      if (names.length === 0) return;
      const zeros = tensorStore(Object.fromEntries(names.map((n) => [n, shapes[n] as readonly number[]])));
      await (which === "gradients" ? memory.gradients : await scratch()).write(zeros.tensors);
    },
    async place() {
      for (const { whole, parts } of pieces) {
        let at = 0;
        for (const part of parts) {
          whole.set(part, at);
          at += part.length;
        }
      }
      await memory.parameters.write(stores.parameters.tensors);
      await memory.state.write(staged.tensors);
    },
    async fetch(which) {
      for (const w of which) if (w !== "state") await memory[w].read(stores[w].tensors);
      if (!which.includes("state")) return;
      await memory.state.read(staged.tensors);
      for (const { whole, parts } of pieces) {
        let at = 0;
        for (const part of parts) {
          part.set(whole.subarray(at, at + part.length));
          at += part.length;
        }
      }
    },
    async dispose() {
      if (adder.started()) await (await adder()).dispose();
      for (const m of [...Object.values(memory), ...(spare ? [await spare] : [])]) await m.dispose();
    },
  };
}

/** Makes a value when it is first asked for. */
function lazily<T>(make: () => Promise<T>): (() => Promise<T>) & { started(): boolean } {
  let made: Promise<T> | undefined;
  return Object.assign(() => (made ??= make()), { started: () => made !== undefined });
}
