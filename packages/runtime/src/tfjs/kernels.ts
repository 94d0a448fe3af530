/** @file How each op is computed with TensorFlow.js. The table is typed by the op union: an op without a kernel does not compile. */
import type { Dim, OpName, Shape, Tensor } from "@emosllm/graph";
import type { Tensor as TfTensor } from "@tensorflow/tfjs-core";
import type { LoweredOp } from "../onnx/lowerings.ts";
import type { Tf } from "./backends.ts";
import { convolve, convolveTransposed } from "./convolution.ts";
import { roundedToRange } from "./int8-rows.ts";
import { dequantise, roundedRows } from "./n-bits.ts";
import { product } from "./product.ts";
import { linearIndices, scatterRows } from "./scatter.ts";

/** A value of TensorFlow.js: `float32` for floats, `int32` for whole numbers, `bool`. */
export type Value = TfTensor;

/** What a kernel may use. */
export interface Context {
  readonly tf: Tf;
  /** The number that a dimension stands for in this run. */
  readonly dim: (d: Dim) => number;
  readonly shape: (s: Shape) => number[];
}

/** Computes `t` from the values of its inputs; runs in a `tidy`, so what it leaves behind is disposed. */
export type Kernel<K extends OpName> = (c: Context, t: Tensor<K>, x: readonly Value[]) => Value;

type Unary = (tf: Tf, x: Value) => Value;
type Binary = (tf: Tf, a: Value, b: Value) => Value;
const one =
  (f: Unary): Kernel<OpName> =>
  ({ tf }, _, [x]) =>
    f(tf, x as Value);
const two =
  (f: Binary): Kernel<OpName> =>
  ({ tf }, _, [a, b]) =>
    f(tf, a as Value, b as Value);

const isInt = (x: Value): boolean => x.dtype === "int32";
const axesOf = (t: Tensor<"sum" | "mean" | "max">): number[] => [...t.attrs.axes];

/** `f` along the last axis, wherever the axis is. */
function alongLast({ tf }: Context, x: Value, axis: number, f: (x: Value) => Value): Value {
  const last = x.shape.length - 1;
  if (axis === last) return f(x);
  const swap = [...x.shape.keys()].map((i) => (i === axis ? last : i === last ? axis : i));
  return tf.transpose(f(tf.transpose(x, swap)), swap);
}

const softmaxOf = (tf: Tf, x: Value): Value => {
  const e = tf.exp(tf.sub(x, tf.max(x, -1, true)));
  return tf.div(e, tf.sum(e, -1, true));
};
const logSoftmaxOf = (tf: Tf, x: Value): Value => {
  const shifted = tf.sub(x, tf.max(x, -1, true));
  return tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), -1, true)));
};

/** One element of each row, `[n, classes]` at `[n]` -> `[n]`. */
const pick = (tf: Tf, x: Value, index: Value): Value => {
  const [rows, width] = x.shape as [number, number];
  const flat = tf.add(tf.mul(tf.range(0, rows, 1, "int32"), tf.scalar(width, "int32")), index);
  return tf.gather(tf.reshape(x, [rows * width]), flat as never);
};

const moments = (tf: Tf, x: Value, epsilon: number): { centred: Value; mean: Value; invStd: Value } => {
  const mean = tf.mean(x, -1, true);
  const centred = tf.sub(x, mean);
  return { centred, mean, invStd: tf.rsqrt(tf.add(tf.mean(tf.mul(centred, centred), -1, true), epsilon)) };
};
const invRms = (tf: Tf, x: Value, epsilon: number): Value => tf.rsqrt(tf.add(tf.mean(tf.mul(x, x), -1, true), epsilon));

/** Division of whole numbers towards zero, as ONNX and C have it. */
const divide: Binary = (tf, a, b) => {
  if (!isInt(a)) return tf.div(a, b);
  const size = tf.floorDiv(absolute(tf, a), absolute(tf, b));
  return tf.mul(tf.mul(signOf(tf, a), signOf(tf, b)), size);
};
const negative: Unary = (tf, x) => (isInt(x) ? tf.mul(x, tf.scalar(-1, "int32")) : tf.neg(x));
const absolute: Unary = (tf, x) => (isInt(x) ? tf.maximum(x, negative(tf, x)) : tf.abs(x));
const signOf: Unary = (tf, x) =>
  isInt(x)
    ? tf.sub(
        tf.cast(tf.greater(x, tf.scalar(0, "int32")), "int32"),
        tf.cast(tf.less(x, tf.scalar(0, "int32")), "int32"),
      )
    : tf.sign(x);

