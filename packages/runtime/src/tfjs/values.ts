/** @file Between this process's arrays and TensorFlow.js: it has `float32`, `int32` and `bool` only. */
import { readSync, openSync, closeSync } from "node:fs";
import type { DType, Tensor } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { HOST_ARRAYS, type HostArrays, type HostTensor, elements } from "../host-tensor.ts";
import { type WeightSource, checkWeight } from "../weight-source.ts";
import type { Tf } from "./backends.ts";
import { fromBfloat, fromHalf, toHalf } from "../half.ts";
import type { Value } from "./kernels.ts";

type TfType = "float32" | "int32" | "bool";
/** The type that stands for an element type. */
export const TF_TYPES: Readonly<Record<DType, TfType>> = {
  f32: "float32",
  f16: "float32",
  bf16: "float32",
  i64: "int32",
  i32: "int32",
  i8: "int32",
  u8: "int32",
  bool: "bool",
};

/** A value of the array's elements. Throws RangeError for an i64 that int32 cannot hold. */
export function toTf(tf: Tf, { dtype, shape, data }: HostTensor, what: string): Value {
  return tf.tensor((TO[dtype] as (d: unknown, what: string) => Own)(data, what), [...shape], TF_TYPES[dtype]) as Value;
}

type Own = Float32Array | Int32Array | Uint8Array;
const wholeNumbers = (data: ArrayLike<number>): Own => Int32Array.from(data);
/** Copies: TensorFlow.js keeps the array it is given, and its owner may write into it afterwards. */
const TO: { readonly [D in DType]: (data: HostArrays[D], what: string) => Own } = {
  f32: (data) => Float32Array.from(data),
  f16: (data) => Float32Array.from(data, fromHalf),
  bf16: (data) => Float32Array.from(data, fromBfloat),
  bool: (data) => Uint8Array.from(data),
  i32: wholeNumbers,
  i8: wholeNumbers,
  u8: wholeNumbers,
  i64: (data, what) =>
    Int32Array.from(data as unknown as ArrayLike<number>, (v) => {
      const n = Number(v);
      if (n !== (n | 0)) throw new RangeError(`${what} holds ${v}, but TensorFlow.js has whole numbers of 32 bits.`);
      return n;
    }),
};

const FROM: { readonly [D in DType]?: (data: Float32Array | Int32Array | Uint8Array) => HostArrays[D] } = {
  f16: (data) => Uint16Array.from(data, toHalf),
  i64: (data) => BigInt64Array.from(data as Int32Array as unknown as number[], (v) => BigInt(v)),
};

/** The elements of a value as the graph's element type. */
export async function fromTf(value: Value, dtype: DType): Promise<HostTensor> {
  const data = await value.data<"float32">();
  const array = FROM[dtype]?.(data) ?? new HOST_ARRAYS[dtype](elements(value.shape));
  if (!FROM[dtype]) (array as Float32Array).set(data);
  return { dtype, shape: [...value.shape], data: array as Float32Array };
}

/** A frozen weight, read into memory. Throws EmosllmError as for every executor when it is missing or does not fit. */
export function weightToTf(tf: Tf, t: Tensor<"weight">, given: WeightSource | undefined): Value {
  const { source, shape, bytes: length } = checkWeight(t, given);
  const bytes = new Uint8Array(length);
  if ("data" in source) {
    bytes.set(new Uint8Array(source.data.buffer, source.data.byteOffset, source.data.byteLength));
  } else {
    const file = openSync(source.file, "r");
    try {
      for (let at = 0; at < bytes.length;) {
        const read = readSync(file, bytes, at, Math.min(bytes.length - at, 1 << 30), source.offset + at);
        if (read === 0)
          throw new EmosllmError("checkpoint_invalid", `${source.file} ends within the weight '${t.attrs.name}'.`);
        at += read;
      }
    } finally {
      closeSync(file);
    }
  }
  const data = new HOST_ARRAYS[t.dtype](bytes.buffer) as HostTensor["data"];
  return toTf(tf, { dtype: t.dtype, shape, data }, `The weight '${t.attrs.name}'`);
}
