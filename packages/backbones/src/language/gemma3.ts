/**
 * @file Gemma 3's text model (Gemma Team 2025; transformers' modeling_gemma3): Gemma 2 with normed heads instead of the scores' soft cap;
 * five layers of six see a window and turn faster (`rope_local_base_freq`) than the sixth, which sees everything.
 */
import type { Architecture, RotaryPositions } from "./architecture.ts";
import { type ModelConfig, optionalNumber, slidingLayer } from "./config.ts";
import { projectionsWithHeadNorms } from "./decoder.ts";
import { gemma2, gemmaScale } from "./gemma2.ts";
import type { RopeParameters } from "./rope.ts";

/** transformers 5 writes `rope_parameters` by kind of layer; 4 writes `rope_theta`, `rope_scaling` (global) and `rope_local_base_freq`. */
function ropeOf({ raw }: ModelConfig, sliding: boolean): RotaryPositions {
  const byKind = raw["rope_parameters"] as Record<string, RopeParameters | undefined> | null | undefined;
  const scaling = sliding ? {} : ((raw["rope_scaling"] ?? {}) as RopeParameters);
  const parameters = byKind?.[sliding ? "sliding_attention" : "full_attention"] ?? scaling;
  const theta = sliding
    ? (optionalNumber(raw, "rope_local_base_freq") ?? 10_000)
    : (optionalNumber(raw, "rope_theta") ?? 1_000_000);
  return { theta: parameters.rope_theta ?? theta, parameters };
}

export const gemma3: Architecture = {
  ...gemma2,
  attention: (config, layer) => {
    const pattern = optionalNumber(config.raw, "sliding_window_pattern") ?? 6;
    const sliding = slidingLayer(config.raw, layer, (i) => (i + 1) % pattern !== 0);
    return {
      scale: gemmaScale(config),
      softcap: optionalNumber(config.raw, "attn_logit_softcapping"),
      window: sliding ? optionalNumber(config.raw, "sliding_window") : undefined,
      rope: ropeOf(config, sliding),
    };
  },
  project: projectionsWithHeadNorms,
};
