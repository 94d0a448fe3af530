/** @file A language model as functions over the graph: embed ids, run the layers, read logits off chosen rows. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Checkpoint, openCheckpoint } from "@emosllm/checkpoints";
import { type Tensor, gather, matmul, rmsNorm } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { type Linear, frozen, linearOver } from "../linear.ts";
import { type ModelConfig, parseModelConfig } from "./config.ts";
import type { TokenLayout } from "./layout.ts";
import { llama } from "./llama.ts";

/** What a model's layers are built from. */
export interface LayerInputs {
  readonly config: ModelConfig;
  /** A frozen tensor of the checkpoint. */
  readonly tensor: (name: string) => Tensor;
  readonly linear: Linear;
  readonly layout: TokenLayout;
  /** `[tokens, hiddenSize]` */
  readonly hidden: Tensor;
}

/** The layers of one architecture: `[tokens, hiddenSize]` before the final norm. */
export type LanguageModelBuilder = (inputs: LayerInputs) => Tensor;

/** Architectures by `model_type`. */
const BUILDERS: Readonly<Record<string, LanguageModelBuilder>> = { llama };

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

/** Opens a folder as Hugging Face lays it out (`config.json`, `*.safetensors`). Throws EmosllmError. */
export async function openLanguageModel(folder: string): Promise<LanguageModel> {
  const file = join(folder, "config.json");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new EmosllmError(
      "checkpoint_not_found",
      `${file} cannot be read: a model folder needs config.json, tokenizer.json and *.safetensors`,
      { cause },
    );
  }
  let raw: Record<string, unknown>;
  try {
    raw = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new EmosllmError("checkpoint_invalid", `${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
  return languageModel(parseModelConfig(raw), await openCheckpoint(folder));
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
  const build = BUILDERS[config.modelType];
  if (!build)
    throw new EmosllmError(
      "model_unsupported",
      `model_type '${config.modelType}' is not supported; supported are ${Object.keys(BUILDERS).join(", ")}`,
    );
  const linear = linearOver(names, tensor);
  const tied = config.tieWordEmbeddings || !names.has("lm_head.weight");
  return {
    config,
    linear,
    linearPaths: [...names]
      .filter((name) => /\.layers\.\d+\..*_proj\.weight$/.test(name))
      .map((name) => name.slice(0, -".weight".length)),
    embed: (ids) => gather(tensor("model.embed_tokens.weight"), ids),
    layers: (hidden, layout, own = linear) => build({ config, tensor, linear: own, layout, hidden }),
    head: (hidden, own = linear) => {
      const normed = rmsNorm(hidden, tensor("model.norm.weight"), { epsilon: config.normEpsilon });
      if (!tied) return own(["lm_head"], normed)[0] as Tensor;
      return matmul(normed, tensor("model.embed_tokens.weight"), { transB: true });
    },
  };
}
