/**
 * @file Weight matrices as 8- or 4-bit integers in blocks, in the layout of onnxruntime's `MatMulNBits`, packed once and kept in a
 * cache as a safetensors file that programs then map into memory.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { cacheFolder } from "./cache-folder.ts";
import { contentHashes } from "./content-hash.ts";
import { type DType, elementCount } from "./dtype.ts";
import { invalid } from "./errors.ts";
import { publish, temporaryName, writeFully } from "./file.ts";
import { withLock } from "./lock.ts";
import { runUnits, type PackRowsUnit, type PackUnit, type Rows } from "./pack-worker.ts";
import { readTensor } from "./read.ts";
import { readSafetensorsHeader } from "./safetensors-header.ts";
import { layoutSafetensors, writeSafetensors, type SafetensorsLayout, type StoredTensor } from "./safetensors-write.ts";
import type { TensorSource } from "./source.ts";

/** Values that share a scale. 32 is more exact, 128 faster. */
export const BLOCK_SIZES = [32, 64, 128, 256] as const;
export type BlockSize = (typeof BLOCK_SIZES)[number];

/** `"row"`: one scale for a whole row, integers stored turned, for `DynamicQuantizeMatMul`; 8 bits only. */
export type PackedBlock = BlockSize | "row";

/** A matrix to pack: one tensor `[N, K]` (or `[N, ...]` with K the product of the rest), or several with equal `K` that are stacked along `N` (query, key and value in one). */
export interface PackRequest {
  /** What the packed matrix is called in {@link PackedWeights.matrices}. */
  readonly name: string;
  /** f32, f16 or bf16, of rank 2 or more. */
  readonly sources: readonly TensorSource[];
  readonly bits: 4 | 8;
  readonly blockSize: PackedBlock;
  /** Also pack the transpose, which the product with a gradient needs. */
  readonly transposed?: boolean;
  /** With a scale a row: integers as u8, 128 higher, for processors on which u8 x i8 overflows. */
  readonly unsigned?: boolean;
}

/**
 * The `B` and `scales` inputs of one `MatMulNBits`; there are no zero points (the default, 2^(bits-1), is meant). Where `K` is a multiple
 * of the block, the same bytes are `data` and `scales` of a `GatherBlockQuantized` over `[N, K]`. With a scale a row: the `B` and `b_scale`
 * of one `DynamicQuantizeMatMul`; `q = round(value / scale)` and the row's largest magnitude is 127.
 */
export interface PackedBlocks {
  /** `[N, ceil(K / blockSize), blockSize * bits / 8]` of `u8`; `[K, N]` of `i8` with a scale a row (`u8` if asked for). */
  readonly data: TensorSource;
  /** `[N, ceil(K / blockSize)]` of `f32`; `[N]` with a scale a row. */
  readonly scales: TensorSource;
}

/** A packed matrix. Attributes of its node: `N` = `rows`, `K` = `columns`, `bits`, `block_size` = `blockSize`. */
export interface PackedMatrix extends PackedBlocks {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly bits: 4 | 8;
  readonly blockSize: PackedBlock;
  /** The transpose: `N` = `columns`, `K` = `rows`. */
  readonly transposed?: PackedBlocks;
}

/** Packed matrices in one file. */
export interface PackedWeights {
  /** A safetensors file in the cache. */
  readonly file: string;
  readonly matrices: ReadonlyMap<string, PackedMatrix>;
}

/** How far packing is: weights packed, of how many. */
export interface PackProgress {
  readonly packed: number;
  readonly total: number;
}

