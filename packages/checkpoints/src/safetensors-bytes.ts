/** @file A safetensors file that is in memory already (fetched by a page, say). No Node.js needed. */
import { DTYPES, FROM_SAFETENSORS, elementCount, type TypedArrayOf } from "./dtype.ts";
import { invalid } from "./errors.ts";
import { bf16ToF32, f16ToF32 } from "./float16.ts";
import type { TensorSource } from "./source.ts";

/** A tensor in memory that stands where a {@link TensorSource} may. Programs take `data`; `file` is only a name. */
export interface TensorInMemory extends TensorSource {
  readonly data: TypedArrayOf;
}

interface Info {
  readonly dtype?: unknown;
  readonly shape?: unknown;
  readonly data_offsets?: unknown;
}

const isCounts = (v: unknown): v is number[] => Array.isArray(v) && v.every((n) => Number.isSafeInteger(n) && n >= 0);

/** Every tensor of the file, by name. `file` opens the messages. Throws EmosllmError `checkpoint_invalid`. */
export function safetensorsInMemory(bytes: Uint8Array, file = "safetensors"): Map<string, TensorInMemory> {
  const size = bytes.byteLength;
  if (size < 8) throw invalid({ file, byte: size }, "the file ends inside its first 8 bytes, the header's length");
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  const begin = 8 + length;
  if (begin > size) throw invalid({ file, byte: 0 }, `a header of ${length} bytes in a file of ${size}`);
  let header: Record<string, Info>;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, begin)));
  } catch (cause) {
    throw invalid({ file, byte: 8 }, `the header is no JSON: ${(cause as Error).message}`);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw invalid({ file, byte: 8 }, "the header is no JSON object");
  const found = new Map<string, TensorInMemory>();
  for (const [name, info] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const dtype = FROM_SAFETENSORS.get(String(info?.dtype));
    const { shape, data_offsets: range } = info ?? {};
    if (dtype === undefined) throw invalid({ file, tensor: name }, `dtype '${String(info?.dtype)}' is not supported`);
    if (!isCounts(shape) || !isCounts(range) || range.length !== 2)
      throw invalid({ file, tensor: name }, "'shape' or 'data_offsets' is missing or wrong");
    const [from, to] = range as [number, number];
    const { bytes: width, array } = DTYPES[dtype];
    if (to - from !== elementCount(shape) * width || begin + to > size)
      throw invalid({ file, tensor: name }, `[${shape.join(", ")}] of ${dtype} does not fit bytes ${from} to ${to}`);
    // A copy: typed arrays must begin at a multiple of their width.
    const own = bytes.slice(begin + from, begin + to);
    const data = new array(own.buffer as ArrayBuffer) as TypedArrayOf;
    found.set(name, { name, dtype, shape, file, offset: begin + from, length: to - from, data });
  }
  return found;
}

/** The same tensors with f16 and bf16 as f32 (exact, at twice the memory): many devices of browsers cannot read half-precision numbers. */
export function widenedInMemory(tensors: ReadonlyMap<string, TensorInMemory>): Map<string, TensorInMemory> {
  const wide = { f16: f16ToF32, bf16: bf16ToF32 } as const;
  return new Map(
    Array.from(tensors, ([name, t]) => {
      if (t.dtype !== "f16" && t.dtype !== "bf16") return [name, t];
      const data = wide[t.dtype](t.data as Uint16Array);
      return [name, { ...t, dtype: "f32", length: data.byteLength, data }];
    }),
  );
}
