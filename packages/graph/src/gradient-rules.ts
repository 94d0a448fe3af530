/** @file The gradient rule of each op: from the gradient of its result to the gradients of its inputs, as more graph. */
import { type Dim, dimProduct, dimSubtract } from "./dims.ts";
import * as o from "./ops.ts";
import type { OpName } from "./op-table.ts";
import type { DType, Shape, Tensor } from "./tensor.ts";

/**
 * Gradients of the inputs (undefined: none flows there). `needs[i]` is false when nobody asks for input i, so that its part is not built.
 */
export type GradientRule<K extends OpName> = (
  y: Tensor<K>,
  dy: Tensor,
  needs: readonly boolean[],
) => readonly (Tensor | undefined)[];

/** Sums a broadcast gradient back to the shape it was broadcast from. */
export function unbroadcast(d: Tensor, shape: Shape): Tensor {
  const lead = d.shape.length - shape.length;
  const axes = d.shape.flatMap((size, i) => (i < lead || (shape[i - lead] === 1 && size !== 1) ? [i] : []));
  return axes.length === 0 ? d : o.reshape(o.sum(d, axes), shape);
}

const x = (y: Tensor, i = 0): Tensor => y.inputs[i] as Tensor;
const width = (t: Tensor): Dim => t.shape[t.shape.length - 1] as Dim;
const none: GradientRule<OpName> = () => [];
const isFloat = (t: { readonly dtype: DType }): boolean => t.dtype === "f32" || t.dtype === "f16" || t.dtype === "bf16";
const unary =
  (rule: (input: Tensor, y: Tensor, dy: Tensor) => Tensor): GradientRule<OpName> =>
  (y, dy) => [rule(x(y), y, dy)];
const broadcasting =
  (a: (p: Tensor, q: Tensor, dy: Tensor, y: Tensor) => Tensor, b: typeof a): GradientRule<OpName> =>
  (y, dy, needs) => {
    const [p, q] = [x(y, 0), x(y, 1)];
    return [
      needs[0] ? unbroadcast(a(p, q, dy, y), p.shape) : undefined,
      needs[1] ? unbroadcast(b(p, q, dy, y), q.shape) : undefined,
    ];
  };
/** Half to each side where both are equal, as PyTorch does. */
const ofExtreme = (wins: (p: Tensor, q: Tensor) => Tensor): GradientRule<OpName> => {
  const share = (p: Tensor, q: Tensor, dy: Tensor): Tensor =>
    o.where(wins(p, q), dy, o.where(o.equal(p, q), o.mul(dy, 0.5), o.scalar(0, dy.dtype)));
  return broadcasting(
    (p, q, dy) => share(p, q, dy),
    (p, q, dy) => share(q, p, dy),
  );
};

const SQRT_2 = Math.SQRT2;
const INV_SQRT_2PI = 1 / Math.sqrt(2 * Math.PI);
const TANH_SCALE = Math.sqrt(2 / Math.PI);

function geluGrad(v: Tensor, approximate: "none" | "tanh"): Tensor {
  if (approximate === "none") {
    const cdf = o.mul(o.add(o.erf(o.div(v, SQRT_2)), 1), 0.5);
    return o.add(cdf, o.mul(v, o.mul(o.exp(o.mul(o.mul(v, v), -0.5)), INV_SQRT_2PI)));
  }
  const square = o.mul(v, v);
  const t = o.tanh(o.mul(o.mul(v, o.add(o.mul(square, 0.044715), 1)), TANH_SCALE));
  const slope = o.mul(o.add(o.mul(square, 3 * 0.044715), 1), TANH_SCALE);
  return o.mul(o.add(o.add(t, 1), o.mul(v, o.mul(o.sub(1, o.mul(t, t)), slope))), 0.5);
}

/** Puts reduced axes back (size 1) so that the gradient broadcasts over them. */
function restoreAxes(d: Tensor, input: Tensor, axes: readonly number[]): Tensor {
  return o.reshape(
    d,
    input.shape.map((size, i) => (axes.includes(i) ? 1 : size)),
  );
}

/** d(x.w)/dw of a 2-D weight: the batch axes of both sides are flattened into one product. */
function flatten(t: Tensor): Tensor {
  return t.shape.length === 2 ? t : o.reshape(t, [dimProduct(t.shape.slice(0, -1)), width(t)]);
}

const narrow = (a: Tensor, b: Tensor): boolean => {
  const [m, n] = [width(a), width(b)];
  return typeof m === "number" && typeof n === "number" && m <= 128 && 4 * m <= n;
};

