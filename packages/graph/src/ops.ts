/**
 * @file The builders of every op: they resolve negative axes, accept plain numbers, drop what changes nothing, and check shapes.
 * Names and meanings are NumPy's and PyTorch's.
 */
import { type Dim, dim, dimAdd, dimDivideExact, dimProduct } from "./dims.ts";
import type { ConstantData, OpAttributes, OpName } from "./op-table.ts";
import { type LeafOp, type ShapeRule, refuse, shapeRules } from "./shape-rules.ts";
import { type DType, type Shape, type Tensor, isOp, makeTensor } from "./tensor.ts";

/** Builds a node after its shape rule has accepted the inputs. Throws RangeError naming op, shapes and dimension. */
export function apply<K extends Exclude<OpName, LeafOp>>(
  op: K,
  inputs: readonly Tensor[],
  attrs: OpAttributes[K],
): Tensor {
  const { shape, dtype } = (shapeRules[op] as unknown as ShapeRule<K>)(inputs, attrs, op);
  return makeTensor(op, inputs, attrs, shape, dtype) as unknown as Tensor;
}

const none = {};
const leaf = (t: Tensor<never>): Tensor => t as unknown as Tensor;

// ---- leaves

/** A value fed at each run: a batch, a trained parameter, optimiser state. */
export const input = (name: string, shape: Shape, dtype: DType = "f32"): Tensor =>
  leaf(makeTensor("input", [], { name }, shape, dtype) as unknown as Tensor<never>);

/** A frozen value; where its bytes lie is said when the graph is compiled. */
export const weight = (name: string, shape: Shape, dtype: DType = "f32"): Tensor =>
  leaf(makeTensor("weight", [], { name }, shape, dtype) as unknown as Tensor<never>);

const CONSTANT_DTYPES: readonly (readonly [new (n: number) => ConstantData, DType])[] = [
  [Float32Array, "f32"],
  [BigInt64Array, "i64"],
  [Int32Array, "i32"],
  [Uint8Array, "u8"],
  [Int8Array, "i8"],
  [Uint16Array, "f16"],
];

/** A small constant. The element type follows the array (`Uint16Array` holds f16 bits) unless `dtype` says otherwise (`u8` data as `bool`). */
export function constant(data: ConstantData | number | readonly number[], shape?: Shape, dtype?: DType): Tensor {
  const array =
    typeof data === "number"
      ? Float32Array.of(data)
      : Array.isArray(data)
        ? Float32Array.from(data as number[])
        : (data as ConstantData);
  const resolved = shape ?? (typeof data === "number" ? [] : [array.length]);
  if (dimProduct(resolved) !== array.length)
    throw new RangeError(`constant: ${array.length} values for shape [${resolved.join(",")}]`);
  const type = dtype ?? CONSTANT_DTYPES.find(([c]) => array instanceof c)?.[1] ?? "f32";
  return leaf(makeTensor("constant", [], { data: array }, resolved, type) as unknown as Tensor<never>);
}

/** A scalar of the element type of `like`. */
export const scalar = (value: number, dtype: DType = "f32"): Tensor =>
  dtype === "i64"
    ? constant(BigInt64Array.of(BigInt(value)), [])
    : dtype === "i32"
      ? constant(Int32Array.of(value), [])
      : dtype === "f32"
        ? constant(value)
        : cast(constant(value), dtype);

/** 0, 1, ... size-1 as i64 `[size]`. */
export const range = (size: Dim): Tensor =>
  leaf(makeTensor("range", [], { size: dim(size) }, [size], "i64") as unknown as Tensor<never>);

/** A dimension (or a product of some) as an i64 scalar. */
export const size = (d: Dim): Tensor =>
  typeof d === "number"
    ? scalar(d, "i64")
    : leaf(makeTensor("size", [], { dim: dim(d) }, [], "i64") as unknown as Tensor<never>);

/**
 * x; a part of the graph begins here (see `gradients`): its activations and gated units are computed again for the gradient, with
 * `recompute` all its values.
 */
export const checkpoint = (x: Tensor, { recompute = false }: { recompute?: boolean } = {}): Tensor =>
  apply("checkpoint", [x], { recompute });
