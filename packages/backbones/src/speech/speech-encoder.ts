/** @file Opens a speech encoder from a Hugging Face folder, by `model_type`. */
import { join } from "node:path";
import {
  type Checkpoint,
  type OpenCheckpointOptions,
  type TensorSource,
  openCheckpoint,
  readTensor,
} from "@emosllm/checkpoints";
import type { Tensor } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { readJsonObject } from "../json-file.ts";
import { type Linear, frozen, linearOver } from "../linear.ts";
import { type LinearToPack, type PackedLinears, type PrecisionOptions, packLinears, withPacked } from "../precision.ts";
import type { SpeechEncoder } from "./encoder.ts";
import { hubert, wav2vec2, wavlm } from "./wave-encoder.ts";
import { whisper } from "./whisper.ts";

/** What an encoder is built from. */
export interface EncoderParts {
  /** config.json. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** preprocessor_config.json. */
  readonly preprocessor: Readonly<Record<string, unknown>>;
  /** A frozen tensor by its name below the encoder's own prefix. */
  readonly tensor: (name: string) => Tensor;
  /** Its values. */
  readonly read: (name: string) => Promise<Float32Array>;
  readonly names: ReadonlySet<string>;
  readonly linear: Linear;
  /** Layers that are held as integers. */
  readonly packed: PackedLinears["matrices"];
}

/** One architecture. */
export type EncoderBuilder = (
  parts: EncoderParts,
) => Pick<SpeechEncoder, "config" | "build" | "prepare" | "frameCounts">;

/** Architectures by `model_type`, each with a tensor that shows under which prefix a checkpoint keeps the encoder. */
const ENCODERS: Readonly<Record<string, { readonly build: EncoderBuilder; readonly landmark: string }>> = {
  wav2vec2: { build: wav2vec2, landmark: "feature_extractor.conv_layers.0.conv.weight" },
  hubert: { build: hubert, landmark: "feature_extractor.conv_layers.0.conv.weight" },
  wavlm: { build: wavlm, landmark: "feature_extractor.conv_layers.0.conv.weight" },
  whisper: { build: whisper, landmark: "encoder.conv1.weight" },
};

/** Options of {@link openSpeechEncoder}. */
export interface OpenSpeechEncoderOptions extends OpenCheckpointOptions, PrecisionOptions {}

/**
 * Opens a folder with config.json, preprocessor_config.json and weights; of models with a head (CTC, Whisper's decoder) only the encoder.
 * Throws EmosllmError `checkpoint_not_found`, `checkpoint_invalid`, `model_unsupported`.
 */
export async function openSpeechEncoder(
  folder: string,
  options: OpenSpeechEncoderOptions = {},
): Promise<SpeechEncoder> {
  const needs = "an encoder's folder needs config.json, preprocessor_config.json and weights";
  const [raw, preprocessor] = await Promise.all(
    ["config.json", "preprocessor_config.json"].map((file) => readJsonObject(join(folder, file), needs)),
  );
  const checkpoint = await openCheckpoint(folder, options);
  const exact = speechEncoder(raw as Record<string, unknown>, preprocessor as Record<string, unknown>, checkpoint);
  if ((options.precision ?? "f32") === "f32") return exact;
  const { prefix } = located(raw as Record<string, unknown>, checkpoint);
  const linears = exact.linearPaths.map((path) => ({
    path,
    source: checkpoint.tensors.get(`${prefix}${path}.weight`) as TensorSource,
  }));
  const packed = await packLinears([...linears, ...convolutionsOf(prefix, checkpoint)], options);
  return speechEncoder(raw as Record<string, unknown>, preprocessor as Record<string, unknown>, checkpoint, packed);
}

/**
 * The convolutions that see more than one channel, a fifth of the work, as the products that they are run as: each weight
 * `[out, in, kernel]` read as `[out, kernel, in]`. Always at 8 bits: everything later rests on them.
 */
const convolutionsOf = (prefix: string, { tensors }: Checkpoint): LinearToPack[] =>
  [...tensors.values()].flatMap((source) => {
    const path = /^(feature_extractor\.conv_layers\.\d+\.conv)\.weight$/.exec(source.name.slice(prefix.length))?.[1];
    const [out, width, kernel] = source.shape as [number, number, number];
    if (!source.name.startsWith(prefix) || path === undefined || width === 1 || source.strides) return [];
    return [
      { path, bits: 8, source: { ...source, shape: [out, kernel, width], strides: [width * kernel, 1, kernel] } },
    ];
  });

function architectureOf(raw: EncoderParts["raw"]): (typeof ENCODERS)[string] {
  const found = ENCODERS[String(raw["model_type"])];
  if (found) return found;
  throw new EmosllmError(
    "model_unsupported",
    `config.json: model_type ${JSON.stringify(raw["model_type"])} is not a supported encoder; supported are ${Object.keys(ENCODERS).join(", ")}`,
  );
}

/** The encoder of a checkpoint: how to build it, and what its tensors' names begin with. */
function located(
  raw: EncoderParts["raw"],
  { tensors }: Checkpoint,
): { readonly build: EncoderBuilder; readonly prefix: string } {
  const found = architectureOf(raw);
  const prefixes = [...tensors.keys()]
    .filter((n) => n.endsWith(found.landmark))
    .map((n) => n.slice(0, -found.landmark.length));
  const prefix = prefixes[0];
  if (prefix === undefined)
    throw new EmosllmError(
      "checkpoint_invalid",
      `The checkpoint has no tensor '${found.landmark}', so it is not a ${String(raw["model_type"])} (it has ${tensors.size} tensors).`,
    );
  return { build: found.build, prefix };
}

/** Puts a checkpoint behind {@link SpeechEncoder}. */
export function speechEncoder(
  raw: EncoderParts["raw"],
  preprocessor: EncoderParts["preprocessor"],
  checkpoint: Checkpoint,
  packed?: PackedLinears,
): SpeechEncoder {
  const { build, prefix } = located(raw, checkpoint);
  const { tensors } = checkpoint;
  const names = new Set([...tensors.keys()].filter((n) => n.startsWith(prefix)).map((n) => n.slice(prefix.length)));
  const tensor = (name: string): Tensor => frozen(tensors, prefix + name);
  const read = async (name: string): Promise<Float32Array> => {
    const source = tensors.get(prefix + name);
    if (!source) throw new EmosllmError("checkpoint_invalid", `The checkpoint has no tensor '${prefix}${name}'.`);
    return readTensor(source, "f32");
  };
  const linear = linearOver(names, tensor, packed?.matrices);
  return {
    ...build({ raw, preprocessor, tensor, read, names, linear, packed: packed?.matrices ?? new Map() }),
    checkpoint,
    weights: packed ? withPacked(tensors, packed) : tensors,
    linear,
    // Below the encoder's prefix, as `linear` takes them.
    linearPaths: [...names]
      .filter((n) => /^encoder\.layers\.\d+\.(.*_proj|.*_dense|fc[12])\.weight$/.test(n))
      .map((n) => n.slice(0, -".weight".length)),
  };
}

/** What config.json and preprocessor_config.json alone say of an encoder: its sizes, and how clips are scaled. Throws as {@link speechEncoder}. */
export function describedEncoder(
  raw: EncoderParts["raw"],
  preprocessor: EncoderParts["preprocessor"],
): Pick<SpeechEncoder, "config" | "prepare"> {
  const none = (): never => {
    throw new Error("internal: an encoder that was only described has no weights");
  };
  return architectureOf(raw).build({
    raw,
    preprocessor,
    tensor: none,
    read: none,
    names: new Set(),
    linear: none,
    packed: new Map(),
  });
}
