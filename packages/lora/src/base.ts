/** @file What an adapter is laid out over: a base's linear layers, and its embeddings and output matrix by their names. */
import type { TensorTable } from "@emosllm/backbones";
import type { TensorSource } from "@emosllm/checkpoints";

/** The base's linear layers: paths and `[out, in]`. */
export interface LoraBase {
  readonly linearPaths: readonly string[];
  readonly tensors: TensorTable;
}

export const OUTPUT = "lm_head";
export const EMBEDDING = "model.embed_tokens";
export const OUTPUT_WEIGHT = "lm_head.weight";
export const EMBEDDING_WEIGHT = "model.embed_tokens.weight";

/** The output layer, where it has weights of its own. */
export const outputPath = ({ tensors }: Pick<LoraBase, "tensors">): string | undefined =>
  tensors.has(OUTPUT_WEIGHT) ? OUTPUT : undefined;

/** The embeddings of a language model. */
export const embeddingPath = ({ tensors }: Pick<LoraBase, "tensors">): string | undefined =>
  tensors.has(EMBEDDING_WEIGHT) ? EMBEDDING : undefined;

/** Whether the embeddings are the output matrix too. */
export const isTied = ({ tensors }: Pick<LoraBase, "tensors">): boolean =>
  tensors.has(EMBEDDING_WEIGHT) && !tensors.has(OUTPUT_WEIGHT);

/** A tensor of the base; the embeddings for the output matrix of a tied base. */
export const sourceOf = (base: Pick<LoraBase, "tensors">, name: string): TensorSource | undefined =>
  base.tensors.get(name) ?? (name === OUTPUT_WEIGHT ? base.tensors.get(EMBEDDING_WEIGHT) : undefined);

/** Embeddings and norms of a language model: what reaches its graph past the linear layers. */
const OUTSIDE = /^model\.(embed_tokens|norm|layers\.\d+\.([\w.]*_)?(layernorm|norm))\.weight$/;

/** Whether a whole tensor can be trained though no linear layer has it. */
export const isOutsideLinear = (base: Pick<LoraBase, "tensors">, name: string): boolean =>
  OUTSIDE.test(name) || (name === OUTPUT_WEIGHT && isTied(base));
