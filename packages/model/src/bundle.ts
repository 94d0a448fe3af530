/** @file A trained model on disk: manifest, PEFT adapter, projector, model card. Written whole or not at all; read only if every byte is as written. */
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { type LanguageModel, type PrecisionOptions, openLanguageModel } from "@emosllm/backbones";
import {
  type DownloadProgress,
  type StoredTensor,
  loadSafetensors,
  readTensor,
  resolveModel,
  writeSafetensors,
} from "@emosllm/checkpoints";
import { type BundleManifest, EmosllmError, bundleManifestSchema } from "@emosllm/interfaces";
import { type LoraAdapter, type LoraConfig, loraAdapter, loraConfigText, readLoraConfig } from "@emosllm/lora";
import { type Projector, type ProjectorConfig, makeProjector, projectorConfig } from "@emosllm/projector";
import { type HostTensor, hostTensor } from "@emosllm/runtime";
import { type AdaptedEncoder, ENCODER_PREFIX, encoderBase, overEncoder } from "./adapted-encoder.ts";
import { type EmoSllmParts, PROJECTOR_PREFIX, trainedShapes } from "./assemble.ts";
import { mergeCard } from "./card.ts";
import { type EncoderOptions, adaptableEncoder } from "./encoder.ts";

const MANIFEST = "emosllm.json";
const ADAPTER = "adapter/adapter_model.safetensors";
const ENCODER_ADAPTER = "adapter_encoder/adapter_model.safetensors";
const PROJECTOR = "projector.safetensors";
const PROJECTOR_CONFIG = "projector_config.json";

type Parameters = Readonly<Record<string, HostTensor>>;

/** What {@link saveBundle} writes. */
export interface BundleContents {
  readonly manifest: Omit<BundleManifest, "format" | "version" | "files">;
  readonly parameters: Parameters;
  readonly projectorConfig: ProjectorConfig;
  readonly loraConfig: LoraConfig;
  /** Tensors that PEFT's file holds once more by another name: `copies` of the adapter. */
  readonly adapterCopies?: LoraAdapter["copies"];
  /** Of the adapter on the speech encoder, whose parameters are among the projector's under {@link ENCODER_PREFIX}. */
  readonly encoderLoraConfig?: LoraConfig | undefined;
  /** Text of the model card; what a user wrote into the one that is there stays. */
  readonly card: string;
  /** Writes more files into the folder before everything is hashed (a checkpoint's optimiser state). */
  readonly extraFiles?: (folder: string) => Promise<void>;
  /** A small language model to carry along as `backbone/`; its manifest path is then `backbone`. */
  readonly backboneFolder?: string;
}

const sha256 = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");

/** Identifies a language model by its config and the names, shapes and sizes of its weights. */
export async function fingerprint({ checkpoint, config }: LanguageModel): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(config.raw));
  for (const t of [...checkpoint.tensors.values()].sort((a, b) => (a.name < b.name ? -1 : 1)))
    hash.update(`${t.name} ${t.dtype} ${t.shape.join(",")}\n`);
  // The values of one tensor tell two models of one architecture apart.
  const norm = checkpoint.tensors.get("model.norm.weight");
  if (norm) {
    const data = await readTensor(norm);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

async function* filesOf(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesOf(path);
    else yield path;
  }
}

