/**
 * @file The closed list of ops and their attributes. Shape rules, gradient rules and lowerings are tables typed by `OpName`,
 * so an op without one of them does not compile.
 */
import type { Dim } from "./dims.ts";
import type { DType, Shape } from "./tensor.ts";

/** Data of a small constant held in the graph itself. */
export type ConstantData = Float32Array | BigInt64Array | Int32Array | Uint8Array | Uint16Array | Int8Array;

type None = Readonly<Record<never, never>>;

/** A matrix `[n, k]` as 4- or 8-bit integers, each `blockSize` of a row sharing a scale (onnxruntime's MatMulNBits). */
interface NBits {
  readonly bits: 4 | 8;
  readonly blockSize: number;
  readonly n: number;
  readonly k: number;
}

/** Attributes by op. Axes are never negative here: the builders resolve them. */
export interface OpAttributes {
  // leaves
  /** fed at each run (batch, trained parameters, optimiser state) */
  input: { readonly name: string };
  /** frozen; bytes are named when the graph is compiled */
  weight: { readonly name: string };
  constant: { readonly data: ConstantData };
  /** 0, 1, ... size-1 as i64 */
  range: { readonly size: Dim };
  /** a dimension as an i64 scalar */
  size: { readonly dim: Dim };

  // order of computation; both give their first input as it is
  /**
   * Where a part of the graph (a layer) begins. Its gradients are computed before those of the part that comes earlier, so that nothing
   * waits for them; its activations (silu, gelu, relu and their products) are computed again for them instead of kept, with `recompute`
   * all its values.
   */
  checkpoint: { readonly recompute: boolean };
  /** (x, ...others) -> x, but what needs it is not computed before all others are. */
  after: None;

  // element-wise, one input
  neg: None;
  abs: None;
  exp: None;
  log: None;
  sqrt: None;
  reciprocal: None;
  tanh: None;
  sigmoid: None;
  erf: None;
  sin: None;
  cos: None;
  floor: None;
  sign: None;
  relu: None;
  silu: None;
  gelu: { readonly approximate: "none" | "tanh" };
  not: None;
  cast: { readonly to: DType };

  // element-wise, broadcasting
  add: None;
  sub: None;
  mul: None;
  div: None;
  pow: None;
  maximum: None;
  minimum: None;
  equal: None;
  less: None;
  lessEqual: None;
  greater: None;
  greaterEqual: None;
  and: None;
  or: None;
  where: None;

  // layout
  reshape: { readonly shape: Shape };
  transpose: { readonly perm: readonly number[] };
  expand: { readonly shape: Shape };
  slice: { readonly axis: number; readonly start: Dim; readonly end: Dim; readonly step: number };
  concat: { readonly axis: number };
  pad: { readonly axis: number; readonly before: Dim; readonly after: Dim; readonly value: number };
  gather: { readonly axis: number };
  /** adds `updates` into zeros of `size` along `axis`, at `indices` (duplicates add up): the adjoint of gather */
  scatterAdd: { readonly axis: number; readonly size: Dim };
  /** rows of (x [m, ...], indices [n]) where each row of x counts at one place only, inverse [m]: the gradient is a gather again */
  takeRows: None;
  gatherElements: { readonly axis: number };
  /** the adjoint of gatherElements */
  scatterElementsAdd: { readonly axis: number; readonly size: Dim };

  // reductions
  sum: { readonly axes: readonly number[]; readonly keepDims: boolean };
  mean: { readonly axes: readonly number[]; readonly keepDims: boolean };
  max: { readonly axes: readonly number[]; readonly keepDims: boolean };
  argMax: { readonly axis: number; readonly keepDims: boolean };
  cumSum: { readonly axis: number; readonly reverse: boolean };

  // products
  matmul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  /**
   * x W^T for a frozen W `[n, k]` held as integers: (x `[..., k]`, data, scales), or (x, data, scales, data and scales of W^T), which
   * its gradient then reads. x is rounded to 8 bits in blocks too, for int8 arithmetic.
   */
  matMulNBits: NBits;
  /** (x, data i8 `[k, n]`, scales f32 `[n]`, maybe data `[n, k]` and scales `[k]` of the transpose) -> x W^T */
  matMulInt8: { readonly n: number; readonly k: number };
  /** (data, scales) -> the `[n, k]` that they stand for */
  dequantizeNBits: NBits;
  conv1d: { readonly stride: number; readonly padding: number; readonly dilation: number; readonly groups: number };
  convTranspose1d: {
    readonly stride: number;
    readonly padding: number;
    readonly dilation: number;
    readonly groups: number;
    readonly outputPadding: Dim;
  };

  // normalisation, probability, position
  softmax: { readonly axis: number };
  /** (dy, y) -> dx, where y = softmax(x) */
  softmaxGrad: { readonly axis: number };
  logSoftmax: { readonly axis: number };
  /** (logits [n, classes], targets [n] i64) -> [n]; 0 for targets equal to ignoreIndex */
  softmaxCrossEntropy: { readonly ignoreIndex: number };
  /** (logits, targets, dLoss [n]) -> dLogits */
  softmaxCrossEntropyGrad: { readonly ignoreIndex: number };
  layerNorm: { readonly epsilon: number };
  /** mean or 1 / standard deviation over the last axis, as layerNorm computes them: [..., 1] */
  layerNormStatistic: { readonly epsilon: number; readonly which: "mean" | "invStd" };
  rmsNorm: { readonly epsilon: number };
  /** 1 / root mean square over the last axis, as rmsNorm computes it: [..., 1] */
  rmsNormInvRms: { readonly epsilon: number };
  /** (x [tokens, heads*headDim], cos [tokens, headDim/2], sin) */
  rotary: { readonly heads: number; readonly inverse: boolean };
}

/** Every op there is. */
export type OpName = keyof OpAttributes;
