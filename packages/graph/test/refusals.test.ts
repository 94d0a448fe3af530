/** @file Every op refuses wrong inputs when the graph is built, and says which op, which shapes, which dimension. Typed by the op union: an op without an entry does not compile. */
import { describe, expect, test } from "vitest";
import * as g from "../src/index.ts";
import type { DType, OpName, Shape, Tensor } from "../src/index.ts";

const f = (...shape: Shape): Tensor => g.input(`f${shape.join()}`, shape);
const i64 = (...shape: Shape): Tensor => g.input("i", shape, "i64");
const bool = (...shape: Shape): Tensor => g.input("b", shape, "bool");
const half = (...shape: Shape): Tensor => g.input("h", shape, "f16");

const rowsOf8 = (): g.Int8Matrix => ({
  data: g.weight("q", [64, 3], "i8"),
  scales: g.weight("s", [3]),
  n: 3,
  k: 64,
});
const blocks = (): g.NBitsMatrix => ({
  data: g.weight("q", [3, 2, 32], "u8"),
  scales: g.weight("s", [3, 2]),
  bits: 8,
  blockSize: 32,
  n: 3,
  k: 64,
});

type Refusal = readonly [() => unknown, string];
type Leaf = "input" | "weight" | "constant" | "range" | "size";

const unary = (build: (x: Tensor) => Tensor, op: string): Refusal[] => [
  [() => build(i64(2, "rows")), `${op}: needs f32 or f16 (inputs: i64[2,rows])`],
];
const ofNumbers = (build: (x: Tensor) => Tensor, op: string): Refusal[] => [
  [() => build(bool(2)), `${op}: needs numbers, not bool (inputs: bool[2])`],
];
const binary = (build: (a: Tensor, b: Tensor) => Tensor, op: string): Refusal[] => [
  [() => build(f(2, 3), f(2, 4)), `${op}: dimension -1 is 3 in one and 4 in the other (inputs: f32[2,3], f32[2,4])`],
  [
    () => build(f("rows", 3), f("tokens", 1)),
    `${op}: dimension -2 is rows in one and tokens in the other (inputs: f32[rows,3], f32[tokens,1])`,
  ],
  [() => build(f(2), i64(2)), `${op}: element types differ; cast one (inputs: f32[2], i64[2])`],
];
const arithmetic = (build: (a: Tensor, b: Tensor) => Tensor, op: string): Refusal[] => [
  ...binary(build, op),
  [() => build(bool(2), bool(2)), `${op}: needs numbers, not bool (inputs: bool[2], bool[2])`],
];
const logical = (build: (a: Tensor, b: Tensor) => Tensor, op: string): Refusal[] => [
  [() => build(bool(2), f(2)), `${op}: needs bool (inputs: bool[2], f32[2])`],
  [() => build(bool(2), bool(3)), `${op}: dimension -1 is 2 in one and 3 in the other (inputs: bool[2], bool[3])`],
];
const reduction = (build: (x: Tensor, axes: number | number[]) => Tensor, op: string): Refusal[] => [
  [() => build(f(2, 3), 2), `${op}: axis 2 is not one of the 2 axes (inputs: f32[2,3])`],
  [() => build(f(2, 3), -3), `${op}: axis -3 is not one of the 2 axes (inputs: f32[2,3])`],
  [() => build(f(2, 3), [0, -2]), `${op}: axes [0,0] repeat (inputs: f32[2,3])`],
];
const normalised = (build: (x: Tensor, w: Tensor) => Tensor, op: string): Refusal[] => [
  [() => build(f(), f(4)), `${op}: needs f32 or f16 with at least one axis (inputs: f32[]`],
  [
    () => build(f(2, 3), f(4)),
    `${op}: scale and shift must be f32[3], as the last dimension of the input (inputs: f32[2,3], f32[4]`,
  ],
  [() => build(f(2, "n"), f(1)), `${op}: scale and shift must be f32[n], as the last dimension`],
  [() => build(half(2, 3), f(3)), `${op}: scale and shift must be f16[3]`],
];
const conv = (build: typeof g.conv1d, op: string): Refusal[] => [
  [
    () => build(f(2, 3), f(2, 3, 4)),
    `${op}: input must be [rows, channels, time], weight rank 3 (inputs: f32[2,3], f32[2,3,4])`,
  ],
  [() => build(half(2, 4, 9), f(4, 4, 3)), `${op}: element types differ; cast one (inputs: f16[2,4,9], f32[4,4,3])`],
  [
    () => build(f(2, 5, 9), f(4, 4, 3)),
    `${op}: 5 input channels do not fit the weight with 1 groups (dimension 1) (inputs: f32[2,5,9], f32[4,4,3])`,
  ],
  [() => build(f(2, 4, 9), f(4, 4, 3), { stride: 0 }), `${op}: stride must be a whole number >= 1, not 0`],
  [() => build(f(2, 4, 9), f(4, 4, 3), { padding: -1 }), `${op}: padding must be a whole number >= 0, not -1`],
  [() => build(f(2, 4, 9), f(4, 4, 3), { dilation: 1.5 }), `${op}: dilation must be a whole number >= 1, not 1.5`],
];

