/** @file Matrix products whose batch axes broadcast. */
import type { Context, Value } from "./kernels.ts";

/** a @ b over the last two axes, either side read transposed. TensorFlow.js 4.22 takes the wrong batches where both sides broadcast, so there they are written out. */
export function product({ tf }: Context, a: Value, b: Value, transA = false, transB = false): Value {
  const [outerA, outerB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const count = (outer: readonly number[]): number => outer.reduce((p, d) => p * d, 1);
  if (outerA.join() === outerB.join() || count(outerA) === 1 || count(outerB) === 1)
    return tf.matMul(a, b, transA, transB);
  const outer = tf.backend_util.assertAndGetBroadcastShape(outerA, outerB);
  const wide = (x: Value): Value => tf.broadcastTo(x, [...outer, ...x.shape.slice(-2)]);
  return tf.matMul(wide(a), wide(b), transA, transB);
}