/** Booleans are compared, padded and added up as whole numbers. */
const asNumber = (tf: Tf, x: Value): Value => (x.dtype === "bool" ? tf.cast(x, "int32") : x);

/** Indices from the end, as ONNX takes them, counted from the start. */
const fromStart = (tf: Tf, indices: Value, size: number): Value =>
  tf.where(tf.less(indices, tf.scalar(0, "int32")), tf.add(indices, tf.scalar(size, "int32")), indices);

const reduceMean: Kernel<"mean"> = ({ tf }, t, [x]) => tf.mean(x as Value, axesOf(t), t.attrs.keepDims);

/** See {@link Kernel}. */
export const kernels: { readonly [K in LoweredOp]: Kernel<K> } = {
  range: ({ tf, dim }, t) => tf.range(0, dim(t.attrs.size), 1, "int32"),
  size: ({ tf, dim }, t) => tf.scalar(dim(t.attrs.dim), "int32"),

  neg: one(negative),
  abs: one(absolute),
  exp: one((tf, x) => tf.exp(x)),
  log: one((tf, x) => tf.log(x)),
  sqrt: one((tf, x) => tf.sqrt(x)),
  reciprocal: one((tf, x) => tf.div(tf.scalar(1), x)),
  tanh: one((tf, x) => tf.tanh(x)),
  sigmoid: one((tf, x) => tf.sigmoid(x)),
  erf: one((tf, x) => tf.erf(x)),
  sin: one((tf, x) => tf.sin(x)),
  cos: one((tf, x) => tf.cos(x)),
  floor: one((tf, x) => tf.floor(x)),
  sign: one(signOf),
  relu: one((tf, x) => tf.maximum(x, tf.scalar(0, isInt(x) ? "int32" : "float32"))),
  silu: one((tf, x) => tf.mul(x, tf.sigmoid(x))),
  gelu: ({ tf }, t, [value]) => {
    const x = value as Value;
    const inner =
      t.attrs.approximate === "tanh"
        ? tf.tanh(tf.mul(tf.add(x, tf.mul(0.044715, tf.mul(x, tf.mul(x, x)))), Math.sqrt(2 / Math.PI)))
        : tf.erf(tf.mul(x, Math.SQRT1_2));
    return tf.mul(tf.mul(x, 0.5), tf.add(inner, 1));
  },
  not: one((tf, x) => tf.logicalNot(x)),
  cast: ({ tf }, t, [value]) => {
    const x = value as Value;
    if (t.dtype === "bool") return tf.notEqual(x, tf.scalar(0, x.dtype as "float32"));
    return tf.cast(x, t.dtype === "f32" || t.dtype === "f16" ? "float32" : "int32");
  },

  add: two((tf, a, b) => tf.add(a, b)),
  sub: two((tf, a, b) => tf.sub(a, b)),
  mul: two((tf, a, b) => tf.mul(a, b)),
  div: two(divide),
  pow: two((tf, a, b) => tf.pow(a, b)),
  maximum: two((tf, a, b) => tf.maximum(a, b)),
  minimum: two((tf, a, b) => tf.minimum(a, b)),
  equal: two((tf, a, b) => tf.equal(asNumber(tf, a), asNumber(tf, b))),
  less: two((tf, a, b) => tf.less(a, b)),
  lessEqual: two((tf, a, b) => tf.lessEqual(a, b)),
  greater: two((tf, a, b) => tf.greater(a, b)),
  greaterEqual: two((tf, a, b) => tf.greaterEqual(a, b)),
  and: two((tf, a, b) => tf.logicalAnd(a, b)),
  or: two((tf, a, b) => tf.logicalOr(a, b)),
  where: ({ tf, shape }, t, x) => {
    // Not every backend broadcasts here.
    const [condition, a, b] = x.map((v) => tf.broadcastTo(v, shape(t.shape))) as [Value, Value, Value];
    return tf.where(condition, a, b);
  },

  reshape: ({ tf, shape }, t, [x]) => tf.reshape(x as Value, shape(t.shape)),
  transpose: ({ tf }, t, [x]) => tf.transpose(x as Value, [...t.attrs.perm]),
  expand: ({ tf, shape }, t, [x]) => tf.broadcastTo(x as Value, shape(t.shape)),
  slice: ({ tf, dim }, t, [value]) => {
    const x = value as Value;
    const { axis, start, step } = t.attrs;
    const begin = x.shape.map((_, i) => (i === axis ? dim(start) : 0));
    const end = x.shape.map((size, i) => (i === axis ? Math.min(dim(t.attrs.end), size) : size));
    if (step > 1)
      return tf.stridedSlice(
        x,
        begin,
        end,
        x.shape.map((_, i) => (i === axis ? step : 1)),
      );
    return tf.slice(
      x,
      begin,
      end.map((e, i) => e - (begin[i] as number)),
    );
  },
  concat: ({ tf }, t, x) => {
    const parts = x.filter((v) => v.size > 0);
    return parts.length === 1 ? tf.clone(parts[0] as Value) : tf.concat(parts, t.attrs.axis);
  },
  pad: ({ tf, dim, shape }, t, [value]) => {
    const x = asNumber(tf, value as Value);
    const { axis, before, after, value: fill } = t.attrs;
    if (x.size === 0) return tf.fill(shape(t.shape), fill, x.dtype as "int32");
    const widths = x.shape.map((_, i): [number, number] => (i === axis ? [dim(before), dim(after)] : [0, 0]));
    const padded = tf.pad(x, widths, fill);
    return t.dtype === "bool" ? tf.cast(padded, "bool") : padded;
  },
  gather: ({ tf }, t, [x, indices]) => {
    const { axis } = t.attrs;
    const source = x as Value;
    return tf.gather(source, fromStart(tf, indices as Value, source.shape[axis] as number) as never, axis);
  },
  checkpoint: (_, __, [x]) => (x as Value).clone(),
  after: (_, __, [x]) => (x as Value).clone(),
  takeRows: ({ tf }, _, [x, indices]) => tf.gather(x as Value, indices as never, 0),
  scatterAdd: (c, t, [updates, indices]) => {
    const { tf, dim, shape } = c;
    const { axis } = t.attrs;
    const u = updates as Value;
    const depth = (indices as Value).shape.length;
    // The index axes first, as one.
    const order = [...u.shape.keys()];
    const [lead, at, trail] = [order.slice(0, axis), order.slice(axis, axis + depth), order.slice(axis + depth)];
    const count = (indices as Value).size;
    const rows = tf.reshape(tf.transpose(u, [...at, ...lead, ...trail]), [count, count === 0 ? 0 : u.size / count]);
    const sum = scatterRows(c, rows, tf.reshape(indices as Value, [count]), dim(t.attrs.size));
    const outer = lead.map((i) => u.shape[i] as number);
    const inner = trail.map((i) => u.shape[i] as number);
    const back = [...lead.map((_, i) => i + 1), 0, ...trail.map((_, i) => i + 1 + lead.length)];
    return tf.reshape(tf.transpose(tf.reshape(sum, [dim(t.attrs.size), ...outer, ...inner]), back), shape(t.shape));
  },
  gatherElements: (c, t, [value, indices]) => {
    const x = value as Value;
    const { tf, shape } = c;
    const flat = linearIndices(c, indices as Value, t.attrs.axis, x.shape);
    return tf.reshape(tf.gather(tf.reshape(x, [x.size]), flat as never), shape(t.shape));
  },
  scatterElementsAdd: (c, t, [updates, indices]) => {
    const { tf, shape } = c;
    const target = shape(t.shape);
    const size = target.reduce((p, d) => p * d, 1);
    const u = updates as Value;
    const flat = linearIndices(c, indices as Value, t.attrs.axis, target);
    return tf.reshape(scatterRows(c, tf.reshape(u, [u.size, 1]), flat, size), target);
  },

  sum: ({ tf }, t, [x]) => tf.sum(x as Value, axesOf(t), t.attrs.keepDims),
  mean: reduceMean,
  max: ({ tf }, t, [x]) => tf.max(x as Value, axesOf(t), t.attrs.keepDims),
  argMax: ({ tf, shape }, t, [x]) => tf.reshape(tf.argMax(x as Value, t.attrs.axis), shape(t.shape)),
  cumSum: ({ tf }, t, [x]) => tf.cumsum(x as Value, t.attrs.axis, false, t.attrs.reverse),

  matmul: (c, t, [a, b]) => {
    const { transA, transB, alpha } = t.attrs;
    const y = product(c, a as Value, b as Value, transA, transB);
    return alpha === 1 ? y : c.tf.mul(y, alpha);
  },
  matMulNBits: (c, t, [x, data, scales]) => {
    const rows = roundedRows(c.tf, t.attrs, x as Value);
    const w = dequantise(c.tf, t.attrs, [data as Value, scales as Value]);
    return c.tf.reshape(c.tf.matMul(rows as never, w as never, false, true), c.shape(t.shape));
  },
  matMulInt8: (c, t, [x, data, scales]) => {
    const rows = roundedToRange(c.tf, t.attrs.k, x as Value);
    const integers = c.tf.cast(data as Value, "float32");
    const signed = t.inputs[1]?.dtype === "u8" ? c.tf.sub(integers, 128) : integers;
    const y = c.tf.matMul(rows as never, signed as never);
    return c.tf.reshape(c.tf.mul(y, scales as Value), c.shape(t.shape));
  },
  dequantizeNBits: ({ tf }, t, x) => dequantise(tf, t.attrs, x as [Value, Value]),
  conv1d: (c, t, [x, w]) => convolve(c, x as Value, w as Value, t.attrs),
  convTranspose1d: (c, t, [x, w]) =>
    convolveTransposed(c, x as Value, w as Value, { ...t.attrs, length: c.dim(t.shape[2] as Dim) }),

  softmax: (c, t, [x]) => alongLast(c, x as Value, t.attrs.axis, (v) => softmaxOf(c.tf, v)),
  softmaxGrad: ({ tf }, t, [dy, y]) => {
    const weighted = tf.mul(dy as Value, y as Value);
    return tf.sub(weighted, tf.mul(y as Value, tf.sum(weighted, t.attrs.axis, true)));
  },
  logSoftmax: (c, t, [x]) => alongLast(c, x as Value, t.attrs.axis, (v) => logSoftmaxOf(c.tf, v)),
  softmaxCrossEntropy: ({ tf }, t, [logits, targets]) => {
    const ignored = tf.equal(targets as Value, tf.scalar(t.attrs.ignoreIndex, "int32"));
    const target = tf.where(ignored, tf.zerosLike(targets as Value), targets as Value);
    const loss = tf.neg(pick(tf, logSoftmaxOf(tf, logits as Value), target));
    return tf.where(ignored, tf.zerosLike(loss), loss);
  },
  softmaxCrossEntropyGrad: ({ tf }, t, [logits, targets, dLoss]) => {
    const ignored = tf.equal(targets as Value, tf.scalar(t.attrs.ignoreIndex, "int32"));
    const probabilities = softmaxOf(tf, logits as Value);
    const classes = (logits as Value).shape[1] as number;
    const isTarget = tf.equal(tf.expandDims(targets as Value, 1), tf.expandDims(tf.range(0, classes, 1, "int32"), 0));
    const factor = tf.where(ignored, tf.zerosLike(dLoss as Value), dLoss as Value);
    return tf.mul(tf.sub(probabilities, tf.cast(isTarget, "float32")), tf.expandDims(factor, 1));
  },
  layerNorm: ({ tf }, t, [x, scale, shift]) => {
    const { centred, invStd } = moments(tf, x as Value, t.attrs.epsilon);
    return tf.add(tf.mul(tf.mul(centred, invStd), scale as Value), shift as Value);
  },
  layerNormStatistic: ({ tf }, t, [x]) =>
    moments(tf, x as Value, t.attrs.epsilon)[t.attrs.which === "mean" ? "mean" : "invStd"],
  rmsNorm: ({ tf }, t, [x, scale]) =>
    tf.mul(tf.mul(x as Value, invRms(tf, x as Value, t.attrs.epsilon)), scale as Value),
  rmsNormInvRms: ({ tf }, t, [x]) => invRms(tf, x as Value, t.attrs.epsilon),
  rotary: ({ tf }, t, [x, cosine, sine]) => {
    const [tokens, width] = (x as Value).shape as [number, number];
    const { heads, inverse } = t.attrs;
    const half = width / heads / 2;
    const [a, b] = tf.split(tf.reshape(x as Value, [tokens, heads, 2 * half]), 2, 2) as [Value, Value];
    const cos = tf.expandDims(cosine as Value, 1);
    const sin = tf.expandDims(inverse ? tf.neg(sine as Value) : (sine as Value), 1);
    const turned = [tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(b, cos), tf.mul(a, sin))];
    return tf.reshape(tf.concat(turned, 2), [tokens, width]);
  },
};
