/** @file Tensors in the memory of this process: what is fed to a program and what comes back. */
import type { DType } from "@emosllm/graph";

/** Array type by element type. `f16` and `bf16` are raw bits in a `Uint16Array`; `bool` is one byte each. */
export interface HostArrays {
  f32: Float32Array;
  f16: Uint16Array;
  bf16: Uint16Array;
  i64: BigInt64Array;
  i32: Int32Array;
  i8: Int8Array;
  u8: Uint8Array;
  bool: Uint8Array;
}

/** A value with a known shape, row-major. */
export interface HostTensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: HostArrays[D];
}

/** Array constructors by element type. */
export const HOST_ARRAYS: {
  readonly [D in DType]: {
    new (length: number): HostArrays[D];
    new (buffer: ArrayBufferLike, offset?: number, length?: number): HostArrays[D];
    BYTES_PER_ELEMENT: number;
  };
} = {
  f32: Float32Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  i64: BigInt64Array,
  i32: Int32Array,
  i8: Int8Array,
  u8: Uint8Array,
  bool: Uint8Array,
};

/** Bytes that an element takes. */
export const bytesPerElement = (dtype: DType): number => HOST_ARRAYS[dtype].BYTES_PER_ELEMENT;

/** Number of elements. */
export const elements = (shape: readonly number[]): number => shape.reduce((p, d) => p * d, 1);

/** A tensor over `data`. Throws RangeError when the shape does not fit it. */
export function hostTensor<D extends DType>(dtype: D, shape: readonly number[], data: HostArrays[D]): HostTensor<D> {
  if (elements(shape) !== data.length)
    throw new RangeError(`${data.length} values do not fill the shape [${shape.join(",")}]`);
  return { dtype, shape, data };
}

/** An f32 tensor of the given numbers. */
export const f32 = (data: ArrayLike<number>, shape: readonly number[] = [data.length]): HostTensor<"f32"> =>
  hostTensor("f32", shape, data instanceof Float32Array ? data : Float32Array.from(data));

/** An i64 tensor of the given whole numbers. */
export const i64 = (data: ArrayLike<number>, shape: readonly number[] = [data.length]): HostTensor<"i64"> =>
  hostTensor(
    "i64",
    shape,
    BigInt64Array.from(Array.from(data), (v) => BigInt(v)),
  );

/** Zeros. */
export const zeros = <D extends DType>(dtype: D, shape: readonly number[]): HostTensor<D> =>
  hostTensor(dtype, shape, new HOST_ARRAYS[dtype](elements(shape)) as HostArrays[D]);
