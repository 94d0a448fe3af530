/** @file Rounding a matrix to what 8 bits hold of each row, as `matMulInt8` does on the CPU: rows of one, then one range for all. */
import type { Tf } from "./backends.ts";
import type { Value } from "./kernels.ts";

/** x `[..., k]` as `[rows, k]`: each row divided by its largest magnitude, rounded to 256 steps of the whole's range, multiplied back. */
export function roundedToRange(tf: Tf, k: number, x: Value): Value {
  const rows = tf.reshape(x, [x.size / k, k]);
  if (rows.size === 0) return rows;
  const largest = tf.maximum(tf.max(tf.abs(rows), 1, true), 2 ** -100);
  const ones = tf.div(rows, largest);
  const [low, high] = [tf.minimum(tf.min(ones), 0), tf.maximum(tf.max(ones), 0)];
  const width = tf.div(tf.sub(high, low), 255);
  const step = tf.where(tf.equal(width, 0), tf.onesLike(width), width);
  const zero = tf.round(tf.neg(tf.div(low, step)));
  const integers = tf.clipByValue(tf.add(tf.round(tf.div(ones, step)), zero), 0, 255);
  return tf.mul(tf.mul(tf.sub(integers, zero), step), largest);
}
