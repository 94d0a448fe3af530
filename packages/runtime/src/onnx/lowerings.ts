/** @file How each op becomes ONNX nodes on the CPU. The table is typed by the op union: an op without a lowering does not compile. */
import { type DType, type Dim, type OpAttributes, type OpName, type Shape, type Tensor, dimAdd } from "@emosllm/graph";
import type { Builder } from "./builder.ts";
import { ONNX_DTYPES } from "./model.ts";

/** Leaves are handled by the compiler itself. */
export type LoweredOp = Exclude<OpName, "input" | "weight" | "constant">;
/** Adds nodes for `t`, whose inputs are the values `x`, and returns the value of the result. */
export type Lowering<K extends OpName> = (b: Builder, t: Tensor<K>, x: readonly string[]) => string;

/** The only output of most nodes. */
export const first = (names: readonly string[]): string => names[0] as string;
const plain =
  (opType: string): Lowering<LoweredOp> =>
  (b, _, x) =>
    first(b.node(opType, x));

const reduce =
  (opType: string): Lowering<"sum" | "mean" | "max"> =>
  (b, t, x) =>
    first(b.node(opType, [first(x), b.ints(t.attrs.axes)], { keepdims: Number(t.attrs.keepDims) }));

const rank = (t: Tensor): number => t.shape.length;
const source = (t: Tensor<OpName>, i = 0): Tensor => t.inputs[i] as Tensor;

const conv = (opType: string, t: Tensor<"conv1d" | "convTranspose1d">): Record<string, number | number[]> => {
  const { stride, padding, dilation, groups } = t.attrs;
  return {
    strides: [stride],
    pads: opType === "full" ? [0, 0] : [padding, padding],
    dilations: [dilation],
    group: groups,
  };
};

/** Brings indices `[i...]` to the updates' shape, flattens the index axes into one, and adds serially: ScatterND races when it adds. */
const scatterAdd: Lowering<"scatterAdd"> = (b, t, x) => {
  const { axis, size } = t.attrs;
  const updates = source(t, 0);
  const indices = source(t, 1);
  const lead = updates.shape.slice(0, axis);
  const trail = updates.shape.slice(axis + rank(indices));
  const oneAxis = rank(indices) === 1;
  const flat = oneAxis
    ? (x[0] as string)
    : first(b.node("Reshape", [x[0] as string, b.shape([...lead, -1, ...trail])]));
  const indexColumn = first(
    b.node("Reshape", [x[1] as string, b.ints([...lead.map(() => 1), -1, ...trail.map(() => 1)])]),
  );
  const wide = first(
    b.node("Expand", [indexColumn, oneAxis ? b.shape(updates.shape) : first(b.node("Shape", [flat]))]),
  );
  return scatterElements(b, [...lead, size, ...trail], t.dtype, wide, flat, axis);
};

function zeros(b: Builder, shape: readonly Dim[], dtype: DType): string {
  return first(b.node("Expand", [b.scalar(0, dtype), b.shape(shape)]));
}

/** Adds elements into zeros of `shape`; in f32, since onnxruntime has no f16 kernel for it. */
function scatterElements(
  b: Builder,
  shape: Shape,
  dtype: DType,
  indices: string,
  updates: string,
  axis: number,
): string {
  const half = dtype === "f16";
  const wide = half ? first(b.node("Cast", [updates], { to: ONNX_DTYPES.f32 })) : updates;
  const target = zeros(b, shape, half ? "f32" : dtype);
  const added = first(b.node("ScatterElements", [target, indices, wide], { axis, reduction: "add" }));
  return half ? first(b.node("Cast", [added], { to: ONNX_DTYPES.f16 })) : added;
}

/** Log probabilities along an axis. */
type LogSoftmax = (b: Builder, x: string, axis: number) => string;

/**
 * Cross entropy and its gradient share the log probabilities, which rows are ignored, and a class a row as a column (0 where
 * ignored). (onnxruntime has no kernel for SoftmaxCrossEntropyLoss; what it puts in its place fails on no rows.)
 */
