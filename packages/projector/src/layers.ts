/** @file What the projectors are built of: declared parameters with PyTorch's first values, linear layers, norms, masked attention. */
import {
  type Dim,
  type Shape,
  type Tensor,
  add,
  dimAdd,
  dimFloorDivide,
  dimMultiply,
  dimSubtract,
  layerNorm,
  less,
  matmul,
  pad,
  range,
  reshape,
  softmax,
  transpose,
  where,
} from "@emosllm/graph";
import type { Initializer, Parameter, ParameterShapes } from "./projector.ts";

/** Parameters as they are declared, in PyTorch's order, so that saved files list the same names. */
export interface Declarations {
  readonly parameters: ParameterShapes;
  readonly initializers: Readonly<Record<string, Initializer>>;
  readonly declare: (name: string, shape: readonly number[], initializer: Initializer) => void;
  /** `nn.Linear`: weight and bias uniform in +-1/sqrt(inputs). */
  readonly dense: (name: string, out: number, input: number) => void;
  /** `nn.LayerNorm` */
  readonly norm: (name: string, width: number) => void;
}

/** +-1/sqrt(inputs): PyTorch's kaiming_uniform with a = sqrt 5. */
export const kaiming = (input: number): Initializer => ({ kind: "uniform", bound: 1 / Math.sqrt(input) });

/** None yet. */
export function declarations(): Declarations {
  const parameters: Record<string, readonly number[]> = {};
  const initializers: Record<string, Initializer> = {};
  const declare: Declarations["declare"] = (name, shape, initializer) => {
    parameters[name] = shape;
    initializers[name] = initializer;
  };
  return {
    parameters,
    initializers,
    declare,
    dense: (name, out, input) => {
      declare(`${name}.weight`, [out, input], kaiming(input));
      declare(`${name}.bias`, [out], kaiming(input));
    },
    norm: (name, width) => {
      declare(`${name}.weight`, [width], { kind: "ones" });
      declare(`${name}.bias`, [width], { kind: "zeros" });
    },
  };
}

/** Layers over declared parameters. */
export interface Layers {
  readonly p: (name: string) => Tensor;
  readonly linear: (name: string, x: Tensor) => Tensor;
  readonly norm: (name: string, x: Tensor, epsilon: number) => Tensor;
}

export function layersOver({ parameters }: Pick<Declarations, "parameters">, parameter: Parameter): Layers {
  const p = (name: string): Tensor => parameter(name, parameters[name] as Shape);
  return {
    p,
    linear: (name, x) => add(matmul(x, p(`${name}.weight`), { transB: true }), p(`${name}.bias`)),
    norm: (name, x, epsilon) => layerNorm(x, p(`${name}.weight`), p(`${name}.bias`), { epsilon }),
  };
}

const MASKED = -1e30;

/** bool `[rows, time]`: whether a frame is one of its row's `lengths`, i64 `[rows]`. */
export const inside = (lengths: Tensor, time: Dim): Tensor =>
  less(reshape(range(time), [1, time]), reshape(lengths, [lengths.shape[0] as Dim, 1]));

/** What is added to scores `[rows, heads, n, time]`: nothing where `seen` `[rows, time]`, so much elsewhere that it weighs 0. */
export const scoreMask = (seen: Tensor): Tensor =>
  reshape(where(seen, 0, MASKED), [seen.shape[0] as Dim, 1, 1, seen.shape[1] as Dim]);

/** Frames `[rows, time, width]` with 0 for those beyond a row's length. */
export const zeroOutside = (x: Tensor, lengths: Tensor): Tensor => {
  const [rows, time] = x.shape as [Dim, Dim, Dim];
  return where(reshape(inside(lengths, time), [rows, time, 1]), x, 0);
};

/** q `[rows, n, d]`, k and v `[rows, length, d]` -> `[rows, n, d]`; `mask` is added to the scores. */
export function attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | undefined, heads: number): Tensor {
  const [rows, n, d] = q.shape as [Dim, Dim, number];
  const split = (x: Tensor): Tensor => transpose(reshape(x, [rows, x.shape[1] as Dim, heads, d / heads]), [0, 2, 1, 3]);
  const scores = matmul(split(q), split(k), { transB: true, alpha: (d / heads) ** -0.5 });
  const weights = softmax(mask ? add(scores, mask) : scores);
  return reshape(transpose(matmul(weights, split(v)), [0, 2, 1, 3]), [rows, n, d]);
}

/** How many groups of `size` frames there are, the last one perhaps not full. */
export const groupCount = (frames: Dim, size: number): Dim => dimFloorDivide(dimAdd(frames, size - 1), size);

/** `[rows, time, width]` -> `[rows, groups, size, width]`, zeros after the end. */
export function grouped(x: Tensor, size: number): Tensor {
  const [rows, time, width] = x.shape as [Dim, Dim, Dim];
  const groups = groupCount(time, size);
  const whole = pad(x, 1, 0, dimSubtract(dimMultiply(groups, size), time));
  return reshape(whole, [rows, groups, size, width]);
}
