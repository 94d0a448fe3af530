/** @file The shape rule of each op: what it accepts, and the shape and type of its result. A wrong shape is refused here, when the graph is built. */
import { type Dim, dimAdd, dimDivideExact, dimFloorDivide, dimMultiply, dimProduct, dimSubtract } from "./dims.ts";
import type { OpAttributes, OpName } from "./op-table.ts";
import { DTYPES, type DType, type Shape, type Tensor, describeType } from "./tensor.ts";

/** What an op gives. */
export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Leaves say their own type, so they have no rule. */
export type LeafOp = "input" | "weight" | "constant" | "range" | "size";
export type ShapeRule<K extends OpName> = (inputs: readonly Tensor[], attrs: OpAttributes[K], op: K) => TensorType;

/** A refused op: names the op, the shapes and the dimension. */
export function refuse(op: string, why: string, inputs: readonly Tensor[]): never {
  throw new RangeError(`${op}: ${why} (inputs: ${inputs.map(describeType).join(", ")})`);
}

const FLOATS: readonly DType[] = ["f32", "f16"];
const isFloat = (t: Tensor): boolean => FLOATS.includes(t.dtype);

function input(op: string, inputs: readonly Tensor[], i: number): Tensor {
  const t = inputs[i];
  if (!t) throw new RangeError(`${op}: input ${i} is missing`);
  return t;
}

/** NumPy broadcasting of two shapes; a named dimension only meets itself or 1. */
export function broadcastShapes(op: string, a: Shape, b: Shape, inputs: readonly Tensor[]): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const da = a[i - rank + a.length] ?? 1;
    const db = b[i - rank + b.length] ?? 1;
    if (da === db || db === 1) return da;
    if (da === 1) return db;
    return refuse(op, `dimension ${i - rank} is ${da} in one and ${db} in the other`, inputs);
  });
}

function sameDtype(op: string, inputs: readonly Tensor[]): DType {
  const first = input(op, inputs, 0).dtype;
  for (const t of inputs) if (t.dtype !== first) refuse(op, "element types differ; cast one", inputs);
  return first;
}

const unaryFloat: ShapeRule<OpName> = (inputs, _, op) => {
  const x = input(op, inputs, 0);
  if (!isFloat(x)) refuse(op, "needs f32 or f16", inputs);
  return { shape: x.shape, dtype: x.dtype };
};
const unaryNumber: ShapeRule<OpName> = (inputs, _, op) => {
  const x = input(op, inputs, 0);
  if (x.dtype === "bool") refuse(op, "needs numbers, not bool", inputs);
  return { shape: x.shape, dtype: x.dtype };
};
const binary: ShapeRule<OpName> = (inputs, _, op) => {
  const dtype = sameDtype(op, inputs);
  if (dtype === "bool") refuse(op, "needs numbers, not bool", inputs);
  return { shape: broadcastShapes(op, input(op, inputs, 0).shape, input(op, inputs, 1).shape, inputs), dtype };
};
const comparison: ShapeRule<OpName> = (inputs, _, op) => {
  sameDtype(op, inputs);
  return { shape: broadcastShapes(op, input(op, inputs, 0).shape, input(op, inputs, 1).shape, inputs), dtype: "bool" };
};
const ordering: ShapeRule<OpName> = (inputs, attrs, op) => {
  if (input(op, inputs, 0).dtype === "bool") refuse(op, "needs numbers, not bool", inputs);
  return comparison(inputs, attrs, op);
};
const logical: ShapeRule<OpName> = (inputs, _, op) => {
  if (inputs.some((t) => t.dtype !== "bool")) refuse(op, "needs bool", inputs);
  return { shape: broadcastShapes(op, input(op, inputs, 0).shape, input(op, inputs, 1).shape, inputs), dtype: "bool" };
};

function axisOf(op: string, x: Tensor, axis: number, inputs: readonly Tensor[]): Dim {
  const d = x.shape[axis];
  if (d === undefined) return refuse(op, `axis ${axis} is not one of the ${x.shape.length} axes`, inputs);
  return d;
}

const replaceAt = (shape: Shape, axis: number, d: Dim): Shape => shape.map((old, i) => (i === axis ? d : old));

