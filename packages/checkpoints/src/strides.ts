/** @file Views that are not row-major: what a `.bin` file stores for a transposed or expanded tensor. */
import type { TypedArrayOf } from "./dtype.ts";
import { elementCount } from "./dtype.ts";

/** Row-major strides, in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = Array.from({ length: shape.length }, () => 1);
  for (let d = shape.length - 2; d >= 0; d--) strides[d] = strides[d + 1]! * Math.max(1, shape[d + 1]!);
  return strides;
}

/** Whether elements lie in row-major order; strides of dimensions of one element do not matter, as in PyTorch. */
export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  const wanted = contiguousStrides(shape);
  return shape.every((n, d) => n === 1 || strides[d] === wanted[d]);
}

/** Elements from the first to the last one of a view, both counted; 0 for an empty one. */
export function spanOf(shape: readonly number[], strides: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((last, n, d) => last + (n - 1) * strides[d]!, 1);
}

/** Copies a strided view into row-major order. */
export function gather(stored: TypedArrayOf, shape: readonly number[], strides: readonly number[]): TypedArrayOf {
  const count = elementCount(shape);
  const out = new (stored.constructor as new (length: number) => TypedArrayOf)(count);
  const rank = shape.length;
  const index = Array.from({ length: rank }, () => 0);
  let from = 0;
  for (let i = 0; i < count; i++) {
    out[i] = stored[from]!;
    for (let d = rank - 1; d >= 0; d--) {
      from += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      from -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return out;
}
