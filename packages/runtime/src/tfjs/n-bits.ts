/** @file Matrices of 4- and 8-bit integers in blocks, as onnxruntime's MatMulNBits has them. */
import type { OpAttributes } from "@emosllm/graph";
import type { Tf } from "./backends.ts";
import type { Value } from "./kernels.ts";

type NBits = OpAttributes["matMulNBits"];

/** data `[n, blocks, bytes]`, scales `[n, blocks]` -> f32 `[n, k]` */
export function dequantise(tf: Tf, { bits, blockSize, n, k }: NBits, [data, scales]: readonly [Value, Value]): Value {
  const blocks = Math.ceil(k / blockSize);
  let integers = data;
  if (bits === 4) {
    // Two to a byte, the low half first.
    const high = tf.floorDiv(data, tf.scalar(16, "int32"));
    const low = tf.sub(data, tf.mul(high, tf.scalar(16, "int32")));
    integers = tf.reshape(tf.stack([low, high], 3), [n, blocks, blockSize]);
  }
  const centred = tf.sub(tf.cast(integers, "float32"), 2 ** (bits - 1));
  const wide = tf.reshape(tf.mul(centred, tf.reshape(scales, [n, blocks, 1])), [n, blocks * blockSize]);
  return tf.slice(wide, [0, 0], [n, k]);
}

/** x `[..., k]` as `[rows, k]`, rounded in blocks of a row to what 8 bits hold, the largest of a block being 127. */
export function roundedRows(tf: Tf, { blockSize, k }: NBits, x: Value): Value {
  const rows = x.size / k;
  const blocks = Math.ceil(k / blockSize);
  const padded = tf.pad(tf.reshape(x, [rows, k]), [
    [0, 0],
    [0, blocks * blockSize - k],
  ]);
  const apart = tf.reshape(padded, [rows, blocks, blockSize]);
  const scale = tf.div(tf.max(tf.abs(apart), 2, true), 127);
  const safe = tf.where(tf.equal(scale, 0), tf.onesLike(scale), scale);
  const near = tf.mul(tf.round(tf.div(apart, safe)), scale);
  return tf.slice(tf.reshape(near, [rows, blocks * blockSize]), [0, 0], [rows, k]);
}