const reduction: ShapeRule<"sum" | "mean" | "max"> = (inputs, { axes, keepDims }, op) => {
  const x = input(op, inputs, 0);
  if (op === "mean" && !isFloat(x)) refuse(op, "needs f32 or f16", inputs);
  if (x.dtype === "bool") refuse(op, "needs numbers, not bool", inputs);
  for (const axis of axes) axisOf(op, x, axis, inputs);
  if (new Set(axes).size !== axes.length) refuse(op, `axes [${axes.join(",")}] repeat`, inputs);
  const shape = keepDims
    ? x.shape.map((d, i) => (axes.includes(i) ? 1 : d))
    : x.shape.filter((_, i) => !axes.includes(i));
  return { shape, dtype: x.dtype };
};

const sameAsFirst: ShapeRule<"softmax" | "logSoftmax"> = (inputs, { axis }, op) => {
  const x = input(op, inputs, 0);
  if (!isFloat(x)) refuse(op, "needs f32 or f16", inputs);
  axisOf(op, x, axis, inputs);
  return { shape: x.shape, dtype: x.dtype };
};

function normalised(op: string, inputs: readonly Tensor[]): Tensor {
  const x = input(op, inputs, 0);
  if (!isFloat(x) || x.shape.length === 0) refuse(op, "needs f32 or f16 with at least one axis", inputs);
  const width = x.shape[x.shape.length - 1];
  for (const p of inputs.slice(1))
    if (p.shape.length !== 1 || p.shape[0] !== width || p.dtype !== x.dtype)
      refuse(op, `scale and shift must be ${x.dtype}[${width}], as the last dimension of the input`, inputs);
  return x;
}

const columnOf = (x: Tensor): TensorType => ({ shape: [...x.shape.slice(0, -1), 1], dtype: x.dtype });

function crossEntropyInputs(op: string, inputs: readonly Tensor[]): void {
  const logits = input(op, inputs, 0);
  const targets = input(op, inputs, 1);
  if (logits.shape.length !== 2 || logits.dtype !== "f32") refuse(op, "logits must be f32 [n, classes]", inputs);
  if (targets.dtype !== "i64" || targets.shape.length !== 1 || targets.shape[0] !== logits.shape[0])
    refuse(op, `targets must be i64[${logits.shape[0]}], one class a row`, inputs);
}

/** Integers and scales of a matrix `[n, k]`, a scale a row, stored turned. */
function checkInt8(
  op: string,
  [data, scales]: readonly (Tensor | undefined)[],
  [n, k]: readonly [number, number],
  inputs: readonly Tensor[],
): void {
  if (![n, k].every((d) => Number.isInteger(d) && d > 0))
    refuse(op, `n and k must be whole and > 0, not ${n}, ${k}`, inputs);
  checkFrozen(op, [data, scales], inputs);
  if ((data?.dtype !== "i8" && data?.dtype !== "u8") || data.shape.join() !== `${k},${n}`)
    refuse(op, `data of a [${n},${k}] must be i8[${k},${n}], or u8 of that shape`, inputs);
  if (scales?.dtype !== "f32" || scales.shape.join() !== `${n}`)
    refuse(op, `scales of a [${n},${k}] must be f32[${n}]`, inputs);
}

function checkFrozen(op: string, tensors: readonly (Tensor | undefined)[], inputs: readonly Tensor[]): void {
  for (const t of tensors)
    if (t && t.op !== "weight" && t.op !== "constant")
      refuse(
        op,
        "integers and scales must be weights or constants, which are laid out when the program is compiled",
        inputs,
      );
}

/** Integers and scales of a matrix `[n, k]` in blocks: what onnxruntime's MatMulNBits reads. */
function checkBlocks(
  op: string,
  [data, scales]: readonly (Tensor | undefined)[],
  { bits, blockSize }: OpAttributes["matMulNBits"],
  [n, k]: readonly [number, number],
  inputs: readonly Tensor[],
): void {
  if (bits !== 4 && bits !== 8) refuse(op, `bits must be 4 or 8, not ${String(bits)}`, inputs);
  if (!Number.isInteger(Math.log2(blockSize)) || blockSize < 16)
    refuse(op, `blockSize must be a power of 2 from 16 on, not ${blockSize}`, inputs);
  if (![n, k].every((d) => Number.isInteger(d) && d > 0))
    refuse(op, `n and k must be whole and > 0, not ${n}, ${k}`, inputs);
  checkFrozen(op, [data, scales], inputs);
  const blocks = Math.ceil(k / blockSize);
  const bytes = [n, blocks, (blockSize * bits) / 8];
  if (data?.dtype !== "u8" || data.shape.join() !== bytes.join())
    refuse(op, `data of a ${bits}-bit [${n},${k}] in blocks of ${blockSize} must be u8[${bytes.join(",")}]`, inputs);
  if (scales?.dtype !== "f32" || scales.shape.join() !== `${n},${blocks}`)
    refuse(op, `scales of a [${n},${k}] in blocks of ${blockSize} must be f32[${n},${blocks}]`, inputs);
}

