/** @file Merges an adapter into the base's weights: an ordinary model folder that needs no adapter any more. */
import { cp, mkdir, readFile, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { openLanguageModel } from "@emosllm/backbones";
import {
  type StoredTensor,
  type TensorSource,
  DTYPES,
  bf16ToF32,
  elementCount,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  readTensor,
  writeSafetensors,
} from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { EMBEDDING, EMBEDDING_WEIGHT, OUTPUT_WEIGHT, isTied } from "./base.ts";
import { columnNorms, rowNorms } from "./first-values.ts";
import { type LoadedAdapter, loadAdapter } from "./load.ts";
import { namesOf, tokenRowsName } from "./names.ts";
import { writeTextWhole } from "./save.ts";
import type { LoraTarget } from "./targets.ts";

/** Options of {@link mergeAdapter}. */
export interface MergeOptions {
  /** Folder of the base: config.json and weights of any dtype, sharded or not. */
  readonly base: string;
  /** Folder of the adapter. */
  readonly adapter: string;
  /** Folder that is made; it may not be there yet. */
  readonly out: string;
  /** Largest shard in bytes (a tensor larger than that has one of its own); 2 GB when not given. One shard at a time is in memory. */
  readonly maxShardBytes?: number;
  /** Of the floating-point tensors that are written; the base's own when not given. */
  readonly dtype?: MergeDType;
}

/** What merged weights may be stored in. */
export type MergeDType = "f32" | "f16" | "bf16";

/** PyTorch's names, as config.json has them. */
const TORCH_DTYPES: Readonly<Record<MergeDType, string>> = { f32: "float32", f16: "float16", bf16: "bfloat16" };

/** What {@link mergeAdapter} wrote. */
export interface MergeResult {
  readonly files: readonly string[];
  /** Names of the tensors that differ from the base's. */
  readonly changed: readonly string[];
}

const WEIGHTS = /\.(safetensors|bin|pt|pth|gguf)$|\.index\.json$/;

/**
 * Writes `out`: the base's other files, and its weights with W + scaling * B A (DoRA: m / |W + scaling * B A| times that), trained
 * biases, whole modules and rows of embeddings in place. Where embeddings and a tied output matrix part, both are written and config.json
 * says so. Computed in f32 and stored in the base's dtype, as PEFT's `merge_and_unload` does, or in `dtype`.
 * Throws EmosllmError `adapter_invalid`, `not_supported` (lora_bias over a layer without bias, as in PEFT), `usage` when `out` is
 * there already, `disk_full`.
 */
export async function mergeAdapter({
  base,
  adapter,
  out,
  maxShardBytes = 2e9,
  dtype,
}: MergeOptions): Promise<MergeResult> {
  const target = resolve(out);
  if (
    await readdir(target).then(
      (names) => names.length > 0,
      () => false,
    )
  )
    throw new EmosllmError("usage", `${target} is there already; give a folder that is not`);
  const { checkpoint, linearPaths } = await openLanguageModel(base);
  const { tensors } = checkpoint;
  const loaded = await loadAdapter(adapter, { linearPaths, tensors });
  const changes = changesOf(loaded, tensors);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  try {
    for (const name of await readdir(base))
      if (!WEIGHTS.test(name))
        await cp(join(base, name), join(temporary, name), { recursive: true, dereference: true });
    const configFile = join(temporary, "config.json");
    if (dtype) await editConfig(configFile, (config) => setTorchDtype(config, dtype));
    const apart = isTied({ tensors }) ? outputApart(loaded, tensors) : undefined;
    if (apart) await editConfig(configFile, (config) => (config["tie_word_embeddings"] = false));
    /** The tensor as it is to be stored. */
    const wanted = (t: TensorSource): TensorSource => (dtype && FLOATS.has(t.dtype) ? { ...t, dtype } : t);
    const all = [...tensors.values(), ...(apart ? [apart] : [])];
    const shards = shardsOf(all.map(wanted), maxShardBytes);
    const fileName = (i: number): string =>
      shards.length === 1
        ? "model.safetensors"
        : `model-${String(i + 1).padStart(5, "0")}-of-${String(shards.length).padStart(5, "0")}.safetensors`;
    const weightMap: Record<string, string> = {};
    for (const [i, shard] of shards.entries()) {
      const contents = new Map<string, StoredTensor>();
      for (const { name, dtype: into } of shard) {
        const source = name === apart?.name ? apart : (tensors.get(name) as TensorSource);
        contents.set(name, await (changes.get(name) ?? asItIs)(source, into));
        weightMap[name] = fileName(i);
      }
      await writeSafetensors(join(temporary, fileName(i)), contents, { format: "pt" });
    }
    if (shards.length > 1) {
      const total = shards.flat().reduce((n, t) => n + bytesOf(t), 0);
      const index = { metadata: { total_size: total }, weight_map: weightMap };
      await writeTextWhole(join(temporary, "model.safetensors.index.json"), `${JSON.stringify(index, null, 2)}\n`);
    }
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
    return { files: shards.map((_, i) => join(target, fileName(i))), changed: [...changes.keys()] };
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true });
    if ((cause as NodeJS.ErrnoException).code === "ENOSPC")
      throw new EmosllmError("disk_full", `${target}: the disk is full; nothing was written`, { cause });
    throw cause;
  }
}

