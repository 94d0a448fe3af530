/**
 * @file What differs on WebGPU: onnxruntime 1.30 has no kernel there for some of the CPU's ops (they would be run on the CPU, with
 * a copy there and back), and leaves an output unwritten or fails in others.
 */
import type { Dim, Shape, Tensor } from "@emosllm/graph";
import type { Builder } from "./builder.ts";
import { ONNX_DTYPES } from "./model.ts";
import { type LoweringTable, crossEntropyLowerings, dequantiseByGather, first, lowerings } from "./lowerings.ts";
import { sine } from "./webgpu-sine.ts";

/** LogSoftmax has no kernel. */
function logSoftmax(b: Builder, x: string, axis: number): string {
  const along = b.ints([axis]);
  const shifted = first(b.node("Sub", [x, first(b.node("ReduceMax", [x, along], { keepdims: 1 }))]));
  const total = first(b.node("ReduceSum", [first(b.node("Exp", [shifted])), along], { keepdims: 1 }));
  return first(b.node("Sub", [shifted, first(b.node("Log", [total]))]));
}

/** The last two axes in the other order. */
const swapLast = (rank: number): number[] => [...Array(rank - 2).keys(), rank - 1, rank - 2];
const rankOf = (t: Tensor, i: number): number => (t.inputs[i] as Tensor).shape.length;

/** Elements of a matrix from which on it is turned before a product. */
const LARGE = 2 ** 18;
/** Elements of a shape without named dimensions, else 0. */
const knownSize = (shape: Shape): number => shape.reduce<number>((n, d) => (typeof d === "number" ? n * d : 0), 1);

/** Whether the input is spread out to meet the result's shape. */
const broadcasts = (t: Tensor, i: number): boolean => (t.inputs[i] as Tensor).shape.join() !== t.shape.join();

/** See {@link LoweringTable}. */
export const webgpuLowerings: LoweringTable = {
  ...lowerings,
  ...crossEntropyLowerings(logSoftmax),
  logSoftmax: (b, t, x) => logSoftmax(b, first(x), t.attrs.axis),

  // FusedMatMul has no kernel; Gemm has, for two axes. It reads a turned side at a third of MatMul's speed (H100, 490x2048x8192: 4.8 and 12.8
  // Tflop/s), so for large matrices a turned copy is cheaper.
  matmul: (b, t, x) => {
    const { transA, transB, alpha } = t.attrs;
    const isLarge =
      (transB && knownSize((t.inputs[1] as Tensor).shape) >= LARGE) || (transA && knownSize(t.shape) >= LARGE);
    if (rankOf(t, 0) === 2 && rankOf(t, 1) === 2 && (transA || transB || alpha !== 1) && !isLarge)
      return first(b.node("Gemm", x, { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } }));
    const sides = [transA, transB].map((turned, i) =>
      turned ? first(b.node("Transpose", [x[i] as string], { perm: swapLast(rankOf(t, i)) })) : (x[i] as string),
    );
    const product = first(b.node("MatMul", sides));
    return alpha === 1 ? product : first(b.node("Mul", [product, b.scalar(alpha, t.dtype)]));
  },

  // Level 4 would round the other side to 8 bits, but only for some sizes.
  matMulNBits: (b, t, x) => {
    const { bits, blockSize, n, k } = t.attrs;
    return first(b.contrib("MatMulNBits", x.slice(0, 3), { bits, block_size: blockSize, N: n, K: k }));
  },
  // The integers as they are, the other side unrounded.
  matMulInt8: (b, t, [x, data, scales]) => {
    const integers = first(b.node("Cast", [data as string], { to: ONNX_DTYPES.f32 }));
    const whole = t.inputs[1]?.dtype === "u8" ? first(b.node("Sub", [integers, b.scalar(128, "f32")])) : integers;
    return first(b.node("Mul", [first(b.node("MatMul", [x as string, whole])), scales as string]));
  },
  // There are no u8 tensors to expand.
  dequantizeNBits: (b, t, x) => dequantiseByGather(b, t.attrs, x as [string, string]),

  // Pow fails where it broadcasts.
  pow: (b, t, x) =>
    first(
      b.node(
        "Pow",
        x.map((v, i) => (broadcasts(t, i) ? first(b.node("Expand", [v, b.shape(t.shape)])) : v)),
      ),
    ),

  sin: (b, t, x) => sine(b, first(x), t.dtype, 0),
  cos: (b, t, x) => sine(b, first(x), t.dtype, 1),

  // Sign has no kernel.
  sign: (b, t, [x]) => {
    const zero = b.scalar(0, t.dtype);
    const below = first(b.node("Less", [x as string, zero]));
    const above = first(b.node("Greater", [x as string, zero]));
    const negative = first(b.node("Where", [below, b.scalar(-1, t.dtype), zero]));
    return first(b.node("Where", [above, b.scalar(1, t.dtype), negative]));
  },

  // Pad has no kernel.
  pad: (b, t, x) => {
    const { axis, before, after, value } = t.attrs;
    const block = (size: Dim): string[] =>
      size === 0
        ? []
        : [
            first(
              b.node("Expand", [b.scalar(value, t.dtype), b.shape(t.shape.map((d, i) => (i === axis ? size : d)))]),
            ),
          ];
    return first(b.node("Concat", [...block(before), first(x), ...block(after)], { axis }));
  },

  // The second output of SimplifiedLayerNormalization is left unwritten.
  rmsNormInvRms: (b, t, [x]) => {
    const square = first(b.node("Mul", [x as string, x as string]));
    const mean = first(b.node("ReduceMean", [square, b.ints([t.shape.length - 1])], { keepdims: 1 }));
    const root = first(b.node("Sqrt", [first(b.node("Add", [mean, b.scalar(t.attrs.epsilon, t.dtype)]))]));
    return first(b.node("Reciprocal", [root]));
  },
};
