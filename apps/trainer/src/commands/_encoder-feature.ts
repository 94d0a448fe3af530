/** @file Features of a speech encoder for `features build` and `features extract`: the options, and the encoder behind them. */
import { type CacheableFeature, encoderFeature } from "@emosllm/audio-features";
import { type LayerChoice, PRECISIONS, openFrameEncoder } from "@emosllm/backbones";
import { resolveModel } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { oneOf } from "./_args.ts";

/** Kinds of features that need `--model`: every frame, or their mean over the clip. */
export const ENCODER_KINDS: readonly string[] = ["encoder", "encoder-mean"];

/** Options that both commands take. */
export const ENCODER_ARGS = {
  model: { type: "string", description: "speech encoder of the features encoder and encoder-mean: hub id or folder" },
  revision: { type: "string", description: "branch, tag or commit of a model of the hub" },
  layers: {
    type: "string",
    default: "-1",
    description: "hidden states, with commas: -1 is the last, 0 what enters the first layer; or all",
  },
  precision: { type: "string", default: "f32", description: `how its weights are held: ${PRECISIONS.join(", ")}` },
} as const;

/** Values of {@link ENCODER_ARGS}. */
export interface EncoderArgs {
  readonly model?: string | undefined;
  readonly revision?: string | undefined;
  readonly layers: string;
  readonly precision: string;
}

/** An opened encoder; several features may be taken from it. */
export interface EncoderFeatures {
  readonly sampleRate: number;
  readonly feature: (kind: string) => CacheableFeature;
  dispose(): Promise<void>;
}

/** Opens the encoder that `--model` names. Throws EmosllmError `usage`, `checkpoint_*`, `model_unsupported`. */
export async function openEncoderFeatures({ model, revision, ...args }: EncoderArgs): Promise<EncoderFeatures> {
  if (model === undefined)
    throw new EmosllmError("usage", `--features ${ENCODER_KINDS.join(" and ")} need --model: hub id or folder`);
  const precision = oneOf("precision", args.precision, PRECISIONS);
  const layers = parseLayers(args.layers);
  const { folder } = await resolveModel(model, { revision });
  const encoder = await openFrameEncoder(folder, { layers, precision });
  const source = { ...encoder, settings: encoder.cacheSettings };
  return {
    sampleRate: encoder.sampleRate,
    feature: (kind) => encoderFeature(source, { pool: kind === "encoder-mean" ? "mean" : "frames" }),
    dispose: () => encoder.dispose(),
  };
}

function parseLayers(text: string): LayerChoice {
  if (text === "all") return "all";
  const layers = text.split(",").map((word) => Number(word.trim() || NaN));
  if (layers.every((layer) => Number.isInteger(layer))) return layers;
  throw new EmosllmError("usage", `--layers ${text}: expected whole numbers with commas, e.g. -1 or 6,12,18, or all`);
}
