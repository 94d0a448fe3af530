/**
 * @file Phi-3 and Phi-4-mini (Abdin et al. 2024; transformers' modeling_phi3): Llama with q, k, v in one matrix and gate, up in another.
 * The fused names stay, so that PEFT's `qkv_proj` and `gate_up_proj` adapters fit.
 */
import { type Tensor, split } from "@emosllm/graph";
import type { Architecture } from "./architecture.ts";
import { optionalNumber } from "./config.ts";

export const phi3: Architecture = {
  attention: ({ raw }) => ({ window: optionalNumber(raw, "sliding_window") }),
  project: ({ config: { heads, keyValueHeads, headDim }, linear, at }, x) => {
    const [fused] = linear([`${at}.self_attn.qkv_proj`], x) as [Tensor];
    const shared = keyValueHeads * headDim;
    return split(fused, 1, [heads * headDim, shared, shared]) as [Tensor, Tensor, Tensor];
  },
  gateAndUp: ({ config: { intermediateSize }, linear, at }, x) => {
    const [fused] = linear([`${at}.mlp.gate_up_proj`], x) as [Tensor];
    return split(fused, 1, [intermediateSize, intermediateSize]) as [Tensor, Tensor];
  },
};