/** x, for use no sooner than all of `others` are there. */
export const after = (x: Tensor, ...others: readonly Tensor[]): Tensor => apply("after", [x, ...others], none);

// ---- element-wise

type Operand = Tensor | number;
const pair = (a: Operand, b: Operand): [Tensor, Tensor] => {
  const dtype = typeof a === "number" ? (typeof b === "number" ? "f32" : b.dtype) : a.dtype;
  return [typeof a === "number" ? scalar(a, dtype) : a, typeof b === "number" ? scalar(b, dtype) : b];
};

export const neg = (x: Tensor): Tensor => apply("neg", [x], none);
export const abs = (x: Tensor): Tensor => apply("abs", [x], none);
export const exp = (x: Tensor): Tensor => apply("exp", [x], none);
export const log = (x: Tensor): Tensor => apply("log", [x], none);
export const sqrt = (x: Tensor): Tensor => apply("sqrt", [x], none);
export const reciprocal = (x: Tensor): Tensor => apply("reciprocal", [x], none);
export const tanh = (x: Tensor): Tensor => apply("tanh", [x], none);
export const sigmoid = (x: Tensor): Tensor => apply("sigmoid", [x], none);
export const erf = (x: Tensor): Tensor => apply("erf", [x], none);
export const sin = (x: Tensor): Tensor => apply("sin", [x], none);
export const cos = (x: Tensor): Tensor => apply("cos", [x], none);
export const floor = (x: Tensor): Tensor => apply("floor", [x], none);
export const sign = (x: Tensor): Tensor => apply("sign", [x], none);
export const relu = (x: Tensor): Tensor => apply("relu", [x], none);
/** x * sigmoid(x) */
export const silu = (x: Tensor): Tensor => apply("silu", [x], none);
/** Gaussian error linear unit; `approximate: "tanh"` as in GPT-2 and Gemma. */
export const gelu = (x: Tensor, { approximate = "none" }: { approximate?: "none" | "tanh" } = {}): Tensor =>
  apply("gelu", [x], { approximate });
export const not = (x: Tensor): Tensor => apply("not", [x], none);
export const cast = (x: Tensor, to: DType): Tensor => (x.dtype === to ? x : apply("cast", [x], { to }));

const isScalar = (x: Operand, value: number): boolean =>
  typeof x === "number"
    ? x === value
    : isOp(x, "constant") && x.shape.length === 0 && Number(x.attrs.data[0]) === value && x.dtype === "f32";
export const add = (a: Operand, b: Operand): Tensor => apply("add", pair(a, b), none);
export const sub = (a: Operand, b: Operand): Tensor => apply("sub", pair(a, b), none);
export const mul = (a: Operand, b: Operand): Tensor =>
  isScalar(b, 1) && typeof a !== "number"
    ? a
    : isScalar(a, 1) && typeof b !== "number"
      ? b
      : apply("mul", pair(a, b), none);
export const div = (a: Operand, b: Operand): Tensor =>
  isScalar(b, 1) && typeof a !== "number" ? a : apply("div", pair(a, b), none);
export const pow = (a: Operand, b: Operand): Tensor => apply("pow", pair(a, b), none);
export const maximum = (a: Operand, b: Operand): Tensor => apply("maximum", pair(a, b), none);
export const minimum = (a: Operand, b: Operand): Tensor => apply("minimum", pair(a, b), none);
export const equal = (a: Operand, b: Operand): Tensor => apply("equal", pair(a, b), none);
export const less = (a: Operand, b: Operand): Tensor => apply("less", pair(a, b), none);
export const lessEqual = (a: Operand, b: Operand): Tensor => apply("lessEqual", pair(a, b), none);
export const greater = (a: Operand, b: Operand): Tensor => apply("greater", pair(a, b), none);
export const greaterEqual = (a: Operand, b: Operand): Tensor => apply("greaterEqual", pair(a, b), none);
export const and = (a: Tensor, b: Tensor): Tensor => apply("and", [a, b], none);
export const or = (a: Tensor, b: Tensor): Tensor => apply("or", [a, b], none);
/** `a` where `condition` holds, else `b`. */
export const where = (condition: Tensor, a: Operand, b: Operand): Tensor =>
  apply("where", [condition, ...pair(a, b)], none);

