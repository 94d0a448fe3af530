/**
 * @file How much memory the values of a graph take while it runs, without running it: walks through the ops in order, gives each value
 * memory, takes it back after its last reader, lets element-wise ops write over what they read last, as onnxruntime's planner does.
 */
import { type OpName, type Tensor, dimEvaluate } from "@emosllm/graph";
import { bytesPerElement } from "./host-tensor.ts";
import { LEAVES, VIEWS, uniqueOps } from "./unique-ops.ts";

/** Memory of values in bytes. */
export interface LiveBytes {
  /** The most that is held at once, inputs, weights and outputs not counted. */
  readonly peak: number;
  /** Ops that are run, equal ones once. */
  readonly ops: number;
}

/** Write where they read. */
const ELEMENTWISE: ReadonlySet<OpName> = new Set(
  "neg abs exp log sqrt reciprocal tanh sigmoid erf sin cos floor sign relu add sub mul div pow maximum minimum softmax".split(
    " ",
  ) as OpName[],
);
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
    const bytes = t.shape.reduce<number>((n, d) => n * dimEvaluate(d, sizes), bytesPerElement(t.dtype));
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
