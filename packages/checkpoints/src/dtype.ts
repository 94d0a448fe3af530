/** @file Element types: the graph's lower-case names, their names in safetensors headers, their size and typed array. */

/** The typed array of each element type. */
interface ArrayOf {
  bool: Uint8Array;
  u8: Uint8Array;
  i8: Int8Array;
  i16: Int16Array;
  f16: Uint16Array;
  bf16: Uint16Array;
  i32: Int32Array;
  f32: Float32Array;
  f64: Float64Array;
  i64: BigInt64Array;
}
/** An element type by its name in the graph. */
export type DType = keyof ArrayOf;
/** An element type by its name in a safetensors header. */
export type SafetensorsDType = "BOOL" | "U8" | "I8" | "I16" | "F16" | "BF16" | "I32" | "F32" | "F64" | "I64";
/** The typed array that holds elements of type `D`; `f16` and `bf16` are raw bits in a `Uint16Array`. */
export type TypedArrayOf<D extends DType = DType> = ArrayOf[D];

/** How elements of one type are stored. */
export interface DTypeInfo<D extends DType = DType> {
  readonly safetensors: SafetensorsDType;
  readonly bytes: number;
  /** Place in safetensors' own order; higher is written first. */
  readonly order: number;
  readonly array: {
    new (length: number): ArrayOf[D];
    new (buffer: ArrayBuffer, byteOffset?: number, length?: number): ArrayOf[D];
    readonly name: string;
  };
}

/** Every element type that can be read. 16-bit floats are raw bits: not every supported Node.js has an array for them. */
export const DTYPES: { readonly [D in DType]: DTypeInfo<D> } = {
  bool: { safetensors: "BOOL", bytes: 1, order: 0, array: Uint8Array },
  u8: { safetensors: "U8", bytes: 1, order: 1, array: Uint8Array },
  i8: { safetensors: "I8", bytes: 1, order: 2, array: Int8Array },
  i16: { safetensors: "I16", bytes: 2, order: 3, array: Int16Array },
  f16: { safetensors: "F16", bytes: 2, order: 4, array: Uint16Array },
  bf16: { safetensors: "BF16", bytes: 2, order: 5, array: Uint16Array },
  i32: { safetensors: "I32", bytes: 4, order: 6, array: Int32Array },
  f32: { safetensors: "F32", bytes: 4, order: 7, array: Float32Array },
  f64: { safetensors: "F64", bytes: 8, order: 8, array: Float64Array },
  i64: { safetensors: "I64", bytes: 8, order: 9, array: BigInt64Array },
};

/** safetensors name -> graph name. */
export const FROM_SAFETENSORS: ReadonlyMap<string, DType> = new Map(
  (Object.keys(DTYPES) as DType[]).map((d) => [DTYPES[d].safetensors, d]),
);

/** The product of a shape; 1 for a scalar. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