/** Writes a bundle into `folder`, replacing one that is there. Throws EmosllmError `disk_full` or what the file system says; the old bundle stays then. */
export async function saveBundle(folder: string, contents: BundleContents): Promise<void> {
  const target = resolve(folder);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
  await rm(temporary, { recursive: true, force: true });
  await mkdir(join(temporary, "adapter"), { recursive: true });
  try {
    const projector = new Map<string, StoredTensor>();
    const adapter = new Map<string, StoredTensor>();
    const encoder = new Map<string, StoredTensor>();
    for (const [name, t] of Object.entries(contents.parameters)) {
      const [into, key] = name.startsWith(PROJECTOR_PREFIX + ENCODER_PREFIX)
        ? [encoder, name.slice(PROJECTOR_PREFIX.length + ENCODER_PREFIX.length)]
        : name.startsWith(PROJECTOR_PREFIX)
          ? [projector, name.slice(PROJECTOR_PREFIX.length)]
          : [adapter, name];
      into.set(key, { dtype: "f32", shape: t.shape, data: t.data as Float32Array });
    }
    await writeSafetensors(join(temporary, PROJECTOR), projector, { format: "pt" });
    for (const [copy, name] of contents.adapterCopies ?? []) adapter.set(copy, adapter.get(name) as StoredTensor);
    await writeSafetensors(join(temporary, ADAPTER), adapter, { format: "pt" });
    await writeFile(join(temporary, "adapter/adapter_config.json"), loraConfigText(contents.loraConfig));
    if (contents.encoderLoraConfig) {
      await mkdir(join(temporary, "adapter_encoder"));
      await writeSafetensors(join(temporary, ENCODER_ADAPTER), encoder, { format: "pt" });
      const config = loraConfigText(contents.encoderLoraConfig);
      await writeFile(join(temporary, "adapter_encoder/adapter_config.json"), config);
    }
    await writeFile(join(temporary, PROJECTOR_CONFIG), `${JSON.stringify(contents.projectorConfig, null, 2)}\n`);
    const earlier = await readFile(join(target, "README.md"), "utf8").catch(() => undefined);
    await writeFile(join(temporary, "README.md"), mergeCard(earlier, contents.card));
    if (contents.backboneFolder !== undefined)
      await cp(contents.backboneFolder, join(temporary, "backbone"), { recursive: true });
    await contents.extraFiles?.(temporary);
    const files: BundleManifest["files"] = {};
    for await (const file of filesOf(temporary)) {
      const data = await readFile(file);
      files[relative(temporary, file).split(sep).join("/")] = { sha256: sha256(data), bytes: data.length };
    }
    const manifest: BundleManifest = { format: "emosllm-bundle", version: 1, ...contents.manifest, files };
    await writeFile(join(temporary, MANIFEST), `${JSON.stringify(bundleManifestSchema.parse(manifest), null, 2)}\n`);
    const old = `${temporary}.old`;
    await rename(target, old).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    await rename(temporary, target);
    await rm(old, { recursive: true, force: true });
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true });
    if (["ENOSPC", "EDQUOT"].includes((cause as NodeJS.ErrnoException).code ?? ""))
      throw new EmosllmError("disk_full", `${target}: the disk is full; the bundle was not written`, { cause });
    throw cause;
  }
}

/** A bundle in memory. */
export interface LoadedBundle {
  readonly folder: string;
  readonly manifest: BundleManifest;
  readonly parts: EmoSllmParts;
  readonly parameters: Parameters;
  readonly backboneFolder: string;
}

