/** @file What a run of a graph has to do, without running it: arithmetic of products by kind, and the bytes that all other ops move. */
import { type Tensor, dimEvaluate, isOp } from "@emosllm/graph";
import { bytesPerElement } from "./host-tensor.ts";
import { LEAVES, VIEWS, uniqueOps } from "./unique-ops.ts";

/** Work of one run. */
export interface GraphWork {
  /** Floating-point operations of products of f32, 2 for each multiply-add; small ones count for more, as they take longer. */
  readonly f32: number;
  /** The same of products by 8-bit rows. */
  readonly int8: number;
  /** The same of products by packed blocks. */
  readonly blocks: number;
  /** Read and written by everything that is no product; more for what computes exponentials along an axis. */
  readonly bytes: number;
  /** Ops that are run, equal ones once. */
  readonly ops: number;
}

/** How much longer a product of such sides takes than its arithmetic, fitted to profiles of training steps (f32, AVX-512). */
const overhead = (m: number, n: number, k: number): number => 1 + 8 / m + 10 / n + 40 / k;
const HEAVY: ReadonlySet<string> = new Set(["softmax", "logSoftmax"]);
/** A softmax moves its bytes this much slower than a sum does. */
const HEAVY_FACTOR = 5;

/** `sizes` gives named dimensions. Throws RangeError for one that is missing. */
export function graphWork(outputs: readonly Tensor[], sizes: Readonly<Record<string, number>>): GraphWork {
  const work = { f32: 0, int8: 0, blocks: 0, bytes: 0, ops: 0 };
  const elements = (t: Tensor): number => t.shape.reduce<number>((n, d) => n * dimEvaluate(d, sizes), 1);
  const along = (t: Tensor, axis: number): number => dimEvaluate(t.shape.at(axis) as number, sizes);
  for (const { t, inputs } of uniqueOps(outputs).ops) {
    if (LEAVES.has(t.op) || VIEWS.has(t.op)) continue;
    work.ops++;
    const [a, b] = inputs as [Tensor, Tensor];
    if (isOp(t, "matmul")) {
      const k = along(a, t.attrs.transA ? -2 : -1);
      work.f32 += 2 * elements(t) * k * overhead(Math.max(1, along(t, -2)), Math.max(1, along(t, -1)), Math.max(1, k));
    } else if (isOp(t, "matMulInt8")) work.int8 += 2 * elements(t) * along(a, -1);
    else if (isOp(t, "matMulNBits")) work.blocks += 2 * elements(t) * t.attrs.k;
    // Weights are [outputs, inputs of a group, width].
    else if (isOp(t, "conv1d")) work.f32 += 2 * elements(t) * along(b, 1) * along(b, 2);
    else
      work.bytes +=
        (HEAVY.has(t.op) ? HEAVY_FACTOR : 1) *
        [t, ...inputs].reduce((n, v) => n + elements(v) * bytesPerElement(v.dtype), 0);
  }
  return work;
}
