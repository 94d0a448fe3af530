/**
 * @file The header of a safetensors file, checked as the reference implementation checks it (safetensors 0.8,
 * `SafeTensors::read_metadata`): 8 bytes with the length, that many bytes of JSON, then the tensors without gap, overlap
 * or rest. Stricter than it: equal names are refused, the header is at most 16 MiB (theirs 100 MB), a dtype must be one of ours.
 */
import { open, realpath, type FileHandle } from "node:fs/promises";
import { DTYPES, elementCount, FROM_SAFETENSORS, type DType } from "./dtype.ts";
import { invalid, unreadable } from "./errors.ts";
import { readExactly } from "./file.ts";
import { expectEnd, readArray, readCount, readObject, readString, skipValue, type JsonCursor } from "./json-cursor.ts";
import type { TensorSource } from "./source.ts";

/** What a safetensors header says. */
export interface SafetensorsHeader {
  /** Absolute real path. */
  readonly file: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** By name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /** Where the tensors' bytes begin: 8 + the header's length. */
  readonly dataOffset: number;
  readonly fileSize: number;
}

const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const MAX_TENSORS = 50_000;
const MAX_METADATA = 10_000;
const MAX_RANK = 64;

/**
 * Reads and checks the header of a safetensors file; no tensor is read.
 *
 * @throws `checkpoint_not_found` when the file cannot be opened, `checkpoint_invalid` with file, tensor and byte otherwise.
 */
export async function readSafetensorsHeader(file: string): Promise<SafetensorsHeader> {
  let real: string;
  let handle: FileHandle;
  try {
    real = await realpath(file);
    handle = await open(real, "r");
  } catch (cause) {
    throw unreadable(file, cause);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw invalid({ file: real }, "not a regular file");
    return await readHeader(real, handle, stat.size);
  } finally {
    await handle.close();
  }
}

async function readHeader(file: string, handle: FileHandle, fileSize: number): Promise<SafetensorsHeader> {
  if (fileSize < 8)
    throw invalid({ file, byte: fileSize }, `the file ends inside its first 8 bytes, which hold the header's length`);
  const length = (await readExactly(handle, file, 0, 8)).readBigUInt64LE(0);
  if (length > BigInt(MAX_HEADER_BYTES))
    throw invalid({ file, byte: 0 }, `a header of ${length} bytes; at most ${MAX_HEADER_BYTES} are accepted`);
  const dataOffset = 8 + Number(length);
  if (dataOffset > fileSize)
    throw invalid({ file, byte: 0 }, `a header of ${length} bytes in a file of ${fileSize}: the file is truncated`);
  const bytes = await readExactly(handle, file, 8, Number(length));
  return { file, ...parseHeader(file, bytes, dataOffset, fileSize), dataOffset, fileSize };
}

function parseHeader(
  file: string,
  bytes: Buffer,
  dataOffset: number,
  fileSize: number,
): Pick<SafetensorsHeader, "metadata" | "tensors"> {
  let tensor: string | undefined;
  const fail = (message: string, at: number): never => {
    throw invalid({ file, tensor, byte: 8 + at }, message);
  };
  const c: JsonCursor = { bytes, at: 0, fail };
  if (bytes[0] !== "{".charCodeAt(0)) fail("the header does not begin with '{'", 0);
  let metadata: Record<string, string> | undefined;
  const found = new Map<string, TensorSource>();
  readObject(c, (name, at) => {
    if (name === "__metadata__") {
      if (metadata) fail("'__metadata__' is there twice", at);
      metadata = readMetadata(c);
      return;
    }
    tensor = name;
    if (found.has(name)) fail("the name is there twice", at);
    if (found.size >= MAX_TENSORS) fail(`more than ${MAX_TENSORS} tensors`, at);
    found.set(name, readTensorInfo(c, file, name, at, dataOffset));
    tensor = undefined;
  });
  expectEnd(c);

  const ordered = [...found.values()].sort((a, b) => a.offset - b.offset || a.length - b.length);
  let end = dataOffset;
  for (const t of ordered) {
    if (t.offset !== end)
      throw invalid(
        { file, tensor: t.name, byte: t.offset },
        t.offset < end
          ? `begins inside another tensor, which ends at byte ${end}`
          : `begins ${t.offset - end} bytes behind the end of the tensor before it (byte ${end})`,
      );
    end += t.length;
    if (end > fileSize)
      throw invalid({ file, tensor: t.name, byte: t.offset }, `ends at byte ${end}, but the file has only ${fileSize}`);
  }
  if (end !== fileSize)
    throw invalid({ file, byte: end }, `the tensors end here, but the file goes on to byte ${fileSize}`);
  return { metadata: metadata ?? {}, tensors: new Map(ordered.map((t) => [t.name, t])) };
}

function readMetadata(c: JsonCursor): Record<string, string> {
  const entries = new Map<string, string>();
  readObject(c, (key, at) => {
    if (entries.has(key)) c.fail("a key of '__metadata__' is there twice", at);
    if (entries.size >= MAX_METADATA) c.fail(`'__metadata__' has more than ${MAX_METADATA} keys`, at);
    entries.set(key, readString(c));
  });
  return Object.fromEntries(entries);
}

function readTensorInfo(c: JsonCursor, file: string, name: string, start: number, dataOffset: number): TensorSource {
  let dtype: DType | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  readObject(c, (key, at) => {
    if (key === "dtype" && dtype === undefined) {
      const text = readString(c);
      dtype = FROM_SAFETENSORS.get(text);
      if (dtype === undefined)
        c.fail(
          `dtype '${text.slice(0, 20)}' is not supported; one of ${[...FROM_SAFETENSORS.keys()].join(" ")} is`,
          at,
        );
    } else if (key === "shape" && shape === undefined) shape = readCounts(c, MAX_RANK, "shape");
    else if (key === "data_offsets" && offsets === undefined) offsets = readCounts(c, 2, "data_offsets");
    else if (key === "dtype" || key === "shape" || key === "data_offsets") c.fail(`'${key}' is there twice`, at);
    else skipValue(c);
  });
  if (dtype === undefined || shape === undefined || offsets === undefined)
    return c.fail("'dtype', 'shape' or 'data_offsets' is missing", start);
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || end < begin)
    return c.fail(`data_offsets [${offsets.join(", ")}] are not [begin, end]`, start);
  const bytes = elementCount(shape) * DTYPES[dtype].bytes;
  if (bytes !== end - begin)
    c.fail(
      `shape [${shape.join(", ")}] of ${DTYPES[dtype].safetensors} takes ${bytes} bytes, but data_offsets [${begin}, ${end}] hold ${end - begin}`,
      start,
    );
  return { name, dtype, shape, file, offset: dataOffset + begin, length: end - begin };
}

function readCounts(c: JsonCursor, most: number, what: string): number[] {
  const list: number[] = [];
  readArray(c, (i) => {
    if (i >= most) c.fail(`'${what}' has more than ${most} numbers`, c.at);
    list.push(readCount(c));
  });
  return list;
}
