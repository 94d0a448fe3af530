/** @file The part of a language model's `config.json` that decides what is computed, under camelCase names. */
import { EmosllmError } from "@emosllm/interfaces";
import { configReader } from "../config-reader.ts";
import { CONFIG_DEFAULTS } from "./defaults.ts";
import type { RopeParameters } from "./rope.ts";

/** Read from `config.json` by {@link parseModelConfig}. */
export interface ModelConfig {
  readonly modelType: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
  readonly rope: RopeParameters;
  /** Of the gated units, by transformers' name. */
  readonly activation: string;
  readonly tieWordEmbeddings: boolean;
  readonly maxPositions: number;
  /** Everything as it stands in the file over the model type's defaults, for what only some models have. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Checks and renames. Throws EmosllmError `checkpoint_invalid` naming the key and its value. */
export function parseModelConfig(file: Readonly<Record<string, unknown>>): ModelConfig {
  const raw = { ...CONFIG_DEFAULTS[String(file["model_type"])], ...file };
  const { count, real, name, flag } = configReader(raw);
  const modelType = name("model_type");
  const rope = (raw["rope_parameters"] ?? raw["rope_scaling"] ?? {}) as RopeParameters;
  const activation = name("hidden_activation", name("hidden_act", "silu"));
  const heads = count("num_attention_heads");
  const hiddenSize = count("hidden_size");
  const keyValueHeads = count("num_key_value_heads", heads);
  if (heads % keyValueHeads !== 0)
    throw new EmosllmError(
      "checkpoint_invalid",
      `config.json: num_attention_heads ${heads} is not a multiple of num_key_value_heads ${keyValueHeads}`,
    );
  return {
    modelType,
    vocabSize: count("vocab_size"),
    hiddenSize,
    intermediateSize: count("intermediate_size"),
    layers: count("num_hidden_layers"),
    heads,
    keyValueHeads,
    headDim: count("head_dim", Math.floor(hiddenSize / heads)),
    normEpsilon: real("rms_norm_eps", 1e-6),
    ropeTheta: rope.rope_theta ?? real("rope_theta", 10000),
    rope,
    activation,
    tieWordEmbeddings: flag("tie_word_embeddings", false),
    maxPositions: count("max_position_embeddings", 2048),
    raw,
  };
}

/** A number that may be null or missing. Throws EmosllmError `checkpoint_invalid` for anything else. */
export function optionalNumber(raw: ModelConfig["raw"], key: string): number | undefined {
  const value = raw[key] ?? undefined;
  if (value === undefined || (typeof value === "number" && value > 0)) return value as number | undefined;
  throw new EmosllmError(
    "checkpoint_invalid",
    `config.json: ${key} must be a number above 0 or null, not ${JSON.stringify(value)}`,
  );
}

/** Whether a layer sees a window: by `layer_types`, or by the rule that the model type had before that key. */
export function slidingLayer(raw: ModelConfig["raw"], layer: number, rule: (layer: number) => boolean): boolean {
  const types: unknown = raw["layer_types"] ?? undefined;
  if (types === undefined) return rule(layer);
  const type: unknown = Array.isArray(types) ? types[layer] : types;
  if (type === "sliding_attention" || type === "full_attention") return type === "sliding_attention";
  throw new EmosllmError(
    "checkpoint_invalid",
    `config.json: layer_types must say sliding_attention or full_attention for layer ${layer}, not ${JSON.stringify(type)}`,
  );
}