export function crossEntropyLowerings(
  logSoftmax: LogSoftmax,
): Pick<LoweringTable, "softmaxCrossEntropy" | "softmaxCrossEntropyGrad"> {
  const parts = (b: Builder, x: readonly string[], ignoreIndex: number): [string, string, string] =>
    b.shared(`crossEntropy ${x[0]} ${x[1]} ${ignoreIndex}`, () => {
      const ignored = first(b.node("Equal", [x[1] as string, b.scalar(ignoreIndex, "i64")]));
      const target = first(b.node("Where", [ignored, b.scalar(0, "i64"), x[1] as string]));
      return [logSoftmax(b, x[0] as string, 1), ignored, column(b, target)];
    }) as [string, string, string];
  return {
    softmaxCrossEntropy: (b, t, x) => {
      const [logProbabilities, ignored, target] = parts(b, x, t.attrs.ignoreIndex);
      const picked = first(b.node("GatherElements", [logProbabilities, target], { axis: 1 }));
      const loss = first(b.node("Neg", [first(b.node("Squeeze", [picked, b.ints([1])]))]));
      return first(b.node("Where", [ignored, b.scalar(0, t.dtype), loss]));
    },
    softmaxCrossEntropyGrad: (b, t, x) => {
      const [logProbabilities, ignored, target] = parts(b, x, t.attrs.ignoreIndex);
      const probabilities = first(b.node("Exp", [logProbabilities]));
      const minusOne = first(b.node("Expand", [b.scalar(-1, "f32"), first(b.node("Shape", [target]))]));
      const difference = first(
        b.node("ScatterElements", [probabilities, target, minusOne], { axis: 1, reduction: "add" }),
      );
      const factor = column(b, first(b.node("Where", [ignored, b.scalar(0, "f32"), x[2] as string])));
      return first(b.node("Mul", [difference, factor]));
    },
  };
}
const column = (b: Builder, value: string): string => first(b.node("Unsqueeze", [value, b.ints([1])]));

const layerNorm = (b: Builder, x: readonly string[], epsilon: number): string[] =>
  b.shared(`layerNorm ${x.join(" ")} ${epsilon}`, () =>
    b.node("LayerNormalization", x, { axis: -1, epsilon: { float: epsilon } }, 3),
  );
const rmsNorm = (b: Builder, x: readonly string[], epsilon: number): string[] =>
  b.shared(`rmsNorm ${x.join(" ")} ${epsilon}`, () =>
    b.node("SimplifiedLayerNormalization", x, { axis: -1, epsilon: { float: epsilon }, stash_type: 1 }, 2),
  );

/** Each row divided by its largest magnitude, and these: `[..., 1]`. Products that share an input share them. */
const rowsOfOne = (b: Builder, x: string): [string, string] =>
  b.shared(`rowsOfOne ${x}`, () => {
    // Both ends of the range read x and write next to nothing; magnitudes would be written out first.
    const [top, bottom] = ["ReduceMax", "ReduceMin"].map((end) =>
      first(b.node(end, [x, b.ints([-1])], { keepdims: 1 })),
    ) as [string, string];
    // A row of zeros stays one.
    const safe = first(b.node("Max", [top, first(b.node("Neg", [bottom])), b.scalar(2 ** -100, "f32")]));
    return [first(b.node("Div", [x, safe])), safe];
  }) as [string, string];

/** The kernels that are fast: one scale a row for 8 bits, a gather of all rows for 4 (the other way round they take three times as long). */
function dequantise(
  b: Builder,
  { bits, blockSize, n, k }: OpAttributes["dequantizeNBits"],
  [data, scales]: readonly [string, string],
): string {
  const blocks = Math.ceil(k / blockSize);
  if (bits === 4) return dequantiseByGather(b, { bits, blockSize, n, k }, [data, scales]);
  const rows = first(b.node("Reshape", [data, b.ints([n * blocks, blockSize])]));
  const scale = first(b.node("Reshape", [scales, b.ints([-1])]));
  const zero = first(b.node("Expand", [b.scalar(128, "u8"), b.ints([n * blocks])]));
  const values = first(b.node("DequantizeLinear", [rows, scale, zero], { axis: 0 }));
  return withoutFilling(b, first(b.node("Reshape", [values, b.ints([n, blocks * blockSize])])), blocks * blockSize, k);
}

/** Every row gathered. */
export function dequantiseByGather(
  b: Builder,
  { bits, blockSize, n, k }: OpAttributes["dequantizeNBits"],
  [data, scales]: readonly [string, string],
): string {
  const width = Math.ceil(k / blockSize) * blockSize;
  const rows = first(b.node("Reshape", [data, b.ints([n, (width * bits) / 8])]));
  const all = first(
    b.node(
      "Range",
      [0, n, 1].map((v) => b.scalar(v, "i64")),
    ),
  );
  const attributes = { bits, block_size: blockSize, gather_axis: 0, quantize_axis: 1 };
  return withoutFilling(b, first(b.contrib("GatherBlockQuantized", [rows, all, scales], attributes)), width, k);
}

/** The last block is as long as the others. */
const withoutFilling = (b: Builder, wide: string, width: number, k: number): string =>
  width === k ? wide : first(b.node("Slice", [wide, b.ints([0]), b.ints([k]), b.ints([1])]));

/** A lowering for every op. */
export type LoweringTable = { readonly [K in LoweredOp]: Lowering<K> };