const refusals: { readonly [K in Exclude<OpName, Leaf>]: readonly Refusal[] } = {
  neg: ofNumbers(g.neg, "neg"),
  abs: ofNumbers(g.abs, "abs"),
  sign: ofNumbers(g.sign, "sign"),
  exp: unary(g.exp, "exp"),
  log: unary(g.log, "log"),
  sqrt: unary(g.sqrt, "sqrt"),
  reciprocal: unary(g.reciprocal, "reciprocal"),
  tanh: unary(g.tanh, "tanh"),
  sigmoid: unary(g.sigmoid, "sigmoid"),
  erf: unary(g.erf, "erf"),
  sin: unary(g.sin, "sin"),
  cos: unary(g.cos, "cos"),
  floor: unary(g.floor, "floor"),
  relu: unary(g.relu, "relu"),
  silu: unary(g.silu, "silu"),
  gelu: unary(g.gelu, "gelu"),
  not: [[() => g.not(f(2)), "not: needs bool (inputs: f32[2])"]],
  cast: [[() => g.cast(f(2), "f64" as DType), "cast: there is no type f64; there are f32, f16"]],
  add: arithmetic(g.add, "add"),
  sub: arithmetic(g.sub, "sub"),
  mul: arithmetic(g.mul, "mul"),
  div: arithmetic(g.div, "div"),
  pow: arithmetic(g.pow, "pow"),
  maximum: arithmetic(g.maximum, "maximum"),
  minimum: arithmetic(g.minimum, "minimum"),
  equal: binary(g.equal, "equal"),
  less: arithmetic(g.less, "less"),
  lessEqual: arithmetic(g.lessEqual, "lessEqual"),
  greater: arithmetic(g.greater, "greater"),
  greaterEqual: arithmetic(g.greaterEqual, "greaterEqual"),
  and: logical(g.and, "and"),
  or: logical(g.or, "or"),
  where: [
    [() => g.where(f(2), f(2), f(2)), "where: the condition must be bool (inputs: f32[2], f32[2], f32[2])"],
    [
      () => g.where(bool(2), f(3), f(3)),
      "where: dimension -1 is 2 in one and 3 in the other (inputs: bool[2], f32[3], f32[3])",
    ],
    [() => g.where(bool(2), f(2), i64(2)), "where: element types differ; cast one (inputs: f32[2], i64[2])"],
  ],
  reshape: [
    [() => g.reshape(f(2, 3), [4, 2]), "reshape: [4,2] has 8 elements, the input 6 (inputs: f32[2,3])"],
    [
      () => g.reshape(f("rows", 3), [4, -1]),
      "reshape: 3*rows elements do not divide into [4,-1] (inputs: f32[rows,3])",
    ],
  ],
  transpose: [
    [() => g.transpose(f(2, 3), [0, 0]), "transpose: perm [0,0] is not an order of the 2 axes (inputs: f32[2,3])"],
  ],
  expand: [
    [() => g.expand(f(2, 3), [2, 4]), "expand: dimension -1 is 3 in one and 4 in the other (inputs: f32[2,3])"],
    [() => g.expand(f(2, 3), [1, 3]), "expand: cannot be broadcast to [1,3] (inputs: f32[2,3])"],
  ],
  slice: [
    [() => g.slice(f(2, 3), 2, 0, 1), "slice: axis 2 is not one of the 2 axes (inputs: f32[2,3])"],
    [() => g.slice(f(2, 3), 1, 0, 4), "slice: end 4 is past the 3 of axis 1 (inputs: f32[2,3])"],
    [() => g.slice(f(2, 3), 1, 2, 1), "slice: start 2 and end 1 do not fit axis 1 of 3 (inputs: f32[2,3])"],
    [() => g.slice(f(2, 3), 1, 0, 2, 0), "slice: step must be a whole number >= 1, not 0 (inputs: f32[2,3])"],
    [() => g.split(f(2, 3), 1, [1, 1]), "split: sizes [1,1] do not add up to 3 (inputs: f32[2,3])"],
  ],
  concat: [
    [
      () => g.concat([f(2, 3), f(2, 4)], 0),
      "concat: dimension 1 is 3 in one and 4 in another (inputs: f32[2,3], f32[2,4])",
    ],
    [() => g.concat([f(2), f(2, 1)], 0), "concat: ranks differ (inputs: f32[2], f32[2,1])"],
    [() => g.concat([f(2), i64(2)], 0), "concat: element types differ"],
    [() => g.concat([], 0), "concat: no inputs"],
  ],
  pad: [
    [() => g.pad(f(2, 3), 2, 1, 1), "pad: axis 2 is not one of the 2 axes (inputs: f32[2,3])"],
    [() => g.pad(f(2, 3), 1, 0, -1), "pad: axis 1 cannot be padded by -1 elements (inputs: f32[2,3])"],
  ],
  gather: [
    [() => g.gather(f(2, 3), f(4)), "gather: indices must be i64 (inputs: f32[2,3], f32[4])"],
    [() => g.gather(f(2, 3), i64(4), 2), "gather: axis 2 is not one of the 2 axes"],
  ],
  scatterAdd: [
    [
      () => g.scatterAdd(f(4, 3), i64(5), 0, 9),
      "scatterAdd: dimension 0 of the updates is 4, of the indices 5 (inputs: f32[4,3], i64[5])",
    ],
    [() => g.scatterAdd(i64(4), i64(4), 0, 9), "scatterAdd: updates must be f32 or f16 (inputs: i64[4], i64[4])"],
    [() => g.scatterAdd(f(4), f(4), 0, 9), "scatterAdd: indices must be i64"],
  ],
  checkpoint: [[() => g.apply("checkpoint", [], { recompute: false }), "checkpoint: input 0 is missing"]],
  after: [[() => g.after(f(2, 3)), "after: needs something to wait for (inputs: f32[2,3])"]],
  takeRows: [
    [
      () => g.takeRows(f(5, 3), f(2), i64(5)),
      "takeRows: indices must be i64 with one axis (inputs: f32[5,3], f32[2], i64[5])",
    ],
    [
      () => g.takeRows(f(5, 3), i64(2), i64(4)),
      "takeRows: the inverse must have one place for each of the 5 rows (inputs: f32[5,3], i64[2], i64[4])",
    ],
  ],
  gatherElements: [
    [
      () => g.gatherElements(f(2, 3), i64(3, 1), 1),
      "gatherElements: dimension 0 is 2 in the input and 3 in the indices (inputs: f32[2,3], i64[3,1])",
    ],
    [
      () => g.gatherElements(f(2, 3), i64(2), 1),
      "gatherElements: indices must be i64 of the input's rank (inputs: f32[2,3], i64[2])",
    ],
  ],
  scatterElementsAdd: [
    [
      () => g.scatterElementsAdd(f(2, 3), i64(2, 2), 1, 9),
      "scatterElementsAdd: indices must be i64 of the updates' shape (inputs: f32[2,3], i64[2,2])",
    ],
    [() => g.scatterElementsAdd(f(2, 3), i64(2, 3), 2, 9), "scatterElementsAdd: axis 2 is not one of the 2 axes"],
  ],
  sum: [...reduction(g.sum, "sum"), ...ofNumbers(g.sum, "sum")],
  mean: [...reduction(g.mean, "mean"), ...unary(g.mean, "mean")],
  max: [...reduction(g.max, "max"), ...ofNumbers(g.max, "max")],
  argMax: [[() => g.argMax(f(2, 3), 2), "argMax: axis 2 is not one of the 2 axes (inputs: f32[2,3])"]],
  cumSum: [
    [() => g.cumSum(f(2, 3), 2), "cumSum: axis 2 is not one of the 2 axes (inputs: f32[2,3])"],
    ...ofNumbers((x) => g.cumSum(x, 0), "cumSum"),
  ],
  matMulNBits: [
    [
      () => g.matMulNBits(f("t", 5), blocks()),
      "matMulNBits: inner dimensions differ: 5 and 64 (inputs: f32[t,5], u8[3,2,32]",
    ],
    [() => g.matMulNBits(f(64), blocks()), "matMulNBits: needs f32 with at least two axes"],
    [() => g.matMulNBits(half("t", 64), blocks()), "matMulNBits: needs f32 with at least two axes"],
    [() => g.matMulNBits(f("t", 64), { ...blocks(), bits: 2 as 4 }), "matMulNBits: bits must be 4 or 8, not 2"],
    [
      () => g.matMulNBits(f("t", 64), { ...blocks(), blockSize: 48 }),
      "matMulNBits: blockSize must be a power of 2 from 16 on, not 48",
    ],
    [
      () => g.matMulNBits(f("t", 64), { ...blocks(), bits: 4 }),
      "matMulNBits: data of a 4-bit [3,64] in blocks of 32 must be u8[3,2,16] (inputs: f32[t,64], u8[3,2,32], f32[3,2])",
    ],
    [
      () => g.matMulNBits(f("t", 64), { ...blocks(), scales: g.weight("s", [3, 1]) }),
      "matMulNBits: scales of a [3,64] in blocks of 32 must be f32[3,2]",
    ],
    [
      () => g.matMulNBits(f("t", 64), { ...blocks(), transposed: blocks() }),
      "matMulNBits: data of a 8-bit [64,3] in blocks of 32 must be u8[64,1,32]",
    ],
    [
      () => g.matMulNBits(f("t", 64), { ...blocks(), scales: f(3, 2) }),
      "matMulNBits: integers and scales must be weights or constants",
    ],
  ],
  matMulInt8: [
    [
      () => g.matMulInt8(f("t", 5), rowsOf8()),
      "matMulInt8: inner dimensions differ: 5 and 64 (inputs: f32[t,5], i8[64,3], f32[3])",
    ],
    [() => g.matMulInt8(f(64), rowsOf8()), "matMulInt8: needs f32 with at least two axes"],
    [
      () => g.matMulInt8(f("t", 64), { ...rowsOf8(), n: 4 }),
      "matMulInt8: data of a [4,64] must be i8[64,4], or u8 of that shape",
    ],
    [() => g.matMulInt8(f("t", 64), { ...rowsOf8(), n: 0 }), "matMulInt8: n and k must be whole and > 0, not 0, 64"],
    [
      () => g.matMulInt8(f("t", 64), { ...rowsOf8(), scales: g.weight("s", [1]) }),
      "matMulInt8: scales of a [3,64] must be f32[3]",
    ],
    [
      () => g.matMulInt8(f("t", 64), { ...rowsOf8(), transposed: rowsOf8() }),
      "matMulInt8: data of a [64,3] must be i8[3,64], or u8 of that shape",
    ],
    [
      () => g.matMulInt8(f("t", 64), { ...rowsOf8(), scales: f(3) }),
      "matMulInt8: integers and scales must be weights or constants",
    ],
  ],
  dequantizeNBits: [
    [
      () => g.dequantizeNBits({ ...blocks(), n: 4 }),
      "dequantizeNBits: data of a 8-bit [4,64] in blocks of 32 must be u8[4,2,32] (inputs: u8[3,2,32], f32[3,2])",
    ],
    [() => g.dequantizeNBits({ ...blocks(), k: 0 }), "dequantizeNBits: n and k must be whole and > 0, not 3, 0"],
  ],
  matmul: [
    [() => g.matmul(f(2, 3), f(4, 5)), "matmul: inner dimensions differ: 3 and 4 (inputs: f32[2,3], f32[4,5])"],
    [
      () => g.matmul(f(2, 3), f(3, 5), { transB: true }),
      "matmul: inner dimensions differ: 3 and 5 (inputs: f32[2,3], f32[3,5])",
    ],
    [() => g.matmul(f("rows", "a"), f("b", 5)), "matmul: inner dimensions differ: a and b"],
    [
      () => g.matmul(f(2, 3, 4), f(3, 4, 5)),
      "matmul: dimension -1 is 2 in one and 3 in the other (inputs: f32[2,3,4], f32[3,4,5])",
    ],
    [() => g.matmul(f(3), f(3, 5)), "matmul: needs at least two axes on both sides (inputs: f32[3], f32[3,5])"],
    [() => g.matmul(half(2, 3), f(3, 5)), "matmul: element types differ; cast one"],
    [() => g.matmul(i64(2, 3), i64(3, 5)), "matmul: needs f32 or f16"],
  ],
  conv1d: [
    ...conv(g.conv1d, "conv1d"),
    [
      () => g.conv1d(f(2, 4, 9), f(3, 2, 3), { groups: 2 }),
      "conv1d: 3 output channels are not a multiple of 2 groups (inputs: f32[2,4,9], f32[3,2,3])",
    ],
    [
      () => g.conv1d(f(2, 4, 2), f(3, 4, 3)),
      "conv1d: the time of 2 is shorter than the kernel of 3 (dimension 2) (inputs: f32[2,4,2], f32[3,4,3])",
    ],
  ],
  convTranspose1d: [
    ...conv(g.convTranspose1d, "convTranspose1d"),
    [
      () => g.convTranspose1d(f(2, 3, 9), f(3, 4, 3), { groups: 2 }),
      "convTranspose1d: 3 input channels are not a multiple of 2 groups (dimension 1)",
    ],
    [
      () => g.convTranspose1d(f(2, 3, 1), f(3, 4, 3), { padding: 2 }),
      "convTranspose1d: padding 2 cuts off more than the result's time (dimension 2)",
    ],
  ],
  softmax: [[() => g.softmax(f(2, 3), 2), "softmax: axis 2 is not one of the 2 axes"], ...unary(g.softmax, "softmax")],
  logSoftmax: [
    [() => g.logSoftmax(f(2, 3), 2), "logSoftmax: axis 2 is not one of the 2 axes"],
    ...unary(g.logSoftmax, "logSoftmax"),
  ],
  softmaxGrad: [
    [
      () => g.apply("softmaxGrad", [f(2), f(2, 3)], { axis: 1 }),
      "softmaxGrad: shapes differ (inputs: f32[2], f32[2,3])",
    ],
  ],
  softmaxCrossEntropy: [
    [
      () => g.softmaxCrossEntropy(f(2, 3), i64(4)),
      "softmaxCrossEntropy: targets must be i64[2], one class a row (inputs: f32[2,3], i64[4])",
    ],
    [
      () => g.softmaxCrossEntropy(f(2, 3), f(2)),
      "softmaxCrossEntropy: targets must be i64[2], one class a row (inputs: f32[2,3], f32[2])",
    ],
    [
      () => g.softmaxCrossEntropy(f(2, 3, 4), i64(2)),
      "softmaxCrossEntropy: logits must be f32 [n, classes] (inputs: f32[2,3,4], i64[2])",
    ],
  ],
  softmaxCrossEntropyGrad: [
    [
      () => g.apply("softmaxCrossEntropyGrad", [f(2, 3), i64(2), f(3)], { ignoreIndex: -100 }),
      "softmaxCrossEntropyGrad: needs one loss gradient a row, [2] (inputs: f32[2,3], i64[2], f32[3])",
    ],
  ],
  layerNorm: normalised((x, w) => g.layerNorm(x, w, w), "layerNorm"),
  layerNormStatistic: normalised(
    (x, w) => g.apply("layerNormStatistic", [x, w, w], { epsilon: 1e-5, which: "mean" }),
    "layerNormStatistic",
  ),
  rmsNorm: normalised(g.rmsNorm, "rmsNorm"),
  rmsNormInvRms: normalised((x, w) => g.apply("rmsNormInvRms", [x, w], { epsilon: 1e-5 }), "rmsNormInvRms"),
  rotary: [
    [
      () => g.rotary(f(2, 3, 4), f(2, 2), f(2, 2), { heads: 1 }),
      "rotary: needs [tokens, heads*headDim] (inputs: f32[2,3,4]",
    ],
    [
      () => g.rotary(f("t", 6), f("t", 1), f("t", 1), { heads: 4 }),
      "rotary: 6 is not 4 heads of an even width (dimension 1) (inputs: f32[t,6]",
    ],
    [
      () => g.rotary(f("t", 6), f("t", 1), f("t", 1), { heads: 2 }),
      "rotary: 6 is not 2 heads of an even width (dimension 1)",
    ],
    [
      () => g.rotary(f("t", 8), f("t", 2), f("u", 2), { heads: 2 }),
      "rotary: cos and sin must be f32[t,2] (inputs: f32[t,8], f32[t,2], f32[u,2])",
    ],
  ],
};

describe("wrong inputs are refused when the graph is built", () => {
  test.each(Object.entries(refusals))("%s", (_, list) => {
    expect(list.length).toBeGreaterThan(0);
    for (const [build, message] of list) {
      let error: unknown;
      try {
        build();
      } catch (e) {
        error = e;
      }
      expect(error).toBeInstanceOf(RangeError);
      expect((error as RangeError).message).toContain(message);
    }
  });

  test("leaves: sizes that are none, constants that do not fit", () => {
    expect(() => f(-1)).toThrow("A dimension must be a whole number >= 0, not -1.");
    expect(() => f("a b")).toThrow("Not a dimension: 'a b'");
    expect(() => g.constant([1, 2, 3], [2, 2])).toThrow("constant: 3 values for shape [2,2]");
  });
});
