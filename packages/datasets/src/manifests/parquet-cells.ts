/** @file Sound embedded in Parquet as Hugging Face datasets store it: a struct column of `bytes` and `path`. */
import { EmosllmError } from "@emosllm/interfaces";
import type { AsyncBuffer, FileMetaData } from "hyparquet";

const opened = new Map<string, { file: AsyncBuffer; metadata: FileMetaData; size: number }>();

/** Loaded when the first Parquet file is opened: most users of the package open none. */
const library = () => import("hyparquet");

/** An open Parquet file and its footer, kept for the next cell of the same file. */
export async function openParquet(path: string): Promise<{ file: AsyncBuffer; metadata: FileMetaData }> {
  const { asyncBufferFromFile, parquetMetadataAsync } = await library();
  let file: AsyncBuffer;
  try {
    file = await asyncBufferFromFile(path);
  } catch (cause) {
    throw new EmosllmError("corpus_not_found", `${path}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  const known = opened.get(path);
  if (known && known.size === file.byteLength) return known;
  try {
    const made = { file, metadata: await parquetMetadataAsync(file), size: file.byteLength };
    if (opened.size > 8) opened.clear();
    opened.set(path, made);
    return made;
  } catch (cause) {
    throw new EmosllmError("corpus_invalid", `${path}: no Parquet file: ${(cause as Error).message}`, { cause });
  }
}

/** Rows as objects; byte arrays stay bytes. */
export async function parquetRows(
  path: string,
  columns: string[],
  rowStart: number,
  rowEnd: number,
): Promise<Record<string, unknown>[]> {
  const { file, metadata } = await openParquet(path);
  const [{ parquetReadObjects }, { compressors }] = await Promise.all([library(), import("hyparquet-compressors")]);
  try {
    return await parquetReadObjects({
      file,
      metadata,
      compressors,
      columns,
      rowStart,
      rowEnd,
      utf8: false,
      useOffsetIndex: true,
    });
  } catch (cause) {
    throw new EmosllmError("corpus_invalid", `${path}: rows ${rowStart} to ${rowEnd}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** The bytes at `column[row]`. */
export async function parquetCellBytes(path: string, member: string): Promise<Uint8Array> {
  const m = /^(.*)\[(\d+)\]$/.exec(member);
  if (!m) throw new EmosllmError("corpus_invalid", `${path}: ${member} is not column[row]`);
  const [, column, row] = m as unknown as [string, string, string];
  const [found] = await parquetRows(path, [column], Number(row), Number(row) + 1);
  const cell = found?.[column] as { bytes?: unknown } | Uint8Array | undefined;
  const bytes = cell instanceof Uint8Array ? cell : cell?.bytes;
  if (bytes instanceof Uint8Array) return bytes;
  throw new EmosllmError("corpus_not_found", `${path}: ${member} holds no bytes`);
}