const bytesOf = ({ dtype, shape }: TensorSource): number => elementCount(shape) * DTYPES[dtype].bytes;

function shardsOf(tensors: readonly TensorSource[], most: number): TensorSource[][] {
  const shards: TensorSource[][] = [];
  let left = 0;
  for (const t of tensors) {
    const bytes = bytesOf(t);
    if (shards.length === 0 || bytes > left) {
      shards.push([]);
      left = most;
    }
    shards.at(-1)?.push(t);
    left -= bytes;
  }
  return shards;
}

type DType = TensorSource["dtype"];

const FLOATS: ReadonlySet<DType> = new Set<DType>(["f32", "f16", "bf16"]);

const asItIs: Change = async (source, into) =>
  into === source.dtype
    ? { dtype: source.dtype, shape: source.shape, data: await readTensor(source) }
    : stored(source, into, await readTensor(source, "f32"));

/** f32 values as `dtype`. */
function stored({ name, shape }: TensorSource, dtype: DType, values: Float32Array): StoredTensor {
  if (dtype === "f32") return { dtype, shape, data: values };
  if (dtype === "bf16") return { dtype, shape, data: f32ToBf16(values) };
  if (dtype === "f16") return { dtype, shape, data: f32ToF16(values) };
  throw new EmosllmError("not_supported", `'${name}' is ${dtype}; merging needs f32, f16 or bf16`);
}

/** transformers reads the type from config.json: `dtype`, and `torch_dtype` before version 5. */
function setTorchDtype(config: Record<string, unknown>, dtype: MergeDType): void {
  for (const key of ["dtype", "torch_dtype"]) if (key in config) config[key] = TORCH_DTYPES[dtype];
  if (!("dtype" in config)) config["torch_dtype"] = TORCH_DTYPES[dtype];
}

async function editConfig(file: string, change: (config: Record<string, unknown>) => void): Promise<void> {
  const config = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
  change(config);
  await writeTextWhole(file, `${JSON.stringify(config, null, 2)}\n`);
}

/**
 * The output matrix of a tied base, where merging makes it another one than the embeddings: the adapter trained one of them, or adapted
 * the embeddings. Rows of tokens, and `ensure_weight_tying`, change both.
 */
function outputApart({ adapter }: LoadedAdapter, base: ReadonlyMap<string, TensorSource>): TensorSource | undefined {
  const embeddings = base.get(EMBEDDING_WEIGHT) as TensorSource;
  const own =
    adapter.replaced.has(OUTPUT_WEIGHT) ||
    (adapter.replaced.has(EMBEDDING_WEIGHT) && adapter.copies.size === 0) ||
    adapter.targets.some((t) => t.embedding);
  return own ? { ...embeddings, name: OUTPUT_WEIGHT } : undefined;
}

/** f32 values as they are after being stored in a narrower type. */
const ROUND: Readonly<Partial<Record<DType, (values: Float32Array) => Float32Array>>> = {
  bf16: (values) => bf16ToF32(f32ToBf16(values)),
  f16: (values) => f16ToF32(f32ToF16(values)),
};

type Change = (source: TensorSource, into: DType) => Promise<StoredTensor>;

