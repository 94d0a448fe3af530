/** @file The names of an adapter's tensors in `adapter_model.safetensors`, as PEFT writes them. */
import type { LoraTarget } from "./targets.ts";

/** Opens every name: PEFT wraps the model twice. */
export const PREFIX = "base_model.model.";

/** The trained tensors that a module may have. */
export interface LoraNames {
  /** A `[r, in]` */
  readonly a: string;
  /** B `[out, r]` */
  readonly b: string;
  /** `[out]`, with `lora_bias` */
  readonly bBias: string;
  /** `[out]`, with `use_dora`; no `.weight` at its end */
  readonly magnitude: string;
  /** `[out]`: the module's own bias, trained with `bias` "lora_only" or "all" */
  readonly bias: string;
}

/** Names by the path of a module, e.g. `model.layers.0.self_attn.q_proj`. */
export const loraNames = (path: string): LoraNames => ({
  a: `${PREFIX}${path}.lora_A.weight`,
  b: `${PREFIX}${path}.lora_B.weight`,
  bBias: `${PREFIX}${path}.lora_B.bias`,
  magnitude: `${PREFIX}${path}.lora_magnitude_vector`,
  bias: `${PREFIX}${path}.base_layer.bias`,
});

/** The names of a target: an embedding's A `[r, vocabulary]` and B `[width, r]` are called otherwise, without `.weight`. */
export const namesOf = ({ path, embedding }: Pick<LoraTarget, "path" | "embedding">): LoraNames => {
  const names = loraNames(path);
  return embedding
    ? { ...names, a: `${PREFIX}${path}.lora_embedding_A`, b: `${PREFIX}${path}.lora_embedding_B` }
    : names;
};

/** Rows of embeddings that are trained (`trainable_token_indices`), `[n, width]`: the rows themselves, not what is added to them. */
export const tokenRowsName = (path: string): string => `${PREFIX}${path}.token_adapter.trainable_tokens_delta`;