const matmulRule: GradientRule<"matmul"> = (y, dy, needs) => {
  const [a, b] = [x(y, 0), x(y, 1)];
  const { transA, transB, alpha } = y.attrs;
  const da = (): Tensor =>
    transA ? o.matmul(b, dy, { transA: transB, transB: true, alpha }) : o.matmul(dy, b, { transB: !transB, alpha });
  const db = (): Tensor => {
    const shared = b.shape.length === 2 && a.shape.length > 2 && !transA;
    const [p, d] = shared ? [flatten(a), flatten(dy)] : [a, dy];
    // Few rows and many columns are computed twice as fast as many rows and few columns (low-rank weights).
    if (!transA && p.shape.length === 2 && d.shape.length === 2 && narrow(transB ? p : d, transB ? d : p))
      return o.transpose(transB ? o.matmul(p, d, { transA: true, alpha }) : o.matmul(d, p, { transA: true, alpha }));
    return transB
      ? o.matmul(d, p, { transA: true, transB: transA, alpha })
      : o.matmul(p, d, { transA: !transA, alpha });
  };
  return [needs[0] ? unbroadcast(da(), a.shape) : undefined, needs[1] ? unbroadcast(db(), b.shape) : undefined];
};

/** [rows, groups*c, time] -> [c, groups*rows, time], so that a convolution sums over rows: the trick behind the weight gradient. */
function channelsAsRows(t: Tensor, groups: number): Tensor {
  const [rows, channels, time] = t.shape as [Dim, number, Dim];
  const c = channels / groups;
  return o.reshape(o.transpose(o.reshape(t, [rows, groups, c, time]), [2, 1, 0, 3]), [
    c,
    dimProduct([groups, rows]),
    time,
  ]);
}

/** [rows, groups*c, time] -> [groups*c, rows, time] */
const channelsFirst = (t: Tensor): Tensor => o.transpose(t, [1, 0, 2]);

interface ConvShape {
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
}

/** The gradient of conv1d(signal, w) in w, where `d` is the gradient of its result; shape `[out, in/groups, kernel]`. */
function convWeightGrad(
  signal: Tensor,
  d: Tensor,
  kernel: number,
  { stride, padding, dilation, groups }: ConvShape,
): Tensor {
  // Each group g: dW[o, c, k] = sum over rows and t of d[row, o, t] * signal[row, c, t*stride + k*dilation - padding].
  const raw = o.conv1d(channelsAsRows(signal, groups), channelsFirst(d), {
    stride: dilation,
    dilation: stride,
    padding,
    groups,
  });
  return o.transpose(o.slice(raw, 2, 0, kernel), [1, 0, 2]);
}

const conv1dRule: GradientRule<"conv1d"> = (y, dy, needs) => {
  const [signal, w] = [x(y, 0), x(y, 1)];
  const kernel = w.shape[2] as number;
  const { stride, padding, dilation, groups } = y.attrs;
  const plain = o.convTranspose1d(dy, w, { stride, padding, dilation, groups });
  const missing = dimSubtract(signal.shape[2] as Dim, plain.shape[2] as Dim);
  return [
    needs[0] ? o.convTranspose1d(dy, w, { stride, padding, dilation, groups, outputPadding: missing }) : undefined,
    needs[1] ? convWeightGrad(signal, dy, kernel, y.attrs) : undefined,
  ];
};

const convTranspose1dRule: GradientRule<"convTranspose1d"> = (y, dy, needs) => {
  const [signal, w] = [x(y, 0), x(y, 1)];
  return [
    // An output padding of `stride` or more would make it longer than the signal.
    needs[0] ? o.slice(o.conv1d(dy, w, y.attrs), 2, 0, signal.shape[2] as Dim) : undefined,
    needs[1] ? convWeightGrad(dy, signal, w.shape[2] as number, y.attrs) : undefined,
  ];
};

const layerNormRule: GradientRule<"layerNorm"> = (y, dy, needs) => {
  const [input, scale] = [x(y, 0), x(y, 1)];
  const { epsilon } = y.attrs;
  const statistic = (which: "mean" | "invStd"): Tensor => o.apply("layerNormStatistic", y.inputs, { epsilon, which });
  const invStd = statistic("invStd");
  const normalised = o.mul(o.sub(input, statistic("mean")), invStd);
  const g = o.mul(dy, scale);
  const centred = o.sub(
    o.sub(g, o.mean(g, -1, { keepDims: true })),
    o.mul(normalised, o.mean(o.mul(g, normalised), -1, { keepDims: true })),
  );
  return [
    needs[0] ? o.mul(centred, invStd) : undefined,
    needs[1] ? unbroadcast(o.mul(dy, normalised), scale.shape) : undefined,
    needs[2] ? unbroadcast(dy, scale.shape) : undefined,
  ];
};