/** Options of {@link packWeights}. */
export interface PackOptions {
  /** Default: `EMOSLLM_CACHE`, else the system's cache folder + `emosllm`. */
  readonly cacheFolder?: string | undefined;
  /** Worker threads; default: one per core, at most 8. */
  readonly threads?: number | undefined;
  /** Weights that a thread holds at once, packed and transposed: up to 2.5 bytes each. Default: 32 Mi, so 80 MB a thread. */
  readonly unitWeights?: number | undefined;
  readonly onProgress?: ((progress: PackProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Part of every cache key: raise it when the same request would give other bytes. */
const VERSION = 1;
/** A transposed packing is written in runs of this many weights divided by the columns; below a few kB that costs time. */
const UNIT_WEIGHTS: number = 32 << 20;

/**
 * Packs matrices, or finds them packed: the cache is keyed by the content (SHA-256) of the source files and by everything that shapes
 * the result, so it cannot be stale. Several processes may ask at once; one packs, the others wait for its file.
 *
 * @throws `checkpoint_invalid` for a source that is no float matrix or holds a value that is not finite, `disk_full`, `config_invalid`
 * when the cache folder cannot be written, the signal's reason when aborted. No partial file is left.
 */
export async function packWeights(requests: readonly PackRequest[], options: PackOptions = {}): Promise<PackedWeights> {
  const { threads = Math.min(8, availableParallelism()), signal } = options;
  for (const request of requests) check(request, requests);
  const folder = join(options.cacheFolder ?? cacheFolder(), "packed");
  const files = requests.flatMap((r) => r.sources.map((s) => s.file));
  const hashes = await contentHashes(files, { memory: join(folder, "hashes"), threads, signal });
  const key = keyOf(requests, hashes);
  const file = join(folder, `${createHash("sha256").update(key).digest("hex")}.safetensors`);
  const unwritable = (cause: unknown): never => {
    if (!["EACCES", "EPERM", "EROFS", "ENOTDIR"].includes((cause as NodeJS.ErrnoException).code ?? "")) throw cause;
    throw new EmosllmError(
      "config_invalid",
      `${folder}: the cache of packed weights cannot be written (${(cause as Error).message}); set EMOSLLM_CACHE to another folder`,
      { cause, details: { folder } },
    );
  };
  await mkdir(folder, { recursive: true }).catch(unwritable);
  return withLock(
    `${file}.lock`,
    () => openPacked(file, key, requests),
    async () => {
      const unchanged = async (): Promise<void> => {
        const after = await contentHashes(files, { memory: join(folder, "hashes"), threads, signal });
        for (const [source, hash] of hashes)
          if (after.get(source) !== hash) throw invalid({ file: source }, "was changed while it was packed");
      };
      await packInto(file, key, requests, unchanged, { ...options, threads });
      const packed = await openPacked(file, key, requests);
      if (!packed) throw new EmosllmError("cache_corrupt", `${file}: was removed or replaced while it was made`);
      return packed;
    },
    signal,
  ).catch(unwritable);
}

const rowsOf = (r: PackRequest): number => r.sources.reduce((n, s) => n + s.shape[0]!, 0);
const widthOf = ({ shape }: TensorSource): number => elementCount(shape.slice(1));
const columnsOf = (r: PackRequest): number => widthOf(r.sources[0]!);

function check(request: PackRequest, all: readonly PackRequest[]): void {
  const { name, sources, bits, blockSize } = request;
  const wrong = (message: string): never => {
    throw new EmosllmError("checkpoint_invalid", `packing '${name}': ${message}`, { details: { name } });
  };
  if (sources.length === 0) wrong("no source tensors");
  if (all.find((r) => r.name === name) !== request) wrong("two requests have this name");
  if (bits !== 4 && bits !== 8) wrong(`bits ${String(bits)}; 4 and 8 can be packed`);
  if (request.unsigned && blockSize !== "row") wrong(`unsigned is for block size "row", not ${String(blockSize)}`);
  if (blockSize === "row" ? bits !== 8 : !BLOCK_SIZES.includes(blockSize))
    wrong(`block size ${String(blockSize)}; one of ${BLOCK_SIZES.join(", ")} is needed, or "row" with 8 bits`);
  for (const { name: tensor, file, dtype, shape } of sources) {
    if (dtype !== "f32" && dtype !== "f16" && dtype !== "bf16")
      throw invalid({ file, tensor }, `${dtype} cannot be packed; f32, f16 and bf16 can`);
    if (shape.length < 2 || shape.includes(0))
      throw invalid({ file, tensor }, `shape [${shape.join(", ")}] cannot be packed; a matrix [N, K] is needed`);
    const [columns, before] = [elementCount(shape.slice(1)), columnsOf(request)];
    if (columns !== before)
      throw invalid({ file, tensor }, `has ${columns} columns, '${sources[0]!.name}' before it ${before}`);
  }
}

/** Everything that shapes the result, by content: paths and times are not in it. */
function keyOf(requests: readonly PackRequest[], hashes: ReadonlyMap<string, string>): string {
  const matrices = requests.map(({ name, sources, bits, blockSize, transposed = false, unsigned = false }) => ({
    name,
    bits,
    blockSize,
    transposed,
    ...(unsigned ? { unsigned } : {}),
    sources: sources.map((s) => [
      hashes.get(s.file),
      s.offset,
      s.dtype,
      s.shape,
      s.strides ?? null,
      s.compressed ?? null,
    ]),
  }));
  return JSON.stringify({ version: VERSION, matrices });
}

interface Parts {
  readonly packed: string;
  readonly scales: string;
}
const partsOf = (name: string): Parts => ({ packed: `${name}.packed`, scales: `${name}.scales` });
const transposedName = (name: string): string => `${name}.transposed`;

/** Names, dtypes and shapes of the packed file. */
function planOf(requests: readonly PackRequest[]): Map<string, { dtype: DType; shape: number[] }> {
  const plan = new Map<string, { dtype: DType; shape: number[] }>();
  for (const request of requests) {
    const { name, bits, blockSize, transposed, unsigned } = request;
    const add = ({ packed, scales }: Parts, n: number, k: number): void => {
      if (blockSize === "row") {
        plan.set(packed, { dtype: unsigned ? "u8" : "i8", shape: [k, n] });
        plan.set(scales, { dtype: "f32", shape: [n] });
        return;
      }
      const blocks = Math.ceil(k / blockSize);
      plan.set(packed, { dtype: "u8", shape: [n, blocks, (blockSize * bits) / 8] });
      plan.set(scales, { dtype: "f32", shape: [n, blocks] });
    };
    add(partsOf(name), rowsOf(request), columnsOf(request));
    if (transposed) add(partsOf(transposedName(name)), columnsOf(request), rowsOf(request));
  }
  return plan;
}

/** The packed matrices when the file is there and complete; a damaged file counts as absent and is made again. */
async function openPacked(
  file: string,
  key: string,
  requests: readonly PackRequest[],
): Promise<PackedWeights | undefined> {
  const header = await readSafetensorsHeader(file).catch((error: unknown) => {
    if (error instanceof EmosllmError) return undefined;
    throw error;
  });
  if (!header || header.metadata["key"] !== key) return undefined;
  const blocks = (name: string): PackedBlocks => {
    const { packed, scales } = partsOf(name);
    return { data: header.tensors.get(packed)!, scales: header.tensors.get(scales)! };
  };
  const matrices = requests.map((r): [string, PackedMatrix] => [
    r.name,
    {
      name: r.name,
      rows: rowsOf(r),
      columns: columnsOf(r),
      bits: r.bits,
      blockSize: r.blockSize,
      ...blocks(r.name),
      ...(r.transposed ? { transposed: blocks(transposedName(r.name)) } : {}),
    },
  ]);
  return { file: header.file, matrices: new Map(matrices) };
}

async function packInto(
  file: string,
  key: string,
  requests: readonly PackRequest[],
  unchanged: () => Promise<void>,
  { threads, unitWeights = UNIT_WEIGHTS, onProgress, signal }: PackOptions & { readonly threads: number },
): Promise<void> {
  const layout = layoutSafetensors(planOf(requests), { key });
  const copies = `${temporaryName(file)}.safetensors`;
  await removeAbandoned(dirname(file));
  try {
    const inOrder = await inRowOrder(requests, copies);
    await publish(file, async (handle, temporary) => {
      await writeFully(handle, layout.header, 0);
      await handle.truncate(layout.fileSize);
      const units = inOrder.flatMap((r) => unitsOf(r, temporary, layout, unitWeights));
      const total = units.reduce((n, u) => n + u.rows * u.columns, 0);
      let packed = 0;
      const onDone = (i: number): void => {
        packed += units[i]!.rows * units[i]!.columns;
        onProgress?.({ packed, total });
      };
      await runUnits(units, { threads, onDone, signal });
      await unchanged();
    });
  } finally {
    await rm(copies, { force: true });
  }
}

/** What killed processes left: temporary files that nobody has written to for an hour. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/\.tmp(\.safetensors)?$/.test(name)) continue;
    const path = join(folder, name);
    const touched = await stat(path).then(
      (s) => s.mtimeMs,
      () => Infinity,
    );
    if (Date.now() - touched > 3_600_000) await rm(path, { force: true });
  }
}

/** Workers read rows straight from files; the rare tensor that does not lie in row order (a `.bin` view) is copied first. */
async function inRowOrder(requests: readonly PackRequest[], copies: string): Promise<readonly PackRequest[]> {
  const odd = new Set(requests.flatMap((r) => r.sources.filter((s) => s.strides ?? s.compressed)));
  if (odd.size === 0) return requests;
  const stored = new Map<string, StoredTensor>();
  const nameOf = new Map<TensorSource, string>();
  for (const source of odd) {
    const name = String(nameOf.size);
    nameOf.set(source, name);
    stored.set(name, { dtype: source.dtype, shape: source.shape, data: await readTensor(source) });
  }
  await writeSafetensors(copies, stored);
  const { tensors } = await readSafetensorsHeader(copies);
  const copyOf = (s: TensorSource): TensorSource =>
    odd.has(s) ? { ...tensors.get(nameOf.get(s)!)!, name: s.name } : s;
  return requests.map((r) => ({ ...r, sources: r.sources.map(copyOf) }));
}

/** Cuts a matrix into row ranges that begin at a block, for threads to take; whole where a column's largest value is needed. */
function unitsOf(
  request: PackRequest,
  target: string,
  { offsets }: SafetensorsLayout,
  most: number,
): (PackUnit | PackRowsUnit)[] {
  const { name, bits, blockSize, transposed } = request;
  const rows = rowsOf(request);
  const columns = columnsOf(request);
  if (blockSize === "row") {
    const places = (p: Parts): { packedAt: number; scalesAt: number } => ({
      packedAt: offsets.get(p.packed)!,
      scalesAt: offsets.get(p.scales)!,
    });
    return [
      {
        kind: "rows",
        pieces: piecesOf(request, 0, rows),
        rows,
        columns,
        target,
        ...places(partsOf(name)),
        transposed: transposed ? places(partsOf(transposedName(name))) : undefined,
        zero: request.unsigned ? 128 : 0,
        tile: Math.min(most, 4 << 20),
      },
    ];
  }
  const across = Math.ceil(columns / blockSize);
  const down = Math.ceil(rows / blockSize);
  const step = Math.max(1, Math.floor(most / (columns * blockSize))) * blockSize;
  const own = partsOf(name);
  const turned = partsOf(transposedName(name));
  const units: PackUnit[] = [];
  for (let first = 0; first < rows; first += step) {
    const here = Math.min(step, rows - first);
    units.push({
      kind: "pack",
      pieces: piecesOf(request, first, here),
      rows: here,
      columns,
      bits,
      blockSize,
      target,
      packedAt: offsets.get(own.packed)! + (first * across * blockSize * bits) / 8,
      scalesAt: offsets.get(own.scales)! + first * across * 4,
      transposed: transposed
        ? {
            packedAt: offsets.get(turned.packed)!,
            scalesAt: offsets.get(turned.scales)!,
            firstBlock: first / blockSize,
            blocks: down,
          }
        : undefined,
    });
  }
  return units;
}

/** The parts of the stacked sources that hold rows `first` to `first + count`. */
function piecesOf(request: PackRequest, first: number, count: number): Rows[] {
  const pieces: Rows[] = [];
  let begin = 0;
  for (const source of request.sources) {
    const { file, offset, dtype, shape, name } = source;
    const [rows, columns] = [shape[0] as number, widthOf(source)];
    const from = Math.max(first, begin);
    const to = Math.min(first + count, begin + rows);
    if (from < to)
      pieces.push({
        file,
        tensor: name,
        dtype: dtype as Rows["dtype"],
        rows: to - from,
        offset: offset + (from - begin) * columns * (dtype === "f32" ? 4 : 2),
      });
    begin += rows;
  }
  return pieces;
}