/** The CPU's. */
export const lowerings: LoweringTable = {
  range: (b, t) => first(b.node("Range", [b.scalar(0, "i64"), scalarDim(b, t.attrs.size), b.scalar(1, "i64")])),
  size: (b, t) => scalarDim(b, t.attrs.dim),

  neg: plain("Neg"),
  abs: plain("Abs"),
  exp: plain("Exp"),
  log: plain("Log"),
  sqrt: plain("Sqrt"),
  reciprocal: plain("Reciprocal"),
  tanh: plain("Tanh"),
  sigmoid: plain("Sigmoid"),
  erf: plain("Erf"),
  sin: plain("Sin"),
  cos: plain("Cos"),
  floor: plain("Floor"),
  sign: plain("Sign"),
  relu: plain("Relu"),
  silu: (b, _, x) => first(b.contrib("QuickGelu", x, { alpha: { float: 1 } })),
  gelu: (b, t, x) => first(b.contrib(t.attrs.approximate === "tanh" ? "FastGelu" : "Gelu", x)),
  not: plain("Not"),
  cast: (b, t, x) => first(b.node("Cast", x, { to: ONNX_DTYPES[t.attrs.to] })),

  add: plain("Add"),
  sub: plain("Sub"),
  mul: plain("Mul"),
  div: plain("Div"),
  pow: plain("Pow"),
  maximum: plain("Max"),
  minimum: plain("Min"),
  equal: plain("Equal"),
  less: plain("Less"),
  lessEqual: plain("LessOrEqual"),
  greater: plain("Greater"),
  greaterEqual: plain("GreaterOrEqual"),
  and: plain("And"),
  or: plain("Or"),
  where: plain("Where"),

  reshape: (b, t, x) => {
    const shape = openDim(t.attrs.shape);
    // Without allowzero a 0 means "as in the input"; with it there may be no -1.
    return first(b.node("Reshape", [first(x), b.shape(shape)], shape.includes(-1) ? {} : { allowzero: 1 }));
  },
  transpose: (b, t, x) => first(b.node("Transpose", x, { perm: t.attrs.perm })),
  expand: (b, t, x) => {
    const { shape } = t.attrs;
    // onnxruntime drops an Expand to a constant shape with a 0 in it, so there the shape is put together at run time.
    const target = shape.includes(0) ? first(b.node("Concat", shape.map(b.dim), { axis: 0 })) : b.shape(shape);
    return first(b.node("Expand", [first(x), target]));
  },
  slice: (b, t, x) => {
    const { axis, start, end, step } = t.attrs;
    return first(b.node("Slice", [first(x), b.dim(start), b.dim(end), b.ints([axis]), b.ints([step])]));
  },
  concat: (b, t, x) => first(b.node("Concat", x, { axis: t.attrs.axis })),
  pad: (b, t, x) => {
    const { axis, before, after, value } = t.attrs;
    return first(b.node("Pad", [first(x), b.shape([before, after]), b.scalar(value, t.dtype), b.ints([axis])]));
  },
  gather: (b, t, x) => first(b.node("Gather", x, { axis: t.attrs.axis })),
  checkpoint: (_, __, x) => first(x),
  // A view by a shape that is known no sooner than the others: no arithmetic on x, and no optimiser takes both for one.
  after: (b, _, x) => {
    const sizes = x.slice(1).map((v) => first(b.node("Shape", [v])));
    const all = sizes.length === 1 ? first(sizes) : first(b.node("Concat", sizes, { axis: 0 }));
    const nothing = first(
      b.node("ReduceSum", [first(b.node("Mul", [all, b.ints([0])])), b.ints([0])], { keepdims: 1 }),
    );
    const shape = first(b.node("Add", [first(b.node("Shape", [first(x)])), nothing]));
    return first(b.node("Reshape", [first(x), shape], { allowzero: 1 }));
  },
  takeRows: (b, _, x) => first(b.node("Gather", x.slice(0, 2), { axis: 0 })),
  scatterAdd,
  gatherElements: (b, t, x) => first(b.node("GatherElements", x, { axis: t.attrs.axis })),
  scatterElementsAdd: (b, t, x) => scatterElements(b, t.shape, t.dtype, x[1] as string, x[0] as string, t.attrs.axis),

  sum: reduce("ReduceSum"),
  mean: reduce("ReduceMean"),
  max: reduce("ReduceMax"),
  argMax: (b, t, x) => first(b.node("ArgMax", x, { axis: t.attrs.axis, keepdims: Number(t.attrs.keepDims) })),
  cumSum: (b, t, x) =>
    first(b.node("CumSum", [first(x), b.scalar(t.attrs.axis, "i64")], { reverse: Number(t.attrs.reverse) })),

  matmul: (b, t, x) => {
    const { transA, transB, alpha } = t.attrs;
    if (!transA && !transB && alpha === 1) return first(b.node("MatMul", x));
    return first(
      b.contrib("FusedMatMul", x, { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } }),
    );
  },
  matMulNBits: (b, t, x) => {
    const { bits, blockSize, n, k } = t.attrs;
    // Level 4 is int8 arithmetic; without it 8 bits are a hundred times slower.
    const attributes = { bits, block_size: blockSize, N: n, K: k, accuracy_level: 4 };
    return first(b.contrib("MatMulNBits", x.slice(0, 3), attributes));
  },
  matMulInt8: (b, t, [x, data, scales]) => {
    const [rows, largest] = rowsOfOne(b, x as string);
    // It finds the range and rounds to u8 itself; integers u8 x i8 are what processors with AMX or VNNI multiply fastest.
    const zero = t.inputs[1]?.dtype === "u8" ? [b.scalar(128, "u8")] : [];
    const y = first(b.contrib("DynamicQuantizeMatMul", [rows, data as string, scales as string, ...zero]));
    return first(b.node("Mul", [y, largest]));
  },
  dequantizeNBits: (b, t, x) => dequantise(b, t.attrs, x as [string, string]),
  conv1d: (b, t, x) => first(b.node("Conv", x, conv("padded", t))),
  convTranspose1d: (b, t, x) => {
    const { outputPadding, padding, stride } = t.attrs;
    if (typeof outputPadding === "number" && outputPadding < stride)
      return first(b.node("ConvTranspose", x, { ...conv("padded", t), output_padding: [outputPadding] }));
    // The length is only known at run time: compute the uncropped result, extend it with zeros, cut out the wanted part.
    const full = first(b.node("ConvTranspose", x, conv("full", t)));
    const longer = first(
      b.node("Pad", [full, b.shape([0, dimAdd(outputPadding, padding)]), b.scalar(0, t.dtype), b.ints([2])]),
    );
    const length = t.shape[2] as Dim;
    return first(b.node("Slice", [longer, b.ints([padding]), b.dim(dimAdd(length, padding)), b.ints([2])]));
  },

  softmax: (b, t, x) => first(b.node("Softmax", x, { axis: t.attrs.axis })),
  softmaxGrad: (b, t, [dy, y]) => {
    const product = first(b.node("Mul", [dy as string, y as string]));
    const total = first(b.node("ReduceSum", [product, b.ints([t.attrs.axis])], { keepdims: 1 }));
    return first(b.node("Sub", [product, first(b.node("Mul", [y as string, total]))]));
  },
  logSoftmax: (b, t, x) => first(b.node("LogSoftmax", x, { axis: t.attrs.axis })),
  ...crossEntropyLowerings((b, x, axis) => first(b.node("LogSoftmax", [x], { axis }))),
  layerNorm: (b, t, x) => first(layerNorm(b, x, t.attrs.epsilon)),
  layerNormStatistic: (b, t, x) => layerNorm(b, x, t.attrs.epsilon)[t.attrs.which === "mean" ? 1 : 2] as string,
  rmsNorm: (b, t, x) => first(rmsNorm(b, x, t.attrs.epsilon)),
  rmsNormInvRms: (b, t, x) => rmsNorm(b, x, t.attrs.epsilon)[1] as string,
  rotary: (b, t, [x, cosine, sine]) => {
    const tokens = source(t).shape[0] as Dim;
    const row = first(b.node("Unsqueeze", [x as string, b.ints([0])]));
    const positions = first(
      b.shared(`positions ${tokens}`, () =>
        b.node("Unsqueeze", [
          first(b.node("Range", [b.scalar(0, "i64"), scalarDim(b, tokens), b.scalar(1, "i64")])),
          b.ints([0]),
        ]),
      ),
    );
    const angle = t.attrs.inverse
      ? first(b.shared(`neg ${sine}`, () => b.node("Neg", [sine as string])))
      : (sine as string);
    const turned = first(b.contrib("RotaryEmbedding", [row, positions, cosine as string, angle]));
    return first(b.node("Squeeze", [turned, b.ints([0])]));
  },
};

const scalarDim = (b: Builder, d: Dim): string =>
  typeof d === "number" ? b.scalar(d, "i64") : first(b.shared(`scalar ${d}`, () => b.node("Squeeze", [b.dim(d)])));

/** ONNX infers one dimension (-1): leaving out a named one saves computing it. */
function openDim(shape: readonly Dim[]): readonly Dim[] {
  const named = shape.flatMap((d, i) => (typeof d === "string" ? [i] : []));
  const i = named[0];
  return named.length === 1 && i !== undefined && !shape.includes(0) ? shape.map((d, j) => (j === i ? -1 : d)) : shape;
}
