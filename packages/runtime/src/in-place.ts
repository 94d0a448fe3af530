/**
 * @file Whether an output may be written into the memory of an input. onnxruntime does not ask: a node that reads the input
 * after the output was written gets the new values.
 */
import { type Value, isOnDevice } from "./device-tensor.ts";
import type { Node } from "./onnx/model.ts";

/** Nodes whose result is their input's memory seen differently: who reads it reads the input. */
const VIEWS: ReadonlySet<string> = new Set(["Identity", "Reshape", "Squeeze", "Unsqueeze"]);
/** Nodes that read only an input's shape. */
const SHAPE_ONLY: ReadonlySet<string> = new Set(["Shape"]);
/** Nodes that read element i of an input of the output's shape last when they write element i. */
const ELEMENTWISE: ReadonlySet<string> = new Set([
  ...VIEWS,
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Max",
  "Min",
  "Pow",
  "Where",
  "Neg",
  "Abs",
  "Exp",
  "Log",
  "Sqrt",
  "Reciprocal",
  "Tanh",
  "Sigmoid",
  "Erf",
  "Sin",
  "Cos",
  "Floor",
  "Sign",
  "Relu",
  // Not the Gelu kernels: they read the input again after a first pass over the output.
]);

/** Says why an output must not be written into an input, or undefined where it may. */
export type HazardFinder = (output: string, input: string) => string | undefined;

/**
 * Safe whatever order the nodes run in: each node that reads the input must come before the one that makes the output
 * because the output depends on it, or be that one and work element by element.
 */
export function hazardFinder(nodes: readonly Node[]): HazardFinder {
  const maker = new Map<string, number>();
  const readers = new Map<string, number[]>();
  nodes.forEach((n, i) => {
    for (const v of n.outputs) maker.set(v, i);
    for (const v of n.inputs) {
      const known = readers.get(v);
      if (known) known.push(i);
      else readers.set(v, [i]);
    }
  });
  const known = new Map<string, string | undefined>();

  /** 1 for each node that the output depends on. */
  function needed(output: string): Uint8Array {
    const marks = new Uint8Array(nodes.length);
    const stack = [`out:${output}`];
    for (let v = stack.pop(); v !== undefined; v = stack.pop()) {
      const i = maker.get(v);
      if (i === undefined || marks[i]) continue;
      marks[i] = 1;
      stack.push(...(nodes[i] as Node).inputs);
    }
    return marks;
  }

  /** The nodes that write the output's memory: its maker, and through views the maker of what it views. */
  function writers(output: string): Set<number> {
    const set = new Set<number>();
    for (let i = maker.get(`out:${output}`); i !== undefined;) {
      set.add(i);
      const n = nodes[i] as Node;
      i = VIEWS.has(n.opType) ? maker.get(n.inputs[0] as string) : undefined;
    }
    return set;
  }

  function find(output: string, input: string): string | undefined {
    const earlier = needed(output);
    const last = writers(output);
    const values = [`in:${input}`];
    for (let v = values.pop(); v !== undefined; v = values.pop())
      for (const i of readers.get(v) ?? []) {
        const { opType, inputs, outputs } = nodes[i] as Node;
        if (SHAPE_ONLY.has(opType) || (opType === "Reshape" && inputs[0] !== v)) continue;
        const name = `${opType} (node ${i})`;
        if (!earlier[i]) return `${name} may read '${input}' after '${output}' was written`;
        if (last.has(i) && !ELEMENTWISE.has(opType))
          return `${name} still reads '${input}' while it writes '${output}'`;
        if (VIEWS.has(opType)) values.push(outputs[0] as string);
      }
    return undefined;
  }
  return (output, input) => {
    const key = `${output}\n${input}`;
    if (!known.has(key)) known.set(key, find(output, input));
    return known.get(key);
  };
}

/** The bytes of a tensor in its buffer. A tensor on a device is the whole of one. */
interface Region {
  readonly name: string;
  readonly isOutput: boolean;
  readonly from: number;
  readonly to: number;
}

/** Throws RangeError for outputs that share memory with each other, or with an input that something still reads. */
export function checkSharedMemory(
  targets: readonly (readonly [string, Value])[],
  feeds: readonly (readonly [string, Value])[],
  hazard: HazardFinder,
): void {
  const byBuffer = new Map<object, Region[]>();
  for (const [name, value] of targets) {
    const { memory, from, to } = placeOf(value);
    const regions = byBuffer.get(memory) ?? [];
    byBuffer.set(memory, regions);
    if (to > from) regions.push({ name, isOutput: true, from, to });
  }
  for (const [name, value] of feeds) {
    const { memory, from, to } = placeOf(value);
    if (to > from) byBuffer.get(memory)?.push({ name, isOutput: false, from, to });
  }
  // Sorted, so that only neighbours are compared: an update has a thousand tensors in one buffer, at each step.
  for (const regions of byBuffer.values()) {
    regions.sort((p, q) => p.from - q.from);
    regions.forEach((p, at) => {
      for (let i = at + 1; i < regions.length && (regions[i] as Region).from < p.to; i++)
        checkPair(p, regions[i] as Region, hazard);
    });
  }
}

function placeOf(value: Value): { readonly memory: object; readonly from: number; readonly to: number } {
  if (isOnDevice(value)) return { memory: value.buffer, from: 0, to: 1 };
  const { buffer, byteOffset, byteLength } = value.data;
  return { memory: buffer, from: byteOffset, to: byteOffset + byteLength };
}

function checkPair(p: Region, q: Region, hazard: HazardFinder): void {
  if (!p.isOutput && !q.isOutput) return;
  if (p.isOutput && q.isOutput) throw new RangeError(`The outputs '${p.name}' and '${q.name}' share memory in 'into'.`);
  const [output, input] = p.isOutput ? [p.name, q.name] : [q.name, p.name];
  const same = p.from === q.from && p.to === q.to;
  const why = same ? hazard(output, input) : "their memory overlaps without being the same";
  if (why) throw new RangeError(`The output '${output}' cannot be written into the input '${input}': ${why}.`);
}