const rmsNormRule: GradientRule<"rmsNorm"> = (y, dy, needs) => {
  const [input, scale] = [x(y, 0), x(y, 1)];
  const invRms = o.apply("rmsNormInvRms", y.inputs, { epsilon: y.attrs.epsilon });
  const normalised = o.mul(input, invRms);
  const g = o.mul(dy, scale);
  return [
    needs[0]
      ? o.mul(o.sub(g, o.mul(normalised, o.mean(o.mul(g, normalised), -1, { keepDims: true }))), invRms)
      : undefined,
    needs[1] ? unbroadcast(o.mul(dy, normalised), scale.shape) : undefined,
  ];
};

/** A rule that cannot be: these ops only occur inside gradients. */
const onlyInGradients: GradientRule<OpName> = (y) => {
  throw new RangeError(`${y.op}: second derivatives are not supported`);
};

/** See {@link GradientRule}. */
export const gradientRules: { readonly [K in OpName]: GradientRule<K> } = {
  input: none,
  weight: none,
  constant: none,
  range: none,
  size: none,

  neg: unary((_, __, dy) => o.neg(dy)),
  abs: unary((v, _, dy) => o.mul(dy, o.sign(v))),
  exp: unary((_, y, dy) => o.mul(dy, y)),
  log: unary((v, _, dy) => o.div(dy, v)),
  sqrt: unary((_, y, dy) => o.div(o.mul(dy, 0.5), y)),
  reciprocal: unary((_, y, dy) => o.neg(o.mul(dy, o.mul(y, y)))),
  tanh: unary((_, y, dy) => o.mul(dy, o.sub(1, o.mul(y, y)))),
  sigmoid: unary((_, y, dy) => o.mul(dy, o.mul(y, o.sub(1, y)))),
  erf: unary((v, _, dy) => o.mul(dy, o.mul(o.exp(o.neg(o.mul(v, v))), 2 / Math.sqrt(Math.PI)))),
  sin: unary((v, _, dy) => o.mul(dy, o.cos(v))),
  cos: unary((v, _, dy) => o.neg(o.mul(dy, o.sin(v)))),
  floor: none,
  sign: none,
  relu: unary((v, _, dy) => o.where(o.greater(v, 0), dy, o.scalar(0, dy.dtype))),
  silu: unary((v, y, dy) => {
    const s = o.sigmoid(v);
    return o.mul(dy, o.add(s, o.mul(y, o.sub(1, s))));
  }),
  gelu: (y, dy) => [o.mul(dy, geluGrad(x(y), y.attrs.approximate))],
  not: none,
  cast: (y, dy) => (isFloat(y) && isFloat(x(y)) ? [o.cast(dy, x(y).dtype)] : []),

  add: broadcasting(
    (_, __, dy) => dy,
    (_, __, dy) => dy,
  ),
  sub: broadcasting(
    (_, __, dy) => dy,
    (_, __, dy) => o.neg(dy),
  ),
  mul: broadcasting(
    (_, q, dy) => o.mul(dy, q),
    (p, _, dy) => o.mul(dy, p),
  ),
  div: broadcasting(
    (_, q, dy) => o.div(dy, q),
    (_, q, dy, y) => o.neg(o.div(o.mul(dy, y), q)),
  ),
  pow: broadcasting(
    // x^0 is flat, also at 0, where 0 * 0^-1 would be NaN.
    (p, q, dy) => o.mul(dy, o.where(o.equal(q, 0), 0, o.mul(q, o.pow(p, o.sub(q, 1))))),
    (p, _, dy, y) => o.mul(dy, o.where(o.equal(p, 0), 0, o.mul(y, o.log(o.where(o.equal(p, 0), 1, p))))),
  ),
  maximum: ofExtreme(o.greater),
  minimum: ofExtreme(o.less),
  equal: none,
  less: none,
  lessEqual: none,
  greater: none,
  greaterEqual: none,
  and: none,
  or: none,
  where: (y, dy, needs) => {
    const [condition, a, b] = [x(y, 0), x(y, 1), x(y, 2)];
    const zero = o.scalar(0, dy.dtype);
    return [
      undefined,
      needs[1] ? unbroadcast(o.where(condition, dy, zero), a.shape) : undefined,
      needs[2] ? unbroadcast(o.where(condition, zero, dy), b.shape) : undefined,
    ];
  },

  reshape: (y, dy) => [o.reshape(dy, x(y).shape)],
  transpose: (y, dy) => {
    const inverse = y.attrs.perm.map((_, i) => y.attrs.perm.indexOf(i));
    return [o.transpose(dy, inverse)];
  },
  expand: (y, dy) => [unbroadcast(dy, x(y).shape)],
  slice: (y, dy) => {
    const { axis, start, end, step } = y.attrs;
    const length = x(y).shape[axis] as Dim;
    if (step === 1) return [o.pad(dy, axis, start, dimSubtract(length, end))];
    const positions = o.add(o.mul(o.range(y.shape[axis] as Dim), o.scalar(step, "i64")), o.size(start));
    return [o.scatterAdd(dy, positions, axis, length)];
  },
  concat: (y, dy, needs) => {
    const sizes = y.inputs.map((t) => t.shape[y.attrs.axis] as Dim);
    return o.split(dy, y.attrs.axis, sizes).map((part, i) => (needs[i] ? part : undefined));
  },
  pad: (y, dy) => {
    const { axis, before, after } = y.attrs;
    return [o.slice(dy, axis, before, dimSubtract(y.shape[axis] as Dim, after))];
  },
  gather: (y, dy) => [o.scatterAdd(dy, x(y, 1), y.attrs.axis, x(y).shape[y.attrs.axis] as Dim)],
  scatterAdd: (y, dy) => [o.gather(dy, x(y, 1), y.attrs.axis)],
  checkpoint: (_, dy) => [dy],
  after: onlyInGradients,
  takeRows: (y, dy) => [o.takeRows(dy, x(y, 2), x(y, 1))],
  gatherElements: (y, dy) => [o.scatterElementsAdd(dy, x(y, 1), y.attrs.axis, x(y).shape[y.attrs.axis] as Dim)],
  scatterElementsAdd: (y, dy) => [o.gatherElements(dy, x(y, 1), y.attrs.axis)],

  sum: (y, dy) => [o.expand(restoreAxes(dy, x(y), y.attrs.axes), x(y).shape)],
  mean: (y, dy) => {
    const input = x(y);
    const count = o.cast(o.size(dimProduct(y.attrs.axes.map((a) => input.shape[a] as Dim))), dy.dtype);
    return [o.expand(restoreAxes(o.div(dy, count), input, y.attrs.axes), input.shape)];
  },
  max: (y, dy) => {
    const input = x(y);
    const wins = o.cast(o.equal(input, restoreAxes(y as unknown as Tensor, input, y.attrs.axes)), dy.dtype);
    const share = o.div(wins, o.sum(wins, y.attrs.axes, { keepDims: true }));
    return [o.mul(restoreAxes(dy, input, y.attrs.axes), share)];
  },
  argMax: none,
  cumSum: (y, dy) => [o.cumSum(dy, y.attrs.axis, { reverse: !y.attrs.reverse })],

  matmul: matmulRule,
  matMulNBits: (y, dy) => {
    const [, data, scales, turnedData, turnedScales] = y.inputs as [Tensor, Tensor, Tensor, Tensor?, Tensor?];
    const { n, k } = y.attrs;
    if (turnedData && turnedScales) {
      // The transpose's transpose is the matrix itself.
      const inputs = [dy, turnedData, turnedScales, data, scales];
      return [o.apply("matMulNBits", inputs, { ...y.attrs, n: k, k: n })];
    }
    return [o.matmul(dy, o.apply("dequantizeNBits", [data, scales], y.attrs))];
  },
  matMulInt8: (y, dy) => {
    const [, data, scales, turnedData, turnedScales] = y.inputs as [Tensor, Tensor, Tensor, Tensor?, Tensor?];
    const { n, k } = y.attrs;
    if (turnedData && turnedScales)
      return [o.apply("matMulInt8", [dy, turnedData, turnedScales, data, scales], { n: k, k: n })];
    const integers = o.cast(data, "f32");
    const signed = data.dtype === "u8" ? o.sub(integers, o.scalar(128)) : integers;
    return [o.matmul(o.mul(dy, scales), signed, { transB: true })];
  },
  dequantizeNBits: none,
  conv1d: conv1dRule,
  convTranspose1d: convTranspose1dRule,

  softmax: (y, dy) => [o.softmaxGrad(dy, y as unknown as Tensor, y.attrs.axis)],
  softmaxGrad: onlyInGradients,
  logSoftmax: (y, dy) => [o.sub(dy, o.mul(o.exp(y as unknown as Tensor), o.sum(dy, y.attrs.axis, { keepDims: true })))],
  softmaxCrossEntropy: (y, dy) => [o.softmaxCrossEntropyGrad(x(y, 0), x(y, 1), dy, y.attrs.ignoreIndex)],
  softmaxCrossEntropyGrad: onlyInGradients,
  layerNorm: layerNormRule,
  layerNormStatistic: onlyInGradients,
  rmsNorm: rmsNormRule,
  rmsNormInvRms: onlyInGradients,
  rotary: (y, dy) => [o.rotary(dy, x(y, 1), x(y, 2), { heads: y.attrs.heads, inverse: !y.attrs.inverse })],
};
