/** @file Opens a folder or a file of weights as one list of named tensor sources. */
import { readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { invalid, unreadable } from "./errors.ts";
import { expectEnd, readObject, readString, skipValue, type JsonCursor } from "./json-cursor.ts";
import { readSafetensorsHeader } from "./safetensors-header.ts";
import type { Checkpoint, TensorSource } from "./source.ts";
import { readTorchBin } from "./torch-bin.ts";

/** Which files of a folder hold its weights. */
export type WeightFormat = "safetensors" | "bin";

/** Options of {@link openCheckpoint}. */
export interface OpenCheckpointOptions {
  /** Take only this format; without it safetensors are preferred, as transformers does. */
  readonly weights?: WeightFormat | undefined;
}

interface OpenedFile {
  readonly file: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorSource>;
}

/** File names of weights, in the order they are looked for; the same as transformers' and PEFT's. */
export const WEIGHT_FILES: Readonly<Record<WeightFormat, readonly string[]>> = {
  safetensors: ["model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors"],
  bin: ["pytorch_model.bin", "pytorch_model.bin.index.json", "adapter_model.bin"],
};
const MAX_INDEX_BYTES = 16 * 1024 * 1024;
const MAX_INDEX_TENSORS = 150_000;

/**
 * Opens the weights of a model: a folder with `model.safetensors`, `pytorch_model.bin` or a sharded index of either, or one
 * such file. Headers are read and checked, values are not.
 *
 * @throws `checkpoint_not_found` (saying which names were looked for), `checkpoint_invalid` (file, tensor, byte).
 * @example
 * const { tensors } = await openCheckpoint("test/fixtures/sharded");
 * tensors.get("layers.3.weight");
 * // { name: 'layers.3.weight', dtype: 'bf16', shape: [ 4, 3 ], file: '/.../model-00002-of-00002.safetensors', offset: 208, length: 24 }
 */
export async function openCheckpoint(path: string, options: OpenCheckpointOptions = {}): Promise<Checkpoint> {
  const full = resolve(path);
  const info = await stat(full).catch((cause: unknown) => {
    throw unreadable(full, cause);
  });
  if (info.isDirectory()) return openWeights(full, await findWeights(full, options.weights));
  return openWeights(dirname(full), full);
}

async function findWeights(folder: string, weights: WeightFormat | undefined): Promise<string> {
  const names = weights ? WEIGHT_FILES[weights] : [...WEIGHT_FILES.safetensors, ...WEIGHT_FILES.bin];
  for (const name of names) if (await isFile(join(folder, name))) return join(folder, name);
  throw new EmosllmError("checkpoint_not_found", `${folder}: no weights; looked for ${names.join(", ")}`, {
    details: { folder },
  });
}

const isFile = (file: string): Promise<boolean> =>
  stat(file).then(
    (s) => s.isFile(),
    () => false,
  );

async function openWeights(folder: string, file: string): Promise<Checkpoint> {
  if (file.endsWith(".index.json")) return openSharded(folder, file);
  const opened = await openFile(file);
  return { folder, files: [opened.file], tensors: opened.tensors, metadata: opened.metadata };
}

async function openFile(file: string): Promise<OpenedFile> {
  if (file.endsWith(".safetensors")) return readSafetensorsHeader(file);
  if (/\.(bin|pt|pth)$/.test(file)) return readTorchBin(file);
  throw invalid({ file }, "not a weight file; its name must end in .safetensors, .bin, .pt, .pth or .index.json");
}

/** A sharded checkpoint must be exactly what its index says: each tensor in the file it is listed for. */
async function openSharded(folder: string, indexFile: string): Promise<Checkpoint> {
  const weightMap = await readIndex(indexFile);
  const byFile = new Map<string, OpenedFile>();
  const tensors = new Map<string, TensorSource>();
  let metadata: Record<string, string> = {};
  for (const [name, shard] of weightMap) {
    let opened = byFile.get(shard);
    if (!opened) {
      opened = await openFile(join(folder, shard)).catch((cause: unknown) => {
        if (cause instanceof EmosllmError && cause.code === "checkpoint_not_found")
          throw new EmosllmError("checkpoint_not_found", `${cause.message} (${indexFile} lists it)`, { cause });
        throw cause;
      });
      byFile.set(shard, opened);
      metadata = { ...metadata, ...opened.metadata };
    }
    const source = opened.tensors.get(name);
    if (!source) throw invalid({ file: opened.file, tensor: name }, `is not in this file, but ${indexFile} says so`);
    tensors.set(name, source);
  }
  for (const [shard, opened] of byFile)
    for (const name of opened.tensors.keys())
      if (weightMap.get(name) !== shard)
        throw invalid({ file: opened.file, tensor: name }, `is in this file, but ${indexFile} does not say so`);
  return { folder, files: [...byFile.values()].map((o) => o.file), tensors, metadata };
}

/** tensor name -> shard's file name. */
export async function readIndex(file: string): Promise<Map<string, string>> {
  const { size } = await stat(file).catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  if (size > MAX_INDEX_BYTES)
    throw invalid({ file }, `an index of ${size} bytes; at most ${MAX_INDEX_BYTES} are accepted`);
  const bytes = await readFile(await realpath(file));
  let tensor: string | undefined;
  const fail = (message: string, at: number): never => {
    throw invalid({ file, tensor, byte: at }, message);
  };
  const c: JsonCursor = { bytes, at: 0, fail };
  const map = new Map<string, string>();
  let seen = false;
  readObject(c, (key, at) => {
    if (key !== "weight_map") return skipValue(c);
    if (seen) fail("'weight_map' is there twice", at);
    seen = true;
    readObject(c, (name, at) => {
      tensor = name;
      if (map.has(name)) fail("the name is there twice", at);
      if (map.size >= MAX_INDEX_TENSORS) fail(`more than ${MAX_INDEX_TENSORS} tensors`, at);
      const shard = readString(c);
      if (shard === "" || shard !== basename(shard) || shard.includes("\\") || shard === "..")
        fail(`'${shard.slice(0, 120)}' is not the name of a file in the same folder`, at);
      map.set(name, shard);
      tensor = undefined;
    });
  });
  expectEnd(c);
  if (!seen) fail("there is no 'weight_map'", 0);
  if (map.size === 0) fail("'weight_map' is empty", 0);
  return map;
}
