/** @file A language model as functions over the graph: embed ids, run the layers, read logits off chosen rows. */
import { join } from "node:path";
import { type Checkpoint, type OpenCheckpointOptions, openCheckpoint } from "@emosllm/checkpoints";
import { type Tensor, gather, matmul, mul, tanh } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { readJsonObject } from "../json-file.ts";
import { type Linear, frozen, linearOver } from "../linear.ts";
import type { Architecture } from "./architecture.ts";
import { type ModelConfig, parseModelConfig } from "./config.ts";
import { decoder, normOf } from "./decoder.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import type { TokenLayout } from "./layout.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { phi3 } from "./phi3.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { smollm3 } from "./smollm3.ts";

/** Architectures by `model_type`. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  phi3,
  smollm3,
  gemma2,
  gemma3_text: gemma3,
};

/** A checkpoint that can be put into graphs. */
export interface LanguageModel {
  readonly config: ModelConfig;
  readonly checkpoint: Checkpoint;
  /** Paths of the linear layers that an adapter may target. */
  readonly linearPaths: readonly string[];
  /** The checkpoint's own linear layers. */
  readonly linear: Linear;
  /** ids i64 `[n]` -> `[n, hiddenSize]` */
  readonly embed: (ids: Tensor) => Tensor;
  /** `[tokens, hiddenSize]` -> the same after all layers, before the final norm. */
  readonly layers: (hidden: Tensor, layout: TokenLayout, linear?: Linear) => Tensor;
  /** `[n, hiddenSize]` -> logits `[n, vocabSize]`, final norm included. */
  readonly head: (hidden: Tensor, linear?: Linear) => Tensor;
}

/** Opens a folder as Hugging Face lays it out (`config.json`, `*.safetensors` or `pytorch_model.bin`). Throws EmosllmError. */
export async function openLanguageModel(folder: string, options: OpenCheckpointOptions = {}): Promise<LanguageModel> {
  const raw = await readJsonObject(join(folder, "config.json"), "a model folder needs config.json and weights");
  return languageModel(parseModelConfig(raw), await openCheckpoint(folder, options));
}

/** Puts a checkpoint behind {@link LanguageModel}. Throws EmosllmError `model_unsupported` for an unknown `model_type`. */
export function languageModel(config: ModelConfig, checkpoint: Checkpoint): LanguageModel {
  const { tensors } = checkpoint;
  return { ...languageModelOver(config, new Set(tensors.keys()), (name) => frozen(tensors, name)), checkpoint };
}

/** The same over any tensors by name (trained ones, say): `names` are those there are. */
export function languageModelOver(
  config: ModelConfig,
  names: ReadonlySet<string>,
  tensor: (name: string) => Tensor,
): Omit<LanguageModel, "checkpoint"> {
  const architecture = ARCHITECTURES[config.modelType];
  if (!architecture)
    throw new EmosllmError(
      "model_unsupported",
      `model_type '${config.modelType}' is not supported; supported are ${Object.keys(ARCHITECTURES).join(", ")}`,
    );
  const linear = linearOver(names, tensor);
  const tied = config.tieWordEmbeddings || !names.has("lm_head.weight");
  const softcap = architecture.logitSoftcap?.(config);
  return {
    config,
    linear,
    linearPaths: [...names]
      .filter((name) => /\.layers\.\d+\..*_proj\.weight$/.test(name))
      .map((name) => name.slice(0, -".weight".length)),
    embed: (ids) => mul(gather(tensor("model.embed_tokens.weight"), ids), architecture.embedScale?.(config) ?? 1),
    layers: (hidden, layout, own = linear) => decoder(architecture, { config, tensor, linear: own, layout, hidden }),
    head: (hidden, own = linear) => {
      const normed = normOf(architecture, { config, tensor })("model.norm", hidden);
      const logits = tied
        ? matmul(normed, tensor("model.embed_tokens.weight"), { transB: true })
        : (own(["lm_head"], normed)[0] as Tensor);
      return softcap === undefined ? logits : mul(tanh(mul(logits, 1 / softcap)), softcap);
    },
  };
}
