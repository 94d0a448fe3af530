/** @file Convolution over time as a matrix product over gathered windows: groups, dilation and any backend alike. */
import type { Context, Value } from "./kernels.ts";
import { product } from "./product.ts";
import { scatterRows } from "./scatter.ts";

interface Settings {
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
}

/** Positions `frame * stride + tap * dilation`, `[frames * taps]` with the taps innermost. */
function places({ tf }: Context, frames: number, taps: number, { stride, dilation }: Settings): Value {
  const at = Int32Array.from(
    { length: frames * taps },
    (_, i) => Math.floor(i / taps) * stride + (i % taps) * dilation,
  );
  return tf.tensor1d(at, "int32");
}

/** PyTorch's conv1d without bias: x `[rows, in, time]`, w `[out, in/groups, taps]`. */
export function convolve(c: Context, x: Value, w: Value, settings: Settings): Value {
  const { tf } = c;
  const { stride, padding, dilation, groups } = settings;
  const [rows, channels] = x.shape as [number, number, number];
  const [out, perGroup, taps] = w.shape as [number, number, number];
  const padded = padding > 0 ? tf.pad(x, [[0, 0], [0, 0], [padding, padding]]) : x; // prettier-ignore
  const frames = Math.floor(((padded.shape[2] as number) - (taps - 1) * dilation - 1) / stride) + 1;
  const windows = tf.gather(padded, places(c, frames, taps, settings) as never, 2);
  const columns = tf.reshape(
    tf.transpose(tf.reshape(windows, [rows * groups, channels / groups, frames, taps]), [0, 1, 3, 2]),
    [rows, groups, perGroup * taps, frames],
  );
  const weights = tf.reshape(w, [1, groups, out / groups, perGroup * taps]);
  return tf.reshape(product(c, weights, columns), [rows, out, frames]);
}

/** PyTorch's conv_transpose1d without bias: x `[rows, in, time]`, w `[in, out/groups, taps]`, result of `length` steps. */
export function convolveTransposed(
  c: Context,
  x: Value,
  w: Value,
  settings: Settings & { readonly length: number },
): Value {
  const { tf } = c;
  const { stride, padding, dilation, groups, length } = settings;
  const [rows, channels, time] = x.shape as [number, number, number];
  const [, perGroup, taps] = w.shape as [number, number, number];
  const full = (time - 1) * stride + (taps - 1) * dilation + 1;
  const weights = tf.reshape(w, [1, groups, channels / groups, perGroup * taps]);
  // [rows, groups, perGroup * taps, time]: what each input step adds to each tap.
  const parts = product(c, weights, tf.reshape(x, [rows, groups, channels / groups, time]), true);
  const updates = tf.reshape(tf.transpose(tf.reshape(parts, [rows * groups * perGroup, taps, time]), [2, 1, 0]), [
    time * taps,
    rows * groups * perGroup,
  ]);
  const sum = tf.transpose(scatterRows(c, updates, places(c, time, taps, settings), full));
  const reach = Math.max(full, padding + length);
  const longer = reach > full ? tf.pad(sum, [[0, 0], [0, reach - full]]) : sum; // prettier-ignore
  return tf.reshape(tf.slice(longer, [0, padding], [longer.shape[0] as number, length]), [
    rows,
    groups * perGroup,
    length,
  ]);
}
