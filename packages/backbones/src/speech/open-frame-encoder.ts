/** @file Opens a folder as an encoder of clips, with a fingerprint that tells two encoders apart. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type PackedBlock, cacheFolder, contentHashes } from "@emosllm/checkpoints";
import { readJsonObject } from "../json-file.ts";
import { type Precision, type PrecisionOptions, blockForManyTokens } from "../precision.ts";
import { type FrameEncoder, type FrameEncoderOptions, frameEncoder } from "./frame-encoder.ts";
import { openSpeechEncoder } from "./speech-encoder.ts";

/** A {@link FrameEncoder} of a folder, with all that its numbers depend on. */
export interface OpenedFrameEncoder extends FrameEncoder {
  /** SHA-256 (hex) over the contents of the weights' files, config.json and preprocessor_config.json. */
  readonly fingerprint: string;
  readonly precision: Precision;
  readonly blockSize: PackedBlock | undefined;
  /** {@link FrameEncoder.settings} and how the weights are held: what a cache of its frames is kept under. */
  readonly cacheSettings: Readonly<Record<string, number | string>>;
  /** The folder that was opened. */
  readonly folder: string;
}

/**
 * Opens a folder with config.json, preprocessor_config.json and weights. The weights are hashed, once: later the hash is remembered as long
 * as the files stay as they are. Throws EmosllmError `checkpoint_not_found`, `checkpoint_invalid`, `model_unsupported`, `config_invalid`.
 */
export async function openFrameEncoder(
  folder: string,
  {
    precision = "f32",
    blockSize = blockForManyTokens(precision),
    ...options
  }: FrameEncoderOptions & Pick<PrecisionOptions, "precision" | "blockSize"> = {},
): Promise<OpenedFrameEncoder> {
  const encoder = await openSpeechEncoder(folder, { precision, blockSize });
  const fingerprint = await encoderFingerprint(folder, encoder.checkpoint.files);
  const opened = frameEncoder(encoder, options);
  const cacheSettings = {
    ...opened.settings,
    precision,
    ...(blockSize === undefined ? {} : { block_size: blockSize }),
  };
  return { ...opened, fingerprint, precision, blockSize, cacheSettings, folder };
}

/** Keys of config.json that say how it was written, not what the model computes. */
const NOT_THE_MODEL: readonly string[] = ["transformers_version", "_name_or_path", "torch_dtype", "dtype"];

/** Identifies an encoder by its files. */
export async function encoderFingerprint(folder: string, files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const name of ["config.json", "preprocessor_config.json"]) {
    const value = await readJsonObject(join(folder, name), "an encoder's folder needs it");
    const kept = Object.entries(value).filter(([key]) => !NOT_THE_MODEL.includes(key));
    hash.update(`${name} ${JSON.stringify(kept.sort(([a], [b]) => (a < b ? -1 : 1)))}\n`);
  }
  const contents = await contentHashes(files, { memory: join(cacheFolder(), "hashes") });
  for (const content of [...contents.values()].sort()) hash.update(`${content}\n`);
  return hash.digest("hex");
}