/** How much time a kernel covers. */
const extent = (kernel: Dim, dilation: number): Dim => dimAdd(dimMultiply(dimSubtract(kernel, 1), dilation), 1);

function convInputs(
  op: string,
  inputs: readonly Tensor[],
  { stride, dilation, groups, padding }: OpAttributes["conv1d"],
): { x: Tensor; w: Tensor } {
  const x = input(op, inputs, 0);
  const w = input(op, inputs, 1);
  if (x.shape.length !== 3 || w.shape.length !== 3)
    refuse(op, "input must be [rows, channels, time], weight rank 3", inputs);
  if (x.dtype !== w.dtype) refuse(op, "element types differ; cast one", inputs);
  const channels = w.shape[0];
  if (op === "convTranspose1d" ? x.shape[1] !== channels : x.shape[1] !== dimMultiply(w.shape[1] as Dim, groups))
    refuse(op, `${x.shape[1]} input channels do not fit the weight with ${groups} groups (dimension 1)`, inputs);
  for (const [name, value, least] of [
    ["stride", stride, 1],
    ["dilation", dilation, 1],
    ["groups", groups, 1],
    ["padding", padding, 0],
  ] as const)
    if (!Number.isInteger(value) || value < least)
      refuse(op, `${name} must be a whole number >= ${least}, not ${value}`, inputs);
  if (!isFloat(x)) refuse(op, "needs f32 or f16", inputs);
  return { x, w };
}

