/** @file SmolLM3 (Bakouch et al. 2025; transformers' modeling_smollm3): Llama where every few layers do without positions (`no_rope_layers`: 0). */
import type { Architecture } from "./architecture.ts";
import { optionalNumber, slidingLayer } from "./config.ts";

export const smollm3: Architecture = {
  attention: ({ raw }, layer) => {
    const listed = raw["no_rope_layers"];
    const interval = optionalNumber(raw, "no_rope_layer_interval") ?? 4;
    const turns = Array.isArray(listed) ? Boolean(listed[layer]) : (layer + 1) % interval !== 0;
    const windowed = raw["use_sliding_window"] === true && slidingLayer(raw, layer, () => !turns);
    return { rope: turns ? undefined : null, window: windowed ? optionalNumber(raw, "sliding_window") : undefined };
  },
};
