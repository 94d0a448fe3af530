/** @file Rotary position embedding: frequencies from config.json's `rope_parameters` / `rope_scaling` (default, linear, llama3). */
import { type Tensor, constant, cos, mul, reshape, sin } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import type { ModelConfig } from "./config.ts";
import { type TokenLayout, positionsAsFloat } from "./layout.ts";

/** `rope_scaling` (transformers 4) or `rope_parameters` (5). */
export interface RopeParameters {
  readonly rope_type?: string;
  readonly type?: string;
  readonly rope_theta?: number;
  readonly factor?: number;
  readonly low_freq_factor?: number;
  readonly high_freq_factor?: number;
  readonly original_max_position_embeddings?: number;
}

type Frequencies = (base: Float64Array, p: RopeParameters) => Float64Array;

const number = (p: RopeParameters, key: keyof RopeParameters): number => {
  const value = p[key];
  if (typeof value !== "number")
    throw new EmosllmError("checkpoint_invalid", `config.json: rope_parameters.${key} must be a number, not ${value}`);
  return value;
};

/** By `rope_type`; the same as transformers' `modeling_rope_utils`. */
const FREQUENCIES: Readonly<Record<string, Frequencies>> = {
  default: (base) => base,
  linear: (base, p) => base.map((f) => f / number(p, "factor")),
  llama3: (base, p) => {
    const [factor, low, high] = [number(p, "factor"), number(p, "low_freq_factor"), number(p, "high_freq_factor")];
    const context = number(p, "original_max_position_embeddings");
    return base.map((f) => {
      const wavelength = (2 * Math.PI) / f;
      if (wavelength < context / high) return f;
      if (wavelength > context / low) return f / factor;
      const smooth = (context / wavelength - low) / (high - low);
      return ((1 - smooth) * f) / factor + smooth * f;
    });
  },
};

/** Inverse frequencies `[headDim / 2]`. Throws EmosllmError `model_unsupported` for a `rope_type` that is not in the table. */
export function ropeFrequencies(headDim: number, theta: number, parameters: RopeParameters = {}): Float32Array {
  const type = parameters.rope_type ?? parameters.type ?? "default";
  const rule = FREQUENCIES[type];
  if (!rule)
    throw new EmosllmError(
      "model_unsupported",
      `config.json: rope_type '${type}' is not supported; supported are ${Object.keys(FREQUENCIES).join(", ")}`,
    );
  // In single precision step by step, as transformers computes them: at large positions the last bit shows.
  const base = Float64Array.from({ length: headDim / 2 }, (_, i) => {
    const power = Math.fround(theta ** Math.fround((2 * i) / headDim));
    return Math.fround(1 / power);
  });
  return Float32Array.from(rule(base, parameters));
}

/** cos and sin of the angles, `[tokens, headDim / 2]` each. */
export function ropeAngles(
  layout: TokenLayout,
  config: ModelConfig,
): { readonly cosine: Tensor; readonly sine: Tensor } {
  const frequencies = ropeFrequencies(config.headDim, config.ropeTheta, config.rope);
  const angle = mul(
    reshape(positionsAsFloat(layout), [layout.tokens, 1]),
    constant(frequencies, [1, frequencies.length]),
  );
  return { cosine: cos(angle), sine: sin(angle) };
}
