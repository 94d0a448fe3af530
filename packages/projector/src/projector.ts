/** @file What every projector is: frames in, a fixed number of vectors of the language model's width out, with named parameters. */
import type { Shape, Tensor } from "@emosllm/graph";

/** Shapes of trained parameters by name. */
export type ParameterShapes = Readonly<Record<string, readonly number[]>>;

/** How a parameter begins. `uniform` is in (-bound, bound). */
export type Initializer =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "uniform"; readonly bound: number };

/** A projector without its numbers. */
export interface Projector {
  readonly parameters: ParameterShapes;
  readonly initializers: Readonly<Record<string, Initializer>>;
  /** Vectors a row. */
  readonly queries: number;
  /** Width of a vector. */
  readonly outputSize: number;
  /** Frames `[rows, frames, inputSize]` and their number a row, i64 `[rows]` -> `[rows, queries, outputSize]`. */
  readonly build: (frames: Tensor, lengths: Tensor, parameter: (name: string, shape: Shape) => Tensor) => Tensor;
}
