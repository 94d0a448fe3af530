/** @file The speech encoder of a front end: found by name, checked against the one that a bundle was trained with. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type LayerChoice,
  type OpenedFrameEncoder,
  PRECISIONS,
  type Precision,
  type SpeechEncoder,
  openFrameEncoder,
  openSpeechEncoder,
} from "@emosllm/backbones";
import {
  BLOCK_SIZES,
  type PackedBlock,
  type ResolveOptions,
  type ResolvedModel,
  resolveModel,
} from "@emosllm/checkpoints";
import { EmosllmError, type EncoderManifest } from "@emosllm/interfaces";
import type { CompileOptions } from "@emosllm/runtime";
import type { FrontEndSettings } from "./front-end.ts";

/** Where an encoder is and how it runs. */
export interface EncoderOptions extends Pick<CompileOptions, "device" | "threads"> {
  /** Hub id or folder, in place of the one that the bundle names. */
  readonly encoder?: string | undefined;
  /** Take an encoder whose fingerprint differs from the one trained with. */
  readonly allowOtherEncoder?: boolean;
  /** Folder that relative names count from: the bundle's. */
  readonly base?: string | undefined;
  /** How the hub is reached. */
  readonly hub?: Omit<ResolveOptions, "revision">;
}

/** What {@link encoderFrontEnd} makes a front end of. */
export interface EncoderChoice {
  /** Hub id or folder. */
  readonly nameOrPath: string;
  readonly revision?: string | undefined;
  /** Default -1: the last. */
  readonly layers?: LayerChoice | undefined;
  /** Default f32. */
  readonly precision?: Precision | undefined;
  /** Weights of a row that share a scale; default: `row` for int8. */
  readonly blockSize?: PackedBlock | undefined;
}

/** The settings of a front end that uses an encoder, as they go into a bundle. Opens the encoder once, to know it. */
export async function encoderFrontEnd(
  { nameOrPath, revision, layers = -1, precision = "f32", blockSize }: EncoderChoice,
  options: EncoderOptions = {},
): Promise<FrontEndSettings> {
  const found = await resolveModel(nameOrPath, { ...options.hub, revision });
  const encoder = await openFrameEncoder(found.folder, { ...session(options), layers, precision, blockSize });
  await encoder.dispose();
  return {
    kind: "encoder",
    sample_rate: encoder.sampleRate,
    settings: { hop_seconds: encoder.hopSeconds, ...encoder.settings },
    encoder: {
      // A folder by its whole path: a bundle may be loaded from anywhere.
      name_or_path: found.from === "folder" ? found.folder : nameOrPath,
      revision: found.revision ?? null,
      model_type: encoder.modelType,
      fingerprint: encoder.fingerprint,
      layers: [...encoder.layers],
      hidden_size: encoder.hiddenSize,
      precision,
      ...(encoder.blockSize === undefined ? {} : { block_size: encoder.blockSize }),
    },
  };
}

/** Opens the encoder that a front end's settings name. Throws EmosllmError `bundle_invalid` where it is another one. */
export async function encoderOf(
  { encoder: named, settings }: FrontEndSettings,
  options: EncoderOptions,
): Promise<OpenedFrameEncoder> {
  if (!named) throw new EmosllmError("bundle_invalid", "front_end.kind is 'encoder', but front_end.encoder is missing");
  const precision = PRECISIONS.find((p) => p === named.precision);
  if (!precision)
    throw new EmosllmError(
      "bundle_invalid",
      `front_end.encoder.precision '${named.precision}' is not one of ${PRECISIONS.join(", ")}`,
    );
  const { folder } = await locate(named, options);
  const encoder = await openFrameEncoder(folder, {
    ...session(options),
    layers: named.layers,
    precision,
    blockSize: blockOf(named),
    windowSeconds: seconds(settings, "window_seconds"),
    contextSeconds: seconds(settings, "context_seconds"),
  });
  const problem = difference(named, encoder, folder);
  if (problem === undefined || (options.allowOtherEncoder && encoder.hiddenSize === named.hidden_size)) return encoder;
  await encoder.dispose();
  throw new EmosllmError("bundle_invalid", problem);
}

/** The encoder that the manifest names, to be a part of a graph. Throws as {@link encoderOf}. */
export async function adaptableEncoder(named: EncoderManifest, options: EncoderOptions = {}): Promise<SpeechEncoder> {
  const settings = { kind: "encoder", sample_rate: 16_000, settings: {}, encoder: named };
  const opened = await encoderOf(settings, options);
  await opened.dispose();
  return openSpeechEncoder(opened.folder, { precision: opened.precision, blockSize: opened.blockSize });
}

/** How an encoder's weights were packed when it was trained with; bundles of before the key had blocks. */
function blockOf({ block_size: named, precision }: EncoderManifest): PackedBlock | undefined {
  const accepted: readonly PackedBlock[] = ["row", ...BLOCK_SIZES];
  if (named === undefined) return precision === "int8" ? 128 : precision === "int4" ? 32 : undefined;
  const block = accepted.find((b) => b === named);
  if (block !== undefined) return block;
  throw new EmosllmError(
    "bundle_invalid",
    `front_end.encoder.block_size ${JSON.stringify(named)} is not one of ${accepted.join(", ")}`,
  );
}

const session = ({ device, threads }: EncoderOptions): Pick<CompileOptions, "device" | "threads"> => ({
  ...(device === undefined ? {} : { device }),
  ...(threads === undefined ? {} : { threads }),
});

function seconds(settings: FrontEndSettings["settings"], key: string): number | undefined {
  const value = settings[key];
  if (value === undefined || (typeof value === "number" && value >= 0)) return value;
  throw new EmosllmError("bundle_invalid", `front_end.settings.${key} must be seconds, not ${JSON.stringify(value)}`);
}

async function locate(named: EncoderManifest, { encoder, base, hub }: EncoderOptions): Promise<ResolvedModel> {
  if (encoder !== undefined) return resolveModel(encoder, { ...hub });
  const own = base === undefined ? undefined : resolve(base, named.name_or_path);
  const isFolder = own !== undefined && (await stat(own).catch(() => undefined))?.isDirectory();
  if (own !== undefined && isFolder) return { folder: own, from: "folder" };
  try {
    return await resolveModel(named.name_or_path, { ...hub, revision: named.revision ?? undefined });
  } catch (cause) {
    if (!(cause instanceof EmosllmError)) throw cause;
    throw new EmosllmError(
      cause.code,
      `The speech encoder of the bundle was not found: ${cause.message}. Say where it is with the option 'encoder' (--encoder).`,
      { cause },
    );
  }
}

/** What is wrong with `encoder` in place of `named`. */
function difference(named: EncoderManifest, encoder: OpenedFrameEncoder, folder: string): string | undefined {
  if (encoder.fingerprint === named.fingerprint) return undefined;
  const [wanted, found] = [named.fingerprint.slice(0, 12), encoder.fingerprint.slice(0, 12)];
  const both = `the bundle was trained with the speech encoder ${named.name_or_path} (${named.model_type}, ${wanted}), but ${folder} is another one (${encoder.modelType}, ${found})`;
  return encoder.hiddenSize === named.hidden_size
    ? `${both}. Give its own with the option 'encoder' (--encoder), or take this one all the same with 'allowOtherEncoder' (--allow-other-encoder).`
    : `${both}, whose frames have ${encoder.hiddenSize} numbers instead of ${named.hidden_size}. Give its own with the option 'encoder' (--encoder).`;
}
