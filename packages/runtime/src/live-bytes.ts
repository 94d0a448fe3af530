/**
 * @file How much memory the values of a graph take while it runs, without running it: walks through the ops in order, gives each value
 * memory, takes it back after its last reader, lets element-wise ops write over what they read last, as onnxruntime's planner does.
 */
import { type DType, type OpName, type Tensor, dimEvaluate, topologicalOrder } from "@emosllm/graph";
import { structuralKey } from "./lower.ts";

/** Memory of values in bytes. */
export interface LiveBytes {
  /** The most that is held at once, inputs, weights and outputs not counted. */
  readonly peak: number;
  /** Ops that are run, equal ones once. */
  readonly ops: number;
}

/** See their input's memory differently. */
export const VIEWS: ReadonlySet<OpName> = new Set(["reshape", "checkpoint", "after"]);
export const LEAVES: ReadonlySet<OpName> = new Set(["input", "weight", "constant"]);
/** Write where they read. */
const ELEMENTWISE: ReadonlySet<OpName> = new Set(
  "neg abs exp log sqrt reciprocal tanh sigmoid erf sin cos floor sign relu add sub mul div pow maximum minimum softmax".split(
    " ",
  ) as OpName[],
);
export const BYTES: Readonly<Record<DType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  i8: 1,
  u8: 1,
  bool: 1,
};

interface Buffer {
  readonly bytes: number;
  readers: number;
}

/** `sizes` gives named dimensions. Throws RangeError for one that is missing. */
export function liveBytes(outputs: readonly Tensor[], sizes: Readonly<Record<string, number>>): LiveBytes {
  const order = uniqueOps(outputs);
  const lasting = new Set(outputs.map((t) => order.same.get(t)));
  const readers = new Map<Tensor, number>();
  for (const { inputs } of order.ops) for (const i of new Set(inputs)) readers.set(i, (readers.get(i) ?? 0) + 1);
  const buffers = new Map<Tensor, Buffer>();
  let held = 0;
  let peak = 0;
  for (const { t, inputs } of order.ops) {
    const bytes = t.shape.reduce<number>((n, d) => n * dimEvaluate(d, sizes), BYTES[t.dtype]);
    const read = [...new Set(inputs)].flatMap((i) => buffers.get(i) ?? []);
    const own = readers.get(t) ?? 0;
    let buffer: Buffer | undefined;
    if (VIEWS.has(t.op)) buffer = buffers.get(inputs[0] as Tensor);
    else if (ELEMENTWISE.has(t.op)) buffer = read.find((b) => b.readers === 1 && b.bytes === bytes);
    if (LEAVES.has(t.op) || lasting.has(t)) buffer = { bytes: 0, readers: Infinity };
    if (!buffer) {
      buffer = { bytes, readers: 0 };
      held += bytes;
    }
    // What integer products make of their input beside it.
    const aside =
      t.op === "matMulInt8"
        ? 2 * (bytes / (t.shape.at(-1) as number)) * ((inputs[0] as Tensor).shape.at(-1) as number)
        : 0;
    peak = Math.max(peak, held + aside);
    buffer.readers += own;
    buffers.set(t, buffer);
    for (const b of read) if (--b.readers === 0 && b !== buffer) held -= b.bytes;
    if (buffer.readers === 0) held -= buffer.bytes;
  }
  return { peak, ops: order.ops.filter(({ t }) => !LEAVES.has(t.op)).length };
}

/** Ops that compute the same, once: the first of them, with the first of each input. */
export function uniqueOps(outputs: readonly Tensor[]): {
  readonly ops: readonly { readonly t: Tensor; readonly inputs: readonly Tensor[] }[];
  readonly same: ReadonlyMap<Tensor, Tensor>;
} {
  const same = new Map<Tensor, Tensor>();
  const byKey = new Map<string, Tensor>();
  const ids = new Map<Tensor, string>();
  const ops: { t: Tensor; inputs: readonly Tensor[] }[] = [];
  for (const t of topologicalOrder(outputs)) {
    const inputs = t.inputs.map((i) => same.get(i) as Tensor);
    const key = structuralKey(
      t,
      inputs.map((i) => ids.get(i) as string),
    );
    let first = byKey.get(key);
    if (!first) {
      byKey.set(key, (first = t));
      ids.set(t, String(ids.size));
      ops.push({ t, inputs });
    }
    same.set(t, first);
  }
  return { ops, same };
}
