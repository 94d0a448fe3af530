/** @file What every projector is: frames in, vectors of the language model's width out, with named parameters. */
import type { Dim, Shape, Tensor } from "@emosllm/graph";

/** Shapes of trained parameters by name. */
export type ParameterShapes = Readonly<Record<string, readonly number[]>>;

/** How a parameter begins. `uniform` is in (-bound, bound). */
export type Initializer =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "uniform"; readonly bound: number };

/** A trained parameter as graph. */
export type Parameter = (name: string, shape: Shape) => Tensor;

/** A projector without its numbers. */
export interface Projector {
  readonly parameters: ParameterShapes;
  readonly initializers: Readonly<Record<string, Initializer>>;
  /** Width of a frame as it is fed: `num_layers_in * input_size`, the layers' features one after the other. */
  readonly inputSize: number;
  /** Width of a vector. */
  readonly outputSize: number;
  /** How many vectors so many frames give: never less than one, never fewer for more frames. A number gives a number. */
  readonly vectors: (frames: Dim) => Dim;
  /**
   * Frames `[rows, frames, inputSize]` and their number a row, i64 `[rows]`, each at least 1 -> `[rows, vectors(frames), outputSize]`.
   * Of a row of `length` frames the first `vectors(length)` vectors count; they depend on those frames alone. What
   * stands after them is finite, and nothing else: it must not reach the loss. With `packing`, a projector may leave frames beyond a row's
   * length out of what it computes; the result is the same.
   */
  readonly build: (frames: Tensor, lengths: Tensor, parameter: Parameter, packing?: FramePacking) => Tensor;
}

/** Which of the frames `[rows, frames]` count, one row after the other. */
export interface FramePacking {
  /** i64 `[own]`: place (`row * frames + i`) of each frame that counts */
  readonly places: Tensor;
  /** i64 `[rows*frames]`: which of those stands at a place; any where none does */
  readonly owners: Tensor;
}
