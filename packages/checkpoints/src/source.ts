/** @file A named tensor that still lies in its file: what a checkpoint is made of, and how its values are read. */
import type { DType } from "./dtype.ts";

/** Where one tensor's values are. Nothing is read until {@link readTensor} or a program's external data asks for it. */
export interface TensorSource {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Absolute real path (symbolic links resolved: onnxruntime refuses external data behind an escaping link). */
  readonly file: string;
  /** First byte of the tensor in `file`. No alignment is promised. */
  readonly offset: number;
  /** Bytes from the first to the last element. */
  readonly length: number;
  /**
   * Only where the elements are not in row-major order (a `.bin` may hold a transposed view): steps in elements per
   * dimension. Such a tensor, like a `compressed` one, cannot be external data: read it, or copy it first.
   */
  readonly strides?: readonly number[];
  /** Only in a re-compressed `.bin`: the deflated bytes in `file`; `offset` then counts in the inflated bytes. */
  readonly compressed?: { readonly offset: number; readonly length: number; readonly inflatedLength: number };
}

/** A checkpoint: named tensor sources, and whatever text the files carry beside them. */
export interface Checkpoint {
  /** Absolute path of the folder that was opened, or of the folder of the file. */
  readonly folder: string;
  /** Absolute real paths, in the order of the index. */
  readonly files: readonly string[];
  /** By name, in file order. */
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /** `__metadata__` of the safetensors files; later files win. */
  readonly metadata: Readonly<Record<string, string>>;
}
