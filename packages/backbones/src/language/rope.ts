/** @file Rotary position embedding: frequencies from config.json's `rope_parameters` / `rope_scaling` (default, linear, llama3). */
import { type Tensor, cast, constant, cos, max, mul, reshape, sin } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import type { RotaryPositions } from "./architecture.ts";
import { type ModelConfig, optionalNumber } from "./config.ts";
import { type TokenLayout, positionsAsFloat } from "./layout.ts";
import { longRope } from "./longrope.ts";

/** `rope_scaling` (transformers 4) or `rope_parameters` (5). */
export interface RopeParameters {
  readonly rope_type?: string;
  readonly type?: string;
  readonly rope_theta?: number;
  readonly partial_rotary_factor?: number;
  readonly factor?: number;
  readonly low_freq_factor?: number;
  readonly high_freq_factor?: number;
  readonly original_max_position_embeddings?: number;
  readonly attention_factor?: number;
  readonly short_factor?: readonly number[];
  readonly long_factor?: readonly number[];
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
  const type = ropeType(parameters);
  const rule = FREQUENCIES[type];
  if (!rule)
    throw new EmosllmError(
      "model_unsupported",
      `config.json: rope_type '${type}' is not supported; supported are ${[...Object.keys(FREQUENCIES), "longrope"].join(", ")}`,
    );
  // In single precision step by step, as transformers computes them: at large positions the last bit shows.
  const base = Float64Array.from({ length: headDim / 2 }, (_, i) => {
    const power = Math.fround(theta ** Math.fround((2 * i) / headDim));
    return Math.fround(1 / power);
  });
  return Float32Array.from(rule(base, parameters));
}

const ropeType = (parameters: RopeParameters): string => parameters.rope_type ?? parameters.type ?? "default";

/** cos and sin of the angles, `[tokens, turned / 2]` each; of each head the first `turned` numbers are turned. */
export interface RopeAngles {
  readonly cosine: Tensor;
  readonly sine: Tensor;
}

/** The angles of all tokens: config.json's, or those of `rope` where layers differ. */
export function ropeAngles(layout: TokenLayout, config: ModelConfig, rope?: RotaryPositions): RopeAngles {
  const parameters = rope?.parameters ?? config.rope;
  const share = parameters.partial_rotary_factor ?? optionalNumber(config.raw, "partial_rotary_factor") ?? 1;
  const turned = Math.floor(config.headDim * share);
  if (turned < 2 || turned % 2 !== 0)
    throw new EmosllmError(
      "checkpoint_invalid",
      `config.json: head_dim ${config.headDim} with partial_rotary_factor ${share} turns ${turned} numbers of a head; an even number is needed`,
    );
  const theta = rope?.theta ?? config.ropeTheta;
  const positions = positionsAsFloat(layout);
  const turn = (frequencies: Tensor, factor = 1): RopeAngles => {
    const angle = mul(reshape(positions, [layout.tokens, 1]), frequencies);
    return { cosine: mul(cos(angle), factor), sine: mul(sin(angle), factor) };
  };
  if (ropeType(parameters) === "longrope") {
    const reach = layout.reach ? cast(layout.reach, "f32") : max(positions);
    const { frequencies, factor } = longRope(ropeFrequencies(turned, theta), reach, config, parameters);
    return turn(frequencies, factor);
  }
  return turn(constant(ropeFrequencies(turned, theta, parameters), [1, turned / 2]));
}
