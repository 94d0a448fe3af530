/**
 * @file Writes safetensors files, byte for byte as Python's `safetensors` 0.8 writes the same tensors: larger dtypes first, then
 * by the names' UTF-8 bytes, the header padded with spaces to 8. (With two or more metadata keys theirs come in random order;
 * ours keep the caller's.)
 */
import { readSafetensorsHeader } from "./safetensors-header.ts";
import { DTYPES, elementCount, type DType, type TypedArrayOf } from "./dtype.ts";
import { invalid } from "./errors.ts";
import { publish, writeFully } from "./file.ts";
import { readTensor } from "./read.ts";

/** A tensor in memory. `f16` and `bf16` are raw bits in a `Uint16Array`, `bool` is 0 or 1 in a `Uint8Array`. */
export interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArrayOf;
}

/** A header and where each tensor's bytes go. */
export interface SafetensorsLayout {
  /** The first bytes of the file: length, JSON, padding. */
  readonly header: Buffer;
  /** First byte of each tensor in the file. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly fileSize: number;
}

/** Lays out a safetensors file for tensors of known dtype and shape, before any value exists. */
export function layoutSafetensors(
  tensors: ReadonlyMap<string, { readonly dtype: DType; readonly shape: readonly number[] }>,
  metadata?: Readonly<Record<string, string>>,
): SafetensorsLayout {
  const entries = [...tensors]
    .map(([name, t]) => ({ name, key: Buffer.from(name), ...t }))
    .sort((a, b) => DTYPES[b.dtype].order - DTYPES[a.dtype].order || Buffer.compare(a.key, b.key));
  const fields: string[] = [];
  if (metadata) fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  const relative = new Map<string, number>();
  let end = 0;
  for (const { name, dtype, shape } of entries) {
    const bytes = elementCount(shape) * DTYPES[dtype].bytes;
    relative.set(name, end);
    const info = { dtype: DTYPES[dtype].safetensors, shape, data_offsets: [end, end + bytes] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(info)}`);
    end += bytes;
  }
  const json = Buffer.from(`{${fields.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const header = Buffer.alloc(8 + padded, " ");
  header.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(header, 8);
  const offsets = new Map([...relative].map(([name, offset]) => [name, header.length + offset]));
  return { header, offsets, fileSize: header.length + end };
}

/**
 * Writes a safetensors file, completely or not at all.
 *
 * @param metadata becomes `__metadata__`; transformers expects `{ format: "pt" }` in a model's weights.
 * @throws `checkpoint_invalid` when a tensor's data and shape disagree, `disk_full`.
 */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [name, { dtype, shape, data }] of tensors) {
    if (name === "__metadata__") throw invalid({ file, tensor: name }, "the name is reserved");
    if (!(data instanceof DTYPES[dtype].array))
      throw invalid(
        { file, tensor: name },
        `${dtype} needs a ${DTYPES[dtype].array.name}, got ${data.constructor.name}`,
      );
    if (data.length !== elementCount(shape) || shape.some((d) => !Number.isInteger(d) || d < 0))
      throw invalid({ file, tensor: name }, `shape [${shape.join(", ")}] with ${data.length} values`);
  }
  const { header, offsets } = layoutSafetensors(tensors, metadata);
  await publish(file, async (handle) => {
    await writeFully(handle, header, 0);
    for (const [name, { data }] of tensors)
      await writeFully(
        handle,
        new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
        offsets.get(name)!,
      );
  });
}

/** Reads every tensor of a safetensors file into memory: for small files (adapters, projectors, optimiser state). */
export async function loadSafetensors(file: string): Promise<Map<string, StoredTensor>> {
  const { tensors } = await readSafetensorsHeader(file);
  const out = new Map<string, StoredTensor>();
  for (const [name, source] of tensors)
    out.set(name, { dtype: source.dtype, shape: source.shape, data: await readTensor(source) });
  return out;
}
