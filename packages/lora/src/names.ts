/** @file The names of an adapter's tensors in `adapter_model.safetensors`, as PEFT writes them. */

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
