/**
 * @file One feature's cache. A clip's features are published as a file of their own as soon as they exist, and later packed with
 * others into a shard that never changes again. Every file appears by rename, shards are named by their content, and nothing is
 * ever rewritten: so writers need no lock, a killed one loses the clip in flight, and equal work gives equal files.
 */
import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { loadSafetensors, type StoredTensor, writeSafetensors } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import type { FeatureFrames } from "../features/feature-frames.ts";
import { canonicalJson, featureFolder, type FeatureIdentity, type Json } from "./key.ts";
import {
  corrupt,
  diskFull,
  fileHash,
  listed,
  makeStore,
  makeWriterFolder,
  type Place,
  places,
  publishText,
  readShards,
  removeAbandoned,
  removeWriterFolder,
  type Shards,
  storePaths,
  writeIndex,
  writerFolder,
} from "./store.ts";

/** A cache of one feature. Keys are those of `audioKey`. */
export interface FeatureCache extends AsyncDisposable {
  readonly identity: FeatureIdentity;
  readonly folder: string;
  /** Keys that are there, as of the last {@link FeatureCache.refresh} and this writer's own. */
  keys(): string[];
  has(key: string): boolean;
  /** The features of `key`, read from its bytes in the shard only; undefined when they are not there. */
  get(key: string): Promise<FeatureFrames | undefined>;
  /** Publishes the features of one clip; they are there after a crash from the moment this resolves. */
  put(key: string, frames: FeatureFrames): Promise<void>;
  /** Packs `keys` (which are all there) into one shard, unless shards hold them all already. */
  pack(keys: readonly string[]): Promise<void>;
  /** Looks for what other writers have published since. */
  refresh(): Promise<void>;
  /** Brings `index.json` up to date, so that the next one to open the cache need not read every header. */
  writeIndex(): Promise<void>;
}

/** What is the same for all clips of one feature, in `feature.json`. */
interface Description {
  readonly version: 1;
  readonly kind: string;
  readonly settings: { readonly [key: string]: Json | undefined };
  readonly model: string;
  readonly names: readonly string[];
  /** Null where each clip has its own. */
  readonly startSeconds: number | null;
  readonly hopSeconds: number | null;
}

const OPEN_FILES = 32;
/** Name of the tensor `[start, hop]` beside a clip's features, where each clip has its own times. */
const timesOf = (key: string): string => `${key}.times`;
const isKey = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

/**
 * Opens (and makes, where it is not) the cache of one feature below `folder`.
 * @throws EmosllmError `cache_corrupt` naming the damaged file, `disk_full`, `usage`.
 */
