/** @file What transformers' configuration classes assume where `config.json` says nothing, by `model_type`. */
const GEMMA = {
  head_dim: 256,
  num_key_value_heads: 4,
  hidden_activation: "gelu_pytorch_tanh",
  query_pre_attn_scalar: 256,
  sliding_window: 4096,
  tie_word_embeddings: true,
} as const;

export const CONFIG_DEFAULTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  llama: {},
  mistral: { num_key_value_heads: 8, sliding_window: 4096, max_position_embeddings: 131_072 },
  qwen2: { num_key_value_heads: 32, sliding_window: 4096, max_window_layers: 28, max_position_embeddings: 32_768 },
  qwen3: {
    head_dim: 128,
    num_key_value_heads: 32,
    sliding_window: 4096,
    max_window_layers: 28,
    max_position_embeddings: 32_768,
  },
  phi3: { rms_norm_eps: 1e-5, max_position_embeddings: 4096 },
  smollm3: { num_key_value_heads: 4, rope_theta: 2_000_000, max_position_embeddings: 32_768 },
  gemma2: { ...GEMMA, attn_logit_softcapping: 50, final_logit_softcapping: 30, max_position_embeddings: 8192 },
  gemma3_text: { ...GEMMA, max_position_embeddings: 131_072 },
};
