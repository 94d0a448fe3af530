/** @file Adding up at indices, from kernels that every backend has (wasm has no segment sums). */
import type { Context, Value } from "./kernels.ts";

/** Adds `rows` `[n, width]` into zeros `[size, width]` at `indices` `[n]`; duplicates add up. */
export function scatterRows({ tf }: Context, rows: Value, indices: Value, size: number): Value {
  const [count, width] = rows.shape as [number, number];
  if (count === 0) return tf.zeros([size, width], rows.dtype as "float32");
  return tf.scatterND(tf.reshape(indices, [count, 1]) as never, rows, [size, width] as never) as Value;
}

/**
 * Positions in a flat tensor of `shape` of the elements that `indices` name along `axis`: row-major, one for each element of
 * `indices`, whose other axes are those of `shape`.
 */
export function linearIndices({ tf }: Context, indices: Value, axis: number, shape: readonly number[]): Value {
  const int = (n: number): Value => tf.scalar(n, "int32");
  let flat: Value | undefined;
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    const size = shape[i] as number;
    const own =
      i === axis
        ? tf.where(tf.less(indices, int(0)), tf.add(indices, int(size)), indices)
        : tf.reshape(
            tf.range(0, size, 1, "int32"),
            shape.map((_, j) => (j === i ? size : 1)),
          );
    const part = tf.mul(own, int(stride));
    flat = flat ? tf.add(flat, part) : part;
    stride *= size;
  }
  return tf.reshape(flat as Value, [indices.size]);
}