/** By the name of the base's tensor, how to compute the merged one. */
function changesOf(
  { config, adapter, tensors }: LoadedAdapter,
  base: ReadonlyMap<string, TensorSource>,
): Map<string, Change> {
  const changes = new Map<string, Change>();
  const value = (name: string): Float32Array => tensors.get(name)?.data as Float32Array;
  for (const [from, name] of adapter.replaced)
    changes.set(from, (source, into) => Promise.resolve(stored(source, into, value(name))));
  const rows = tensors.get(tokenRowsName(EMBEDDING))?.data;
  const putRows = (W: Float32Array): Float32Array => {
    if (!rows) return W;
    const width = rows.length / adapter.tokens.length;
    adapter.tokens.forEach((id, slot) => W.set(rows.subarray(slot * width, (slot + 1) * width), id * width));
    return W;
  };
  if (rows)
    for (const name of [EMBEDDING_WEIGHT, ...(isTied({ tensors: base }) ? [OUTPUT_WEIGHT] : [])])
      if (!changes.has(name))
        changes.set(name, async (source, into) => stored(source, into, putRows(await readTensor(source, "f32"))));
  for (const target of adapter.targets) {
    const names = namesOf(target);
    if (target.embedding) {
      changes.set(`${target.path}.weight`, async (source, into) => {
        const W = await readTensor(source, "f32");
        // PEFT rounds what it adds to embeddings to their type first (but for DoRA).
        const round = config.use_dora ? undefined : ROUND[source.dtype];
        const merged = addTransposed(W, value(names.b), value(names.a), target, round);
        return stored(source, into, putRows(config.use_dora ? rescaleColumns(merged, value(names.magnitude)) : merged));
      });
      continue;
    }
    changes.set(`${target.path}.weight`, async (source, into) => {
      const merged = addProduct(await readTensor(source, "f32"), value(names.b), value(names.a), target);
      return stored(source, into, config.use_dora ? rescaleRows(merged, value(names.magnitude)) : merged);
    });
    if (!config.lora_bias) continue;
    const biasName = `${target.path}.bias`;
    if (!base.has(biasName))
      throw new EmosllmError("not_supported", `lora_bias cannot be merged: the base has no '${biasName}' to hold it`);
    changes.set(biasName, async (source, into) => {
      const trained = adapter.replaced.get(biasName);
      const before = trained === undefined ? await readTensor(source, "f32") : value(trained);
      const extra = value(names.bBias);
      return stored(
        source,
        into,
        before.map((v, i) => v + (extra[i] as number) * target.scaling),
      );
    });
  }
  return changes;
}

/** W [out, in] + scaling * B [out, r] A [r, in], as a new array; sums in double, each result rounded as PyTorch's f32 steps are. */
function addProduct(W: Float32Array, B: Float32Array, A: Float32Array, { rank, scaling }: LoraTarget): Float32Array {
  const width = A.length / rank;
  const result = new Float32Array(W.length);
  const row = new Float64Array(width);
  for (let o = 0; o < W.length / width; o++) {
    row.fill(0);
    for (let k = 0; k < rank; k++) {
      const b = B[o * rank + k] as number;
      for (let i = 0; i < width; i++) row[i] = (row[i] as number) + b * (A[k * width + i] as number);
    }
    for (let i = 0; i < width; i++)
      result[o * width + i] = (W[o * width + i] as number) + Math.fround(Math.fround(row[i] as number) * scaling);
  }
  return result;
}

/** W [vocabulary, width] + scaling * (B [width, r] A [r, vocabulary])^T, as {@link addProduct}. */
function addTransposed(
  W: Float32Array,
  B: Float32Array,
  A: Float32Array,
  { rank, scaling }: LoraTarget,
  round: (values: Float32Array) => Float32Array = (values) => values,
): Float32Array {
  const [width, vocabulary] = [B.length / rank, A.length / rank];
  const change = new Float32Array(W.length);
  for (let v = 0; v < vocabulary; v++)
    for (let d = 0; d < width; d++) {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += (B[d * rank + k] as number) * (A[k * vocabulary + v] as number);
      change[v * width + d] = Math.fround(sum) * scaling;
    }
  return round(change).map((c, i) => c + (W[i] as number));
}

/** Each column scaled to the length that `magnitude` gives it. */
function rescaleColumns(matrix: Float32Array, magnitude: Float32Array): Float32Array {
  const norms = columnNorms(matrix, magnitude.length);
  const factors = magnitude.map((m, d) => m / (norms[d] as number));
  return matrix.map((v, i) => v * (factors[i % magnitude.length] as number));
}

/** Each row scaled to the length that `magnitude` gives it. */
function rescaleRows(matrix: Float32Array, magnitude: Float32Array): Float32Array {
  const norms = rowNorms(matrix, magnitude.length);
  const width = matrix.length / magnitude.length;
  return matrix.map((v, i) => {
    const row = Math.floor(i / width);
    return v * Math.fround((magnitude[row] as number) / (norms[row] as number));
  });
}
