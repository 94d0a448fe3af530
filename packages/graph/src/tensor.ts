/** @file What a tensor is: a readonly plain object that says which op makes it from which tensors. Nothing is computed here. */
import { type Dim, dim } from "./dims.ts";
import type { OpAttributes, OpName } from "./op-table.ts";

/** Element types. `bf16`, `i8` are storage types of frozen weights: they are cast before arithmetic. */
export const DTYPES = ["f32", "f16", "bf16", "i64", "i32", "i8", "u8", "bool"] as const;
/** One of {@link DTYPES}. */
export type DType = (typeof DTYPES)[number];

/** Dimensions from the outermost to the innermost. */
export type Shape = readonly Dim[];

/** A value in the graph: op, inputs, attributes, and the shape and type that follow from them. */
export interface Tensor<K extends OpName = OpName> {
  readonly op: K;
  readonly inputs: readonly Tensor[];
  readonly attrs: OpAttributes[K];
  readonly shape: Shape;
  readonly dtype: DType;
}

/** `f32[rows,4]` */
export const describeType = (t: { readonly dtype: DType; readonly shape: Shape }): string =>
  `${t.dtype}[${t.shape.join(",")}]`;

/** A node as it is; op builders go through `apply`, which also checks the shapes. */
export const makeTensor = <K extends OpName>(
  op: K,
  inputs: readonly Tensor[],
  attrs: OpAttributes[K],
  shape: Shape,
  dtype: DType,
): Tensor<K> =>
  Object.freeze({ op, inputs: Object.freeze([...inputs]), attrs, shape: Object.freeze(shape.map(dim)), dtype });

/** Narrows a tensor to the op that made it. */
export const isOp = <K extends OpName>(t: Tensor, op: K): t is Tensor<K> => t.op === (op as OpName);
