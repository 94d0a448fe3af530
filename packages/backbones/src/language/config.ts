/** @file The part of a language model's `config.json` that decides what is computed, under camelCase names. */
import { EmosllmError } from "@emosllm/interfaces";
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
  readonly tieWordEmbeddings: boolean;
  readonly maxPositions: number;
  /** Everything as it stands in the file, for what only some models have. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Checks and renames. Throws EmosllmError `checkpoint_invalid` naming the key and its value. */
export function parseModelConfig(raw: Readonly<Record<string, unknown>>): ModelConfig {
  const count = (key: string, fallback?: number): number => {
    const value = raw[key] ?? fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1)
      throw new EmosllmError(
        "checkpoint_invalid",
        `config.json: ${key} must be a whole number >= 1, not ${JSON.stringify(value)}`,
      );
    return value;
  };
  const real = (key: string, fallback: number): number => {
    const value = raw[key] ?? fallback;
    if (typeof value !== "number")
      throw new EmosllmError(
        "checkpoint_invalid",
        `config.json: ${key} must be a number, not ${JSON.stringify(value)}`,
      );
    return value;
  };
  if (typeof raw["model_type"] !== "string")
    throw new EmosllmError(
      "checkpoint_invalid",
      `config.json: model_type must be a name, not ${JSON.stringify(raw["model_type"])}`,
    );
  const rope = (raw["rope_parameters"] ?? raw["rope_scaling"] ?? {}) as RopeParameters;
  const heads = count("num_attention_heads");
  const hiddenSize = count("hidden_size");
  const keyValueHeads = count("num_key_value_heads", heads);
  if (heads % keyValueHeads !== 0)
    throw new EmosllmError(
      "checkpoint_invalid",
      `config.json: num_attention_heads ${heads} is not a multiple of num_key_value_heads ${keyValueHeads}`,
    );
  return {
    modelType: raw["model_type"],
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
    tieWordEmbeddings: raw["tie_word_embeddings"] === true,
    maxPositions: count("max_position_embeddings", 2048),
    raw,
  };
}
