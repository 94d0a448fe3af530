/** @file What config.json and preprocessor_config.json say of a wav2vec 2.0, HuBERT or WavLM model. */
import type { Tensor } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { activationNamed } from "../activations.ts";
import { configReader } from "../config-reader.ts";
import type { SpeechEncoderConfig } from "./encoder.ts";

/** Read by {@link parseWaveConfig}. */
export interface WaveConfig extends SpeechEncoderConfig {
  readonly heads: number;
  readonly normEpsilon: number;
  readonly convolutions: readonly { readonly channels: number; readonly kernel: number; readonly stride: number }[];
  readonly convBias: boolean;
  readonly featureNorm: "group" | "layer";
  readonly featureActivation: (x: Tensor) => Tensor;
  /** Whether the features are normed before they are projected. */
  readonly projectionNorm: boolean;
  readonly positionKernel: number;
  readonly positionGroups: number;
  /** `do_stable_layer_norm`: norms before each part instead of after. */
  readonly normFirst: boolean;
  readonly activation: (x: Tensor) => Tensor;
  /** Scale the sound to variance 1. */
  readonly normalise: boolean;
  readonly buckets: { readonly buckets: number; readonly furthest: number };
}

type Raw = Readonly<Record<string, unknown>>;

/** Throws EmosllmError `checkpoint_invalid` or `model_unsupported`, naming file, key and value. */
export function parseWaveConfig(raw: Raw, preprocessor: Raw): WaveConfig {
  const { count, counts, real, name, flag } = configReader(raw);
  const sound = configReader(preprocessor, "preprocessor_config.json");
  const featureNorm = name("feat_extract_norm", "group");
  if (featureNorm !== "group" && featureNorm !== "layer")
    throw new EmosllmError(
      "model_unsupported",
      `config.json: feat_extract_norm '${featureNorm}' is not supported; group and layer are`,
    );
  for (const key of ["add_adapter", "conv_pos_batch_norm", "adapter_attn_dim"])
    if (raw[key] !== undefined && raw[key] !== null && raw[key] !== false)
      throw new EmosllmError("model_unsupported", `config.json: ${key} ${JSON.stringify(raw[key])} is not supported`);
  const channels = counts("conv_dim", [512, 512, 512, 512, 512, 512, 512]);
  const kernels = counts("conv_kernel", [10, 3, 3, 3, 3, 2, 2]);
  const strides = counts("conv_stride", [5, 2, 2, 2, 2, 2, 2]);
  if (channels.length === 0 || kernels.length !== channels.length || strides.length !== channels.length)
    throw new EmosllmError(
      "checkpoint_invalid",
      `config.json: conv_dim, conv_kernel and conv_stride have ${channels.length}, ${kernels.length} and ${strides.length} numbers; as many each are needed`,
    );
  const hiddenSize = count("hidden_size", 768);
  const heads = count("num_attention_heads", 12);
  if (hiddenSize % heads !== 0)
    throw new EmosllmError(
      "checkpoint_invalid",
      `config.json: hidden_size ${hiddenSize} is not a multiple of num_attention_heads ${heads}`,
    );
  let [hop, shortest] = [1, 1];
  kernels.forEach((kernel, i) => {
    shortest += (kernel - 1) * hop;
    hop *= strides[i] as number;
  });
  return {
    modelType: name("model_type"),
    hiddenSize,
    layers: count("num_hidden_layers", 12),
    sampleRate: sound.count("sampling_rate", 16_000),
    hop,
    shortest,
    frameWidth: shortest,
    groupChannels: featureNorm === "group" ? (channels[0] as number) : 0,
    padding: featureNorm === "layer",
    heads,
    normEpsilon: real("layer_norm_eps", 1e-5),
    convolutions: channels.map((c, i) => ({
      channels: c,
      kernel: kernels[i] as number,
      stride: strides[i] as number,
    })),
    convBias: flag("conv_bias", false),
    featureNorm,
    featureActivation: activationNamed(name("feat_extract_activation", "gelu"), "feat_extract_activation"),
    projectionNorm: flag("feat_proj_layer_norm", true),
    positionKernel: count("num_conv_pos_embeddings", 128),
    positionGroups: count("num_conv_pos_embedding_groups", 16),
    normFirst: flag("do_stable_layer_norm", false),
    activation: activationNamed(name("hidden_act", "gelu"), "hidden_act"),
    normalise: sound.flag("do_normalize", true),
    buckets: { buckets: count("num_buckets", 320), furthest: count("max_bucket_distance", 800) },
  };
}
