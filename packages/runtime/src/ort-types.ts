/** @file Element types as onnxruntime calls them, in Node and in a page. */
import type { DType } from "@emosllm/graph";

type OrtType = "float32" | "float16" | "int64" | "int32" | "int8" | "uint8" | "bool";

/** Its name of each type that a host tensor can have. */
export const ORT_TYPES: Readonly<Record<Exclude<DType, "bf16">, OrtType>> = {
  f32: "float32",
  f16: "float16",
  i64: "int64",
  i32: "int32",
  i8: "int8",
  u8: "uint8",
  bool: "bool",
};
