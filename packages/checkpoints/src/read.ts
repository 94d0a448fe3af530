/** @file Values out of a tensor source. */
import { open, type FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";
import { DTYPES, elementCount, type DType, type DTypeInfo, type TypedArrayOf } from "./dtype.ts";
import { invalid, unreadable } from "./errors.ts";
import { readExactly } from "./file.ts";
import { bf16ToF32, f16ToF32 } from "./float16.ts";
import { gather } from "./strides.ts";
import type { TensorSource } from "./source.ts";

/**
 * Reads a tensor into memory, row-major.
 *
 * @param as `'f32'` converts any dtype (exactly from `bf16` and `f16`, rounded from `f64` and `i64`); without it the values
 * keep their dtype, `f16` and `bf16` as raw bits in a `Uint16Array`.
 * @returns a typed array of as many elements as the shape has.
 * @throws `checkpoint_invalid` when the file has become shorter, `checkpoint_not_found` when it has gone.
 */
export async function readTensor(source: TensorSource, as: "f32"): Promise<Float32Array>;
export async function readTensor(source: TensorSource, as?: "f32"): Promise<TypedArrayOf>;
export async function readTensor(source: TensorSource, as?: "f32"): Promise<TypedArrayOf> {
  const { bytes, array }: DTypeInfo = DTYPES[source.dtype];
  const raw = await readBytes(source);
  const stored = new array(raw.buffer as ArrayBuffer, raw.byteOffset, raw.byteLength / bytes);
  const values = source.strides ? gather(stored, source.shape, source.strides) : stored;
  if (!source.strides && values.length !== elementCount(source.shape))
    throw invalid(
      { file: source.file, tensor: source.name, byte: source.offset },
      `${source.length} bytes do not hold shape [${source.shape.join(", ")}] of ${source.dtype}`,
    );
  return as === "f32" ? toF32(values, source.dtype) : values;
}

/** The bytes of a source, in a buffer of their own (so any typed array may view them). */
async function readBytes(source: TensorSource): Promise<Uint8Array> {
  const handle = await open(source.file, "r").catch((cause: unknown) => {
    throw unreadable(source.file, cause);
  });
  try {
    if (source.compressed) return await inflateRange(handle, source, source.compressed);
    return await readExactly(handle, source.file, source.offset, source.length);
  } finally {
    await handle.close();
  }
}

/** Inflates a member as a stream and keeps only the tensor's part of it. */
async function inflateRange(
  handle: FileHandle,
  source: TensorSource,
  { offset, length, inflatedLength }: NonNullable<TensorSource["compressed"]>,
): Promise<Uint8Array> {
  const place = { file: source.file, tensor: source.name, byte: offset };
  const out = new Uint8Array(source.length);
  let at = 0;
  const keep = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      const from = Math.max(0, source.offset - at);
      const to = Math.min(chunk.length, source.offset + source.length - at);
      if (from < to) out.set(chunk.subarray(from, to), at + from - source.offset);
      at += chunk.length;
      if (at > inflatedLength) throw new RangeError(`more than ${inflatedLength} bytes`);
    }
  };
  await pipeline(chunksOf(handle, source.file, offset, length), createInflateRaw(), keep).catch((cause: unknown) => {
    throw invalid(place, "the deflated bytes are damaged", cause);
  });
  if (at !== inflatedLength) throw invalid(place, `inflates to ${at} bytes instead of ${inflatedLength}`);
  return out;
}

/** Not `createReadStream`: when the consumer fails it closes the handle, which is the caller's to close. */
async function* chunksOf(handle: FileHandle, file: string, offset: number, length: number): AsyncGenerator<Buffer> {
  const most = 256 * 1024;
  for (let done = 0; done < length; done += most)
    yield await readExactly(handle, file, offset + done, Math.min(most, length - done));
}

/** Values of any dtype as f32. */
export function toF32(values: TypedArrayOf, dtype: DType): Float32Array {
  if (dtype === "f32") return values as Float32Array;
  if (dtype === "bf16") return bf16ToF32(values as Uint16Array);
  if (dtype === "f16") return f16ToF32(values as Uint16Array);
  if (dtype === "i64") return Float32Array.from(values as BigInt64Array, Number);
  return Float32Array.from(values as Float64Array);
}
