/**
 * @file WavLM's gated relative position bias (Chen et al. 2022; transformers' modeling_wavlm): a learned number per head and distance
 * bucket, taken from the first layer for all, scaled by a gate that each layer computes from what enters its attention.
 */
import {
  type Dim,
  type Tensor,
  add,
  constant,
  gather,
  maximum,
  minimum,
  mul,
  range,
  reshape,
  scalar,
  sigmoid,
  slice,
  sub,
  sum,
  transpose,
} from "@emosllm/graph";
import type { EncoderScope } from "./transformer.ts";

/** T5's buckets: one each for small distances, then logarithmically wider ones; keys after the query have the upper half. */
export function distanceBucket(distance: number, buckets: number, furthest: number): number {
  const half = Math.floor(buckets / 2);
  const exact = Math.floor(half / 2);
  const upper = distance > 0 ? half : 0;
  const d = Math.abs(distance);
  if (d < exact) return upper + d;
  // In single precision step by step, as PyTorch does.
  const f = Math.fround;
  const log = f(f(Math.log(f(d / exact))) / f(Math.log(furthest / exact)));
  const scaled = f(log * (half - exact));
  return upper + Math.min(Math.trunc(f(exact + scaled)), half - 1);
}

/** What config.json says of the buckets. */
export interface BucketSizes {
  readonly buckets: number;
  /** Distance in frames from which all share a bucket. */
  readonly furthest: number;
}

/** Gives a layer's bias `[rows, heads, frames, frames]` from what enters its attention, `[rows*frames, width]`. */
export function gatedRelativeBias(
  { tensor, linear, rows, frames, heads }: EncoderScope,
  first: string,
  { buckets, furthest }: BucketSizes,
): (at: string, x: Tensor) => Tensor {
  const table = BigInt64Array.from({ length: 2 * furthest + 1 }, (_, i) =>
    BigInt(distanceBucket(i - furthest, buckets, furthest)),
  );
  const byDistance = transpose(gather(tensor(`${first}.attention.rel_attn_embed.weight`), constant(table)));
  const distance = sub(reshape(range(frames), [1, frames]), reshape(range(frames), [frames, 1]));
  const within = maximum(minimum(distance, scalar(furthest, "i64")), scalar(-furthest, "i64"));
  const bias = reshape(gather(byDistance, add(within, scalar(furthest, "i64")), 1), [1, heads, frames, frames]);
  return (at, x) => {
    const width = (x.shape[1] as number) / heads;
    const perHead = reshape(x, [-1, width]);
    const [projected] = linear([`${at}.attention.gru_rel_pos_linear`], perHead) as [Tensor];
    const gates = sigmoid(sum(reshape(projected, [rows, frames, heads, 2, 4]), -1));
    const gate = (i: number): Tensor =>
      transpose(reshape(slice(gates, 3, i, i + 1), [rows, frames, heads, 1] as Dim[]), [0, 2, 1, 3]);
    const scale = tensor(`${at}.attention.gru_rel_pos_const`);
    return mul(add(mul(gate(0), sub(mul(gate(1), scale), 1)), 2), bias);
  };
}