/** See {@link ShapeRule}. */
export const shapeRules: { readonly [K in Exclude<OpName, LeafOp>]: ShapeRule<K> } = {
  neg: unaryNumber,
  abs: unaryNumber,
  sign: unaryNumber,
  exp: unaryFloat,
  log: unaryFloat,
  sqrt: unaryFloat,
  reciprocal: unaryFloat,
  tanh: unaryFloat,
  sigmoid: unaryFloat,
  erf: unaryFloat,
  sin: unaryFloat,
  cos: unaryFloat,
  floor: unaryFloat,
  relu: unaryFloat,
  silu: unaryFloat,
  gelu: unaryFloat,
  not: (inputs, _, op) => {
    const x = input(op, inputs, 0);
    if (x.dtype !== "bool") refuse(op, "needs bool", inputs);
    return { shape: x.shape, dtype: "bool" };
  },
  cast: (inputs, { to }, op) => {
    if (!DTYPES.includes(to)) refuse(op, `there is no type ${String(to)}; there are ${DTYPES.join(", ")}`, inputs);
    return { shape: input(op, inputs, 0).shape, dtype: to };
  },

  add: binary,
  sub: binary,
  mul: binary,
  div: binary,
  pow: binary,
  maximum: binary,
  minimum: binary,
  equal: comparison,
  less: ordering,
  lessEqual: ordering,
  greater: ordering,
  greaterEqual: ordering,
  and: logical,
  or: logical,
  where: (inputs, _, op) => {
    const condition = input(op, inputs, 0);
    const [a, b] = [input(op, inputs, 1), input(op, inputs, 2)];
    if (condition.dtype !== "bool") refuse(op, "the condition must be bool", inputs);
    const dtype = sameDtype(op, [a, b]);
    return {
      shape: broadcastShapes(op, condition.shape, broadcastShapes(op, a.shape, b.shape, inputs), inputs),
      dtype,
    };
  },

  reshape: (inputs, { shape }, op) => {
    const x = input(op, inputs, 0);
    if (dimProduct(x.shape) !== dimProduct(shape))
      refuse(op, `[${shape.join(",")}] has ${dimProduct(shape)} elements, the input ${dimProduct(x.shape)}`, inputs);
    return { shape, dtype: x.dtype };
  },
  transpose: (inputs, { perm }, op) => {
    const x = input(op, inputs, 0);
    if ([...perm].sort((a, b) => a - b).join() !== x.shape.map((_, i) => i).join())
      refuse(op, `perm [${perm.join(",")}] is not an order of the ${x.shape.length} axes`, inputs);
    return { shape: perm.map((p) => x.shape[p] as Dim), dtype: x.dtype };
  },
  expand: (inputs, { shape }, op) => {
    const x = input(op, inputs, 0);
    const out = broadcastShapes(op, x.shape, shape, inputs);
    if (out.length !== shape.length || out.some((d, i) => d !== shape[i]))
      refuse(op, `cannot be broadcast to [${shape.join(",")}]`, inputs);
    return { shape, dtype: x.dtype };
  },
  slice: (inputs, { axis, start, end, step }, op) => {
    const x = input(op, inputs, 0);
    const size = axisOf(op, x, axis, inputs);
    if (!Number.isInteger(step) || step < 1) refuse(op, `step must be a whole number >= 1, not ${step}`, inputs);
    const length = dimSubtract(end, start);
    if (typeof size === "number" && typeof end === "number" && end > size)
      refuse(op, `end ${end} is past the ${size} of axis ${axis}`, inputs);
    if ((typeof length === "number" && length < 0) || (typeof start === "number" && start < 0))
      refuse(op, `start ${start} and end ${end} do not fit axis ${axis} of ${size}`, inputs);
    return { shape: replaceAt(x.shape, axis, dimFloorDivide(dimAdd(length, step - 1), step)), dtype: x.dtype };
  },
  concat: (inputs, { axis }, op) => {
    const first = input(op, inputs, 0);
    const dtype = sameDtype(op, inputs);
    axisOf(op, first, axis, inputs);
    let size: Dim = 0;
    for (const t of inputs) {
      if (t.shape.length !== first.shape.length) refuse(op, "ranks differ", inputs);
      t.shape.forEach((d, i) => {
        if (i !== axis && d !== first.shape[i])
          refuse(op, `dimension ${i} is ${first.shape[i]} in one and ${d} in another`, inputs);
      });
      size = dimAdd(size, t.shape[axis] as Dim);
    }
    return { shape: replaceAt(first.shape, axis, size), dtype };
  },
  pad: (inputs, { axis, before, after }, op) => {
    const x = input(op, inputs, 0);
    const size = axisOf(op, x, axis, inputs);
    for (const n of [before, after])
      if (typeof n === "number" && (n < 0 || !Number.isInteger(n)))
        refuse(op, `axis ${axis} cannot be padded by ${n} elements`, inputs);
    return { shape: replaceAt(x.shape, axis, dimAdd(dimAdd(size, before), after)), dtype: x.dtype };
  },
  gather: (inputs, { axis }, op) => {
    const x = input(op, inputs, 0);
    const indices = input(op, inputs, 1);
    axisOf(op, x, axis, inputs);
    if (indices.dtype !== "i64") refuse(op, "indices must be i64", inputs);
    return { shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)], dtype: x.dtype };
  },
  scatterAdd: (inputs, { axis, size }, op) => {
    const updates = input(op, inputs, 0);
    const indices = input(op, inputs, 1);
    if (indices.dtype !== "i64") refuse(op, "indices must be i64", inputs);
    if (!isFloat(updates)) refuse(op, "updates must be f32 or f16", inputs);
    indices.shape.forEach((d, i) => {
      if (updates.shape[axis + i] !== d)
        refuse(op, `dimension ${axis + i} of the updates is ${updates.shape[axis + i]}, of the indices ${d}`, inputs);
    });
    return {
      shape: [...updates.shape.slice(0, axis), size, ...updates.shape.slice(axis + indices.shape.length)],
      dtype: updates.dtype,
    };
  },
  checkpoint: (inputs, _, op) => input(op, inputs, 0),
  after: (inputs, _, op) => {
    if (inputs.length < 2) refuse(op, "needs something to wait for", inputs);
    return input(op, inputs, 0);
  },
  takeRows: (inputs, _, op) => {
    const [x, indices, inverse] = [input(op, inputs, 0), input(op, inputs, 1), input(op, inputs, 2)];
    for (const t of [indices, inverse])
      if (t.dtype !== "i64" || t.shape.length !== 1) refuse(op, "indices must be i64 with one axis", inputs);
    if (inverse.shape[0] !== axisOf(op, x, 0, inputs))
      refuse(op, `the inverse must have one place for each of the ${x.shape[0]} rows`, inputs);
    return { shape: [indices.shape[0] as Dim, ...x.shape.slice(1)], dtype: x.dtype };
  },
  gatherElements: (inputs, { axis }, op) => {
    const x = input(op, inputs, 0);
    const indices = input(op, inputs, 1);
    axisOf(op, x, axis, inputs);
    if (indices.dtype !== "i64" || indices.shape.length !== x.shape.length)
      refuse(op, "indices must be i64 of the input's rank", inputs);
    indices.shape.forEach((d, i) => {
      if (i !== axis && d !== x.shape[i])
        refuse(op, `dimension ${i} is ${x.shape[i]} in the input and ${d} in the indices`, inputs);
    });
    return { shape: indices.shape, dtype: x.dtype };
  },
  scatterElementsAdd: (inputs, { axis, size }, op) => {
    const updates = input(op, inputs, 0);
    const indices = input(op, inputs, 1);
    axisOf(op, updates, axis, inputs);
    if (
      indices.dtype !== "i64" ||
      indices.shape.some((d, i) => d !== updates.shape[i]) ||
      indices.shape.length !== updates.shape.length
    )
      refuse(op, "indices must be i64 of the updates' shape", inputs);
    return { shape: replaceAt(updates.shape, axis, size), dtype: updates.dtype };
  },

  sum: reduction,
  mean: reduction,
  max: reduction,
  argMax: (inputs, { axis, keepDims }, op) => {
    const x = input(op, inputs, 0);
    axisOf(op, x, axis, inputs);
    const shape = keepDims ? replaceAt(x.shape, axis, 1) : x.shape.filter((_, i) => i !== axis);
    return { shape, dtype: "i64" };
  },
  cumSum: (inputs, { axis }, op) => {
    const x = input(op, inputs, 0);
    if (x.dtype === "bool") refuse(op, "needs numbers, not bool", inputs);
    axisOf(op, x, axis, inputs);
    return { shape: x.shape, dtype: x.dtype };
  },

  matmul: (inputs, { transA, transB }, op) => {
    const a = input(op, inputs, 0);
    const b = input(op, inputs, 1);
    const dtype = sameDtype(op, inputs);
    if (a.shape.length < 2 || b.shape.length < 2) refuse(op, "needs at least two axes on both sides", inputs);
    if (!isFloat(a)) refuse(op, "needs f32 or f16", inputs);
    const [am, ak] = transA ? [a.shape.at(-1), a.shape.at(-2)] : [a.shape.at(-2), a.shape.at(-1)];
    const [bk, bn] = transB ? [b.shape.at(-1), b.shape.at(-2)] : [b.shape.at(-2), b.shape.at(-1)];
    if (ak !== bk) refuse(op, `inner dimensions differ: ${ak} and ${bk}`, inputs);
    const batch = broadcastShapes(op, a.shape.slice(0, -2), b.shape.slice(0, -2), inputs);
    return { shape: [...batch, am as Dim, bn as Dim], dtype };
  },
  matMulInt8: (inputs, { n, k }, op) => {
    const x = input(op, inputs, 0);
    if (inputs.length !== 3 && inputs.length !== 5)
      refuse(op, "takes x, data, scales, and maybe data and scales of the transpose", inputs);
    if (x.shape.length < 2 || x.dtype !== "f32") refuse(op, "needs f32 with at least two axes", inputs);
    if (x.shape.at(-1) !== k) refuse(op, `inner dimensions differ: ${x.shape.at(-1)} and ${k}`, inputs);
    checkInt8(op, inputs.slice(1, 3), [n, k], inputs);
    if (inputs.length === 5) checkInt8(op, inputs.slice(3), [k, n], inputs);
    return { shape: [...x.shape.slice(0, -1), n], dtype: "f32" };
  },
  matMulNBits: (inputs, attrs, op) => {
    const { n, k } = attrs;
    const x = input(op, inputs, 0);
    if (inputs.length !== 3 && inputs.length !== 5)
      refuse(op, "takes x, data, scales, and maybe data and scales of the transpose", inputs);
    if (x.shape.length < 2 || x.dtype !== "f32") refuse(op, "needs f32 with at least two axes", inputs);
    if (x.shape.at(-1) !== k) refuse(op, `inner dimensions differ: ${x.shape.at(-1)} and ${k}`, inputs);
    checkBlocks(op, inputs.slice(1, 3), attrs, [n, k], inputs);
    if (inputs.length === 5) checkBlocks(op, inputs.slice(3), attrs, [k, n], inputs);
    return { shape: [...x.shape.slice(0, -1), n], dtype: "f32" };
  },
  dequantizeNBits: (inputs, attrs, op) => {
    checkBlocks(op, inputs, attrs, [attrs.n, attrs.k], inputs);
    return { shape: [attrs.n, attrs.k], dtype: "f32" };
  },
  conv1d: (inputs, attrs, op) => {
    const { stride, padding, dilation, groups } = attrs;
    const { x, w } = convInputs(op, inputs, attrs);
    const [out, , kernel] = w.shape as [Dim, Dim, Dim];
    if (dimDivideExact(out, groups) === undefined)
      refuse(op, `${out} output channels are not a multiple of ${groups} groups`, inputs);
    const covered = dimSubtract(dimAdd(x.shape[2] as Dim, 2 * padding), extent(kernel, dilation));
    if (typeof covered === "number" && covered < 0)
      refuse(op, `the time of ${x.shape[2]} is shorter than the kernel of ${kernel} (dimension 2)`, inputs);
    return { shape: [x.shape[0] as Dim, out, dimAdd(dimFloorDivide(covered, stride), 1)], dtype: x.dtype };
  },
  convTranspose1d: (inputs, attrs, op) => {
    const { stride, padding, dilation, groups, outputPadding } = attrs;
    const { x, w } = convInputs(op, inputs, attrs);
    if (dimDivideExact(x.shape[1] as Dim, groups) === undefined)
      refuse(op, `${x.shape[1]} input channels are not a multiple of ${groups} groups (dimension 1)`, inputs);
    const cropped = dimSubtract(extent(w.shape[2] as Dim, dilation), 2 * padding);
    const length = dimAdd(dimAdd(dimMultiply(dimSubtract(x.shape[2] as Dim, 1), stride), cropped), outputPadding);
    if (typeof length === "number" && length < 0)
      refuse(op, `padding ${padding} cuts off more than the result's time (dimension 2)`, inputs);
    return { shape: [x.shape[0] as Dim, dimMultiply(w.shape[1] as Dim, groups), length], dtype: x.dtype };
  },

  softmax: sameAsFirst,
  logSoftmax: sameAsFirst,
  softmaxGrad: (inputs, { axis }, op) => {
    const [dy, y] = [input(op, inputs, 0), input(op, inputs, 1)];
    axisOf(op, y, axis, inputs);
    if (dy.shape.join() !== y.shape.join()) refuse(op, "shapes differ", inputs);
    return { shape: y.shape, dtype: y.dtype };
  },
  softmaxCrossEntropy: (inputs, _, op) => {
    crossEntropyInputs(op, inputs);
    return { shape: (inputs[1] as Tensor).shape, dtype: (inputs[0] as Tensor).dtype };
  },
  softmaxCrossEntropyGrad: (inputs, _, op) => {
    crossEntropyInputs(op, inputs);
    if (input(op, inputs, 2).shape.join() !== (inputs[1] as Tensor).shape.join())
      refuse(op, `needs one loss gradient a row, [${(inputs[1] as Tensor).shape.join(",")}]`, inputs);
    return { shape: (inputs[0] as Tensor).shape, dtype: (inputs[0] as Tensor).dtype };
  },
  layerNorm: (inputs, _, op) => {
    const x = normalised(op, inputs);
    return { shape: x.shape, dtype: x.dtype };
  },
  layerNormStatistic: (inputs, _, op) => columnOf(normalised(op, inputs)),
  rmsNorm: (inputs, _, op) => {
    const x = normalised(op, inputs);
    return { shape: x.shape, dtype: x.dtype };
  },
  rmsNormInvRms: (inputs, _, op) => columnOf(normalised(op, inputs)),
  rotary: (inputs, { heads }, op) => {
    const [x, cos, sin] = [input(op, inputs, 0), input(op, inputs, 1), input(op, inputs, 2)];
    if (x.shape.length !== 2) refuse(op, "needs [tokens, heads*headDim]", inputs);
    const headDim = dimDivideExact(x.shape[1] as Dim, heads);
    if (typeof headDim !== "number" || headDim % 2 !== 0)
      return refuse(op, `${x.shape[1]} is not ${heads} heads of an even width (dimension 1)`, inputs);
    if (!isFloat(x)) refuse(op, "needs f32 or f16", inputs);
    for (const t of [cos, sin])
      if (t.shape.length !== 2 || t.shape[0] !== x.shape[0] || t.shape[1] !== headDim / 2 || t.dtype !== x.dtype)
        refuse(op, `cos and sin must be ${x.dtype}[${x.shape[0]},${headDim / 2}]`, inputs);
    return { shape: x.shape, dtype: x.dtype };
  },
};