export async function openFeatureCache(folder: string, identity: FeatureIdentity): Promise<FeatureCache> {
  const paths = storePaths(join(folder, featureFolder(identity)));
  await makeStore(paths);
  let shards: Shards = new Map();
  let packed = new Map<string, Place>();
  let loose = new Set<string>();
  let description = await readDescription(paths.description);
  const files = new Map<string, Promise<FileHandle>>();

  const refresh = async (): Promise<void> => {
    // Loose files first: a clip that is packed in between is then found in its shard.
    const names = await listed(paths.loose);
    shards = await readShards(paths, shards);
    packed = places(paths, shards);
    loose = new Set(names.map((name) => name.slice(0, -".safetensors".length)));
    description ??= await readDescription(paths.description);
  };
  await refresh();
  await removeAbandoned(paths);

  /** Writes `tensors` in a folder of this writer's own, then calls `name` for the place to rename the file to. */
  const publish = async (
    tensors: ReadonlyMap<string, StoredTensor>,
    name: (prepared: string) => string | Promise<string>,
    metadata?: Readonly<Record<string, string>>,
  ): Promise<void> => {
    const folder = writerFolder(paths);
    const prepared = join(folder, "tensors");
    try {
      await makeWriterFolder(paths, folder);
      await writeSafetensors(prepared, tensors, metadata);
      await rename(prepared, await name(prepared));
    } catch (cause) {
      throw diskFull(paths.folder, cause);
    } finally {
      await removeWriterFolder(paths, folder);
    }
  };

  const looseFile = (key: string): string => join(paths.loose, `${key}.safetensors`);

  const readLoose = async (key: string, name: string): Promise<StoredTensor | undefined> => {
    try {
      return (await loadSafetensors(looseFile(key))).get(name);
    } catch (error) {
      if (error instanceof EmosllmError && error.code === "checkpoint_not_found") return undefined;
      throw corrupt(looseFile(key), (error as Error).message, error);
    }
  };

  const readPacked = async (place: Place): Promise<Float32Array | undefined> => {
    const handle = await fileOf(files, place.file);
    if (!handle) return undefined;
    const bytes = new Uint8Array(place.length);
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, place.offset + done);
      if (bytesRead === 0) throw corrupt(place.file, `ends at byte ${place.offset + done}`);
      done += bytesRead;
    }
    return new Float32Array(bytes.buffer);
  };

  const tensorOf = async (name: string): Promise<StoredTensor | undefined> => {
    const key = name.slice(0, 64);
    const place = packed.get(name);
    const data = place && (await readPacked(place));
    if (place && data) return { dtype: "f32", shape: place.shape, data };
    return loose.has(key) ? await readLoose(key, name) : undefined;
  };

  /** Another writer may have packed the clip, and removed its loose file, since the folder was listed. */
  const findTensor = async (name: string): Promise<StoredTensor | undefined> => {
    const tensor = await tensorOf(name);
    if (tensor) return tensor;
    await refresh();
    return tensorOf(name);
  };

  const describe = async (frames: FeatureFrames): Promise<void> => {
    const { kind, settings = {}, model = "" } = identity;
    const { names } = frames;
    const startSeconds = identity.perClipTimes ? null : frames.startSeconds;
    const hopSeconds = identity.perClipTimes ? null : frames.hopSeconds;
    const wanted: Description = { version: 1, kind, settings, model, names, startSeconds, hopSeconds };
    description ??= await readDescription(paths.description);
    if (!description) {
      // Writers that meet here write the same text.
      await publishText(paths, paths.description, `${canonicalJson(wanted as unknown as Json)}\n`);
      description = wanted;
    } else if (canonicalJson(description as unknown as Json) !== canonicalJson(wanted as unknown as Json))
      throw new EmosllmError(
        "cache_corrupt",
        `${paths.description}: describes other names or times than this ${kind}; the feature's settings must say what changes them`,
      );
  };

  return {
    identity,
    folder: paths.folder,
    keys: () => [...new Set([...packed.keys(), ...loose])].filter(isKey).sort(),
    has: (key) => packed.has(key) || loose.has(key),
    get: async (key) => {
      const tensor = await findTensor(key);
      if (!tensor) return undefined;
      if (!description) throw corrupt(paths.description, "is missing");
      const [frames = 0, features = 0] = tensor.shape;
      if (features !== description.names.length)
        throw corrupt(paths.folder, `${key} has ${features} features, feature.json names ${description.names.length}`);
      const { names } = description;
      const [start = NaN, hop = NaN] =
        description.hopSeconds === null ? ((await findTensor(timesOf(key)))?.data ?? []) : [];
      const startSeconds = description.startSeconds ?? Number(start);
      const hopSeconds = description.hopSeconds ?? Number(hop);
      return { data: tensor.data as Float32Array, frames, features, names, startSeconds, hopSeconds };
    },
    put: async (key, frames) => {
      if (!isKey(key)) throw new EmosllmError("usage", `'${key}' is no key of audioKey`);
      await describe(frames);
      const tensor: StoredTensor = { dtype: "f32", shape: [frames.frames, frames.features], data: frames.data };
      const tensors = new Map([[key, tensor]]);
      const times = Float32Array.of(frames.startSeconds, frames.hopSeconds);
      if (identity.perClipTimes) tensors.set(timesOf(key), { dtype: "f32", shape: [2], data: times });
      await publish(tensors, () => looseFile(key));
      loose.add(key);
    },
    pack: async (keys) => {
      const wanted = [...new Set(keys)].sort();
      if (wanted.some((key) => !packed.has(key))) {
        const tensors = new Map<string, StoredTensor>();
        for (const name of wanted.flatMap((key) => (identity.perClipTimes ? [key, timesOf(key)] : [key]))) {
          const tensor = await findTensor(name);
          if (!tensor) throw new EmosllmError("usage", `${paths.folder}: ${name} is not there and cannot be packed`);
          tensors.set(name, tensor);
        }
        await publish(
          tensors,
          async (prepared) => join(paths.shards, `${(await fileHash(prepared)).slice(0, 32)}.safetensors`),
          { format: "emosllm-features", kind: identity.kind },
        );
        shards = await readShards(paths, shards);
        packed = places(paths, shards);
      }
      for (const key of wanted) {
        if (loose.delete(key)) await rm(looseFile(key), { force: true });
      }
    },
    refresh,
    writeIndex: async () => {
      shards = await writeIndex(paths, shards);
      packed = places(paths, shards);
    },
    [Symbol.asyncDispose]: async () => {
      const open = [...files.values()];
      files.clear();
      for (const file of open) await (await file.catch(() => undefined))?.close();
    },
  };
}

async function readDescription(file: string): Promise<Description | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const value = JSON.parse(text) as Description;
    if (value.version === 1 && Array.isArray(value.names)) return value;
  } catch (cause) {
    throw corrupt(file, "is no JSON", cause);
  }
  throw corrupt(file, "is not a description of version 1");
}

/** An open handle, of which a limited number is kept; undefined when the file has gone. */
async function fileOf(files: Map<string, Promise<FileHandle>>, file: string): Promise<FileHandle | undefined> {
  let handle = files.get(file);
  if (!handle) {
    handle = open(file, "r");
    files.set(file, handle);
    if (files.size > OPEN_FILES) {
      const [oldest, old] = files.entries().next().value!;
      files.delete(oldest);
      void old.then((h) => h.close()).catch(() => {});
    }
  }
  try {
    return await handle;
  } catch (error) {
    files.delete(file);
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