/** Options of {@link loadBundle}. */
export interface LoadBundleOptions
  extends
    Pick<PrecisionOptions, "precision" | "blockSize" | "packing">,
    Pick<EncoderOptions, "encoder" | "allowOtherEncoder" | "hub"> {
  /** Hub id or folder of the base model, in place of what the bundle says. */
  readonly baseModel?: string | undefined;
  /** Take a base model whose fingerprint differs from the one trained on. */
  readonly allowOtherBase?: boolean;
  /** Of the bundle's repository on the hub. */
  readonly revision?: string | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/**
 * Reads and checks a bundle: a folder, or a repository on the hub that holds one (`ORG/NAME`). Throws EmosllmError `bundle_invalid` naming
 * the file and what is wrong with it.
 */
export async function loadBundle(
  path: string,
  {
    baseModel,
    allowOtherBase = false,
    revision,
    onProgress,
    encoder,
    allowOtherEncoder,
    hub,
    ...precision
  }: LoadBundleOptions = {},
): Promise<LoadedBundle> {
  const folder = await bundleFolder(path, { revision, onProgress });
  const manifest = await readManifest(folder);
  await checkFiles(folder, manifest);
  const plain = await readProjector(join(folder, PROJECTOR_CONFIG));
  const options = {
    base: folder,
    ...(encoder === undefined ? {} : { encoder }),
    ...(allowOtherEncoder === undefined ? {} : { allowOtherEncoder }),
    ...(hub === undefined ? {} : { hub }),
  };
  const adapted = manifest.adapted_encoder && (await readEncoder(folder, manifest.adapted_encoder, options));
  const projector = adapted ? overEncoder(plain, adapted) : plain;
  const backboneFolder =
    baseModel === undefined
      ? await baseFolder(folder, manifest, onProgress)
      : (await resolveModel(baseModel, { onProgress })).folder;
  const languageModel = await openLanguageModel(backboneFolder, precision);
  const found = await fingerprint(languageModel);
  const config = await readLoraConfig(join(folder, "adapter"));
  if (found !== manifest.base_model.fingerprint && !allowOtherBase) {
    const { name_or_path: place, model_type: type, fingerprint: own } = manifest.base_model;
    // A base that is carried along is called `backbone`; the adapter knows where it came from.
    const name = place === "backbone" ? `${config.base_model_name_or_path ?? "a model"} (its own ${place})` : place;
    throw new EmosllmError(
      "bundle_invalid",
      `${folder} was trained on ${name}, ${type} ${own.slice(0, 12)}, but ${baseModel ?? backboneFolder} is another model, ${languageModel.config.modelType} ${found.slice(0, 12)}. Give its own base model (option 'baseModel', --base-model), or take this one all the same ('allowOtherBase', --allow-other-base).`,
    );
  }
  const adapter = loraAdapter(config, {
    linearPaths: languageModel.linearPaths,
    tensors: languageModel.checkpoint.tensors,
  });
  const parts: EmoSllmParts = {
    languageModel,
    projector,
    adapter,
    audioSize: projector.inputSize,
    ...(adapted ? { encoder: adapted.encoder } : {}),
  };
  return { folder, manifest, parts, backboneFolder, parameters: await readParameters(folder, parts) };
}

/** The encoder that is a part of the model, with its adapter. Throws EmosllmError `bundle_invalid` where it is another one, `checkpoint_*`. */
async function readEncoder(
  folder: string,
  { encoder: named, mean, std }: NonNullable<BundleManifest["adapted_encoder"]>,
  options: EncoderOptions,
): Promise<AdaptedEncoder> {
  const encoder = await adaptableEncoder(named, options);
  const adapter = loraAdapter(await readLoraConfig(join(folder, "adapter_encoder")), encoderBase(encoder));
  return { encoder, adapter, layers: named.layers, mean, std };
}

/** Throws EmosllmError `bundle_invalid`, or `config_invalid` naming the keys. */
async function readProjector(file: string): Promise<Projector> {
  let fields: unknown;
  try {
    fields = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new EmosllmError("bundle_invalid", `${file} cannot be read as JSON: ${(cause as Error).message}`, { cause });
  }
  return makeProjector(projectorConfig(fields as Record<string, unknown>, file));
}

async function readManifest(folder: string): Promise<BundleManifest> {
  const file = join(folder, MANIFEST);
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new EmosllmError(
      "bundle_invalid",
      `${folder} is no bundle: ${MANIFEST} cannot be read (${(cause as NodeJS.ErrnoException).code ?? "error"})`,
      { cause },
    );
  });
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new EmosllmError("bundle_invalid", `${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = bundleManifestSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((i) => `${i.path.join(".") || "(top)"}: ${i.message}`).join("; ");
  throw new EmosllmError("bundle_invalid", `${file}: ${issues}`);
}

/** Compares every file of a bundle with its manifest. Throws EmosllmError `bundle_invalid` naming the one that differs. */
export async function checkBundleFiles(folder: string): Promise<void> {
  await checkFiles(folder, await readManifest(folder));
}

async function checkFiles(folder: string, { files }: BundleManifest): Promise<void> {
  for (const [name, { sha256: wanted, bytes }] of Object.entries(files)) {
    const file = join(folder, name);
    if (relative(folder, file).startsWith(".."))
      throw new EmosllmError("bundle_invalid", `${join(folder, MANIFEST)}: files.${name} lies outside the bundle`);
    if (name === "README.md") continue; // people may write into the model card
    const data = await readFile(file).catch((cause: unknown) => {
      throw new EmosllmError("bundle_invalid", `${file} is missing, but ${MANIFEST} lists it`, { cause });
    });
    if (data.length !== bytes || sha256(data) !== wanted)
      throw new EmosllmError(
        "bundle_invalid",
        `${file} was altered: it has ${data.length} bytes and sha256 ${sha256(data).slice(0, 12)}, ${MANIFEST} says ${bytes} and ${wanted.slice(0, 12)}`,
      );
  }
}

/** A folder, else a repository on the hub where the name can be one. */
async function bundleFolder(path: string, hub: Pick<LoadBundleOptions, "revision" | "onProgress">): Promise<string> {
  const folder = resolve(path);
  const there = await stat(folder).catch(() => undefined);
  if (there || !/^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(path)) return folder;
  return (await resolveModel(path, { ...hub, weights: "none", also: () => true })).folder;
}

/** The base model where the manifest says: a folder within the bundle, one anywhere, or a model of the hub. */
async function baseFolder(
  folder: string,
  { base_model: { name_or_path: name, revision } }: BundleManifest,
  onProgress: LoadBundleOptions["onProgress"],
): Promise<string> {
  const own = resolve(folder, name);
  if ((await stat(own).catch(() => undefined))?.isDirectory()) return own;
  try {
    return (await resolveModel(name, { revision: revision ?? undefined, onProgress })).folder;
  } catch (cause) {
    if (!(cause instanceof EmosllmError)) throw cause;
    throw new EmosllmError(
      cause.code,
      `The base model of the bundle was not found: ${own} is no folder; ${cause.message}. Say where it is with the option 'baseModel'.`,
      { cause },
    );
  }
}

async function readParameters(folder: string, parts: EmoSllmParts): Promise<Parameters> {
  const files = [PROJECTOR, ADAPTER, ...(parts.encoder ? [ENCODER_ADAPTER] : [])];
  const [projector, adapter, encoder] = await Promise.all(files.map((f) => loadSafetensors(join(folder, f))));
  const wanted = new Map(Object.entries(trainedShapes(parts)));
  const parameters: Record<string, HostTensor> = {};
  const take = (tensors: ReadonlyMap<string, StoredTensor>, prefix: string, file: string): void => {
    for (const [key, t] of tensors) {
      const name = prefix + key;
      if (parts.adapter?.copies.has(name)) continue;
      const shape = wanted.get(name);
      if (!shape) throw new EmosllmError("bundle_invalid", `${join(folder, file)}: unexpected tensor '${key}'`);
      if (t.dtype !== "f32" || t.shape.join() !== shape.join())
        throw new EmosllmError(
          "bundle_invalid",
          `${join(folder, file)}: '${key}' is ${t.dtype}[${t.shape.join(",")}], needed is f32[${shape.join(",")}]`,
        );
      parameters[name] = hostTensor("f32", shape, t.data as Float32Array);
    }
  };
  take(projector as Map<string, StoredTensor>, PROJECTOR_PREFIX, PROJECTOR);
  take(adapter as Map<string, StoredTensor>, "", ADAPTER);
  if (encoder) take(encoder, PROJECTOR_PREFIX + ENCODER_PREFIX, ENCODER_ADAPTER);
  const missing = [...wanted.keys()].filter((name) => !(name in parameters));
  if (missing.length > 0)
    throw new EmosllmError(
      "bundle_invalid",
      `${folder}: missing tensors: ${missing.slice(0, 5).join(", ")}${missing.length > 5 ? ", ..." : ""}`,
    );
  return parameters;
}
