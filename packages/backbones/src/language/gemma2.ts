/**
 * @file Gemma 2 (Gemma Team 2024; transformers' modeling_gemma2): scaled embeddings, norms by 1 + w before and after both parts of a
 * layer, soft caps on scores and logits, a window in every other layer.
 */
import type { Architecture } from "./architecture.ts";
import { type ModelConfig, optionalNumber, slidingLayer } from "./config.ts";

/** Factor of the scores. */
export const gemmaScale = ({ raw }: ModelConfig): number =>
  (optionalNumber(raw, "query_pre_attn_scalar") ?? 256) ** -0.5;

export const gemma2: Architecture = {
  attention: (config, layer) => ({
    scale: gemmaScale(config),
    softcap: optionalNumber(config.raw, "attn_logit_softcapping"),
    window: slidingLayer(config.raw, layer, (i) => (i + 1) % 2 !== 0)
      ? optionalNumber(config.raw, "sliding_window")
      : undefined,
  }),
  norms: {
    beforeAttention: "input_layernorm",
    afterAttention: "post_attention_layernorm",
    beforeFeedForward: "pre_feedforward_layernorm",
    afterFeedForward: "post_feedforward_layernorm",
  },
  normOffset: true,
  embedScale: ({ hiddenSize }) => Math.sqrt(hiddenSize),
  logitSoftcap: ({ raw }) => optionalNumber(raw, "final_logit_softcapping"),
};