// ---- layout

/** Turns a negative axis into a position; throws RangeError when there is no such axis. */
export function resolveAxis(op: string, x: Tensor, axis: number): number {
  const resolved = axis < 0 ? axis + x.shape.length : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= x.shape.length)
    refuse(op, `axis ${axis} is not one of the ${x.shape.length} axes`, [x]);
  return resolved;
}

const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** Same elements, other shape; one dimension may be -1. */
export function reshape(x: Tensor, shape: readonly Dim[]): Tensor {
  const open = shape.indexOf(-1);
  let wanted = shape;
  if (open >= 0) {
    const rest = dimProduct(shape.filter((_, i) => i !== open));
    const missing = dimDivideExact(dimProduct(x.shape), rest);
    if (missing === undefined)
      refuse("reshape", `${dimProduct(x.shape)} elements do not divide into [${shape.join(",")}]`, [x]);
    wanted = shape.map((d, i) => (i === open ? (missing as Dim) : d));
  }
  const canonical = wanted.map(dim);
  if (sameShape(canonical, x.shape)) return x;
  if (isOp(x, "reshape")) return reshape(x.inputs[0] as Tensor, canonical);
  return apply("reshape", [x], { shape: canonical });
}

/** Reorders axes; without `perm` the last two change places. */
export function transpose(x: Tensor, perm?: readonly number[]): Tensor {
  const rank = x.shape.length;
  const order = perm ?? [...x.shape.keys()].map((i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
  if (order.every((p, i) => p === i)) return x;
  return apply("transpose", [x], { perm: order });
}

/** Broadcasts to `shape`. */
export const expand = (x: Tensor, shape: Shape): Tensor => {
  const canonical = shape.map(dim);
  return sameShape(canonical, x.shape) ? x : apply("expand", [x], { shape: canonical });
};

/** Elements `start` up to but not including `end` of one axis. Negative numbers count from the end. */
export function slice(x: Tensor, axis: number, start: Dim, end?: Dim, step = 1): Tensor {
  const at = resolveAxis("slice", x, axis);
  const length = x.shape[at] as Dim;
  const fromEnd = (d: Dim): Dim => (typeof d === "number" && d < 0 ? dimAdd(length, d) : dim(d));
  const [from, to] = [fromEnd(start), end === undefined ? length : fromEnd(end)];
  if (from === 0 && to === length && step === 1) return x;
  return apply("slice", [x], { axis: at, start: from, end: to, step });
}

/** Splits one axis into parts of the given sizes, which must add up to it. */
export function split(x: Tensor, axis: number, sizes: readonly Dim[]): Tensor[] {
  const at = resolveAxis("split", x, axis);
  let from: Dim = 0;
  const parts = sizes.map((s) => {
    const to = dimAdd(from, s);
    const part = slice(x, at, from, to);
    from = to;
    return part;
  });
  if (from !== x.shape[at]) refuse("split", `sizes [${sizes.join(",")}] do not add up to ${x.shape[at]}`, [x]);
  return parts;
}

export const concat = (parts: readonly Tensor[], axis: number): Tensor => {
  const first = parts[0];
  if (!first) throw new RangeError("concat: no inputs");
  return parts.length === 1 ? first : apply("concat", parts, { axis: resolveAxis("concat", first, axis) });
};

/** Adds `before` and `after` elements of `value` on one axis. */
export const pad = (x: Tensor, axis: number, before: Dim, after: Dim, value = 0): Tensor =>
  before === 0 && after === 0 ? x : apply("pad", [x], { axis: resolveAxis("pad", x, axis), before, after, value });

/** Whole slices of `axis` at `indices` (i64, any rank). */
export const gather = (x: Tensor, indices: Tensor, axis = 0): Tensor =>
  apply("gather", [x, indices], { axis: resolveAxis("gather", x, axis) });
/** Adds `updates` into zeros of `size` along `axis`; duplicates add up. */
export const scatterAdd = (updates: Tensor, indices: Tensor, axis: number, size: Dim): Tensor =>
  apply("scatterAdd", [updates, indices], { axis, size: dim(size) });
/**
 * `x[indices]` for rows of which each counts at one place only: row j at `inverse[j]`. What else `indices` point at must not
 * reach the loss. Its gradient is `dy[inverse]`, which is far cheaper than adding up.
 */
export const takeRows = (x: Tensor, indices: Tensor, inverse: Tensor): Tensor =>
  apply("takeRows", [x, indices, inverse], none);
/** One element a position: `x[..., indices[i], ...]` along `axis`. */
export const gatherElements = (x: Tensor, indices: Tensor, axis: number): Tensor =>
  apply("gatherElements", [x, indices], { axis: resolveAxis("gatherElements", x, axis) });
export const scatterElementsAdd = (updates: Tensor, indices: Tensor, axis: number, size: Dim): Tensor =>
  apply("scatterElementsAdd", [updates, indices], {
    axis: resolveAxis("scatterElementsAdd", updates, axis),
    size: dim(size),
  });

// ---- reductions

interface ReduceOptions {
  readonly keepDims?: boolean;
}
const reducer =
  (op: "sum" | "mean" | "max") =>
  (x: Tensor, axes?: number | readonly number[], { keepDims = false }: ReduceOptions = {}): Tensor => {
    const list = axes === undefined ? [...x.shape.keys()] : typeof axes === "number" ? [axes] : axes;
    const resolved = list.map((a) => resolveAxis(op, x, a)).sort((a, b) => a - b);
    return resolved.length === 0 ? x : apply(op, [x], { axes: resolved, keepDims });
  };
type Reducer = (x: Tensor, axes?: number | readonly number[], options?: ReduceOptions) => Tensor;
/** Sum over `axes` (all when not given). */
export const sum: Reducer = reducer("sum");
export const mean: Reducer = reducer("mean");
/** Maximum; its gradient is shared evenly among equal largest elements. */
export const max: Reducer = reducer("max");
/** Index of the first largest element, i64. */
export const argMax = (x: Tensor, axis: number, { keepDims = false }: ReduceOptions = {}): Tensor =>
  apply("argMax", [x], { axis: resolveAxis("argMax", x, axis), keepDims });
export const cumSum = (x: Tensor, axis: number, { reverse = false }: { reverse?: boolean } = {}): Tensor =>
  apply("cumSum", [x], { axis: resolveAxis("cumSum", x, axis), reverse });

// ---- products

/** Options of {@link matmul}. */
export interface MatmulOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
}
/** alpha * a @ b over the last two axes, the others broadcast; `transA`/`transB` read a side transposed. */
export const matmul = (
  a: Tensor,
  b: Tensor,
  { transA = false, transB = false, alpha = 1 }: MatmulOptions = {},
): Tensor => apply("matmul", [a, b], { transA, transB, alpha });

/** A frozen matrix `[n, k]` as integers with a scale for each block of a row, as `packWeights` of @emosllm/checkpoints stores it. */
export interface NBitsMatrix extends NBitsBlocks {
  readonly bits: 4 | 8;
  readonly blockSize: number;
  readonly n: number;
  readonly k: number;
  /** The same of the transpose `[k, n]`: with it the gradient is such a product too, without it the matrix is dequantised for it. */
  readonly transposed?: NBitsBlocks | undefined;
}
/** Integers `u8 [n, ceil(k / blockSize), blockSize * bits / 8]` and scales `f32 [n, ceil(k / blockSize)]`. */
export interface NBitsBlocks {
  readonly data: Tensor;
  readonly scales: Tensor;
}
/** x W^T for x `[..., k]`; the integers are multiplied by x rounded to 8 bits in blocks of the same size. */
export const matMulNBits = (x: Tensor, { data, scales, transposed, bits, blockSize, n, k }: NBitsMatrix): Tensor =>
  apply("matMulNBits", [x, data, scales, ...(transposed ? [transposed.data, transposed.scales] : [])], {
    bits,
    blockSize,
    n,
    k,
  });
/** A frozen matrix `[n, k]` as 8-bit integers with one scale for each of its rows. */
export interface Int8Matrix extends Int8Rows {
  readonly n: number;
  readonly k: number;
  /** The same of the transpose, rounded on its own: integers `[n, k]`, a scale for each of the k columns. */
  readonly transposed?: Int8Rows | undefined;
}
/**
 * Integers `i8 [k, n]` and scales `f32 [n]`; or the integers 128 higher, as `u8`: x64 without VNNI multiplies u8 x i8 in 16 bits, where sums of two
 * overflow.
 */
export interface Int8Rows {
  readonly data: Tensor;
  readonly scales: Tensor;
}
/** x W^T for x `[..., k]`: each row of x is rounded to 8 bits of its largest value, and integers are multiplied. */
export const matMulInt8 = (x: Tensor, { data, scales, transposed, n, k }: Int8Matrix): Tensor =>
  apply("matMulInt8", [x, data, scales, ...(transposed ? [transposed.data, transposed.scales] : [])], { n, k });
/** The matrix `[n, k]` itself, f32. */
export const dequantizeNBits = ({ data, scales, bits, blockSize, n, k }: NBitsMatrix): Tensor =>
  apply("dequantizeNBits", [data, scales], { bits, blockSize, n, k });

/** Options of {@link conv1d}. */
export interface ConvOptions {
  readonly stride?: number;
  readonly padding?: number;
  readonly dilation?: number;
  readonly groups?: number;
}
/** Cross-correlation of `[rows, channels, time]` with `[out, channels/groups, kernel]`, as PyTorch's conv1d without bias. */
export const conv1d = (
  x: Tensor,
  w: Tensor,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions = {},
): Tensor => apply("conv1d", [x, w], { stride, padding, dilation, groups });
/** PyTorch's conv_transpose1d without bias: weight `[in, out/groups, kernel]`. */
export const convTranspose1d = (
  x: Tensor,
  w: Tensor,
  {
    stride = 1,
    padding = 0,
    dilation = 1,
    groups = 1,
    outputPadding = 0,
  }: ConvOptions & { readonly outputPadding?: Dim } = {},
): Tensor => apply("convTranspose1d", [x, w], { stride, padding, dilation, groups, outputPadding });

// ---- normalisation, probability, position

export const softmax = (x: Tensor, axis = -1): Tensor =>
  apply("softmax", [x], { axis: resolveAxis("softmax", x, axis) });
export const logSoftmax = (x: Tensor, axis = -1): Tensor =>
  apply("logSoftmax", [x], { axis: resolveAxis("logSoftmax", x, axis) });
export const softmaxGrad = (dy: Tensor, y: Tensor, axis: number): Tensor => apply("softmaxGrad", [dy, y], { axis });
/** Cross entropy a row `[n]`; rows whose target is `ignoreIndex` give 0. */
export const softmaxCrossEntropy = (
  logits: Tensor,
  targets: Tensor,
  { ignoreIndex = -100 }: { ignoreIndex?: number } = {},
): Tensor => apply("softmaxCrossEntropy", [logits, targets], { ignoreIndex });
export const softmaxCrossEntropyGrad = (logits: Tensor, targets: Tensor, dLoss: Tensor, ignoreIndex: number): Tensor =>
  apply("softmaxCrossEntropyGrad", [logits, targets, dLoss], { ignoreIndex });
/** (x - mean) / sqrt(variance + epsilon) * scale + shift over the last axis. */
export const layerNorm = (
  x: Tensor,
  scale: Tensor,
  shift: Tensor,
  { epsilon = 1e-5 }: { epsilon?: number } = {},
): Tensor => apply("layerNorm", [x, scale, shift], { epsilon });
/** x / sqrt(mean(x^2) + epsilon) * scale over the last axis (Zhang and Sennrich 2019). */
export const rmsNorm = (x: Tensor, scale: Tensor, { epsilon = 1e-6 }: { epsilon?: number } = {}): Tensor =>
  apply("rmsNorm", [x, scale], { epsilon });
/** Rotary position embedding, halves rotated as in Llama: x `[tokens, heads*headDim]`, cos and sin `[tokens, headDim/2]`. `inverse` rotates back. */
export const rotary = (
  x: Tensor,
  cosine: Tensor,
  sine: Tensor,
  { heads, inverse = false }: { heads: number; inverse?: boolean },
): Tensor => apply("rotary", [x, cosine, sine], { heads, inverse });
