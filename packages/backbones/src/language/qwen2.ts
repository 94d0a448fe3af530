/**
 * @file Qwen2 and Qwen2.5 (Yang et al. 2024; transformers' modeling_qwen2): Llama with biases on q, k and v, which the checkpoint's
 * names say, and a window in the upper layers where `use_sliding_window` is on.
 */
import type { Architecture } from "./architecture.ts";
import { type ModelConfig, optionalNumber, slidingLayer } from "./config.ts";

/** Window of one layer, Qwen's rule. */
export function qwenWindow({ raw }: ModelConfig, layer: number): number | undefined {
  if (raw["use_sliding_window"] !== true) return undefined;
  const from = optionalNumber(raw, "max_window_layers") ?? 28;
  return slidingLayer(raw, layer, (i) => i >= from) ? optionalNumber(raw, "sliding_window") : undefined;
}

export const qwen2: Architecture = { attention: (config, layer) => ({ window: qwenWindow(config, layer) }) };
