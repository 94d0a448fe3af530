/**
 * @file LongRoPE (Ding et al. 2024; transformers' modeling_rope_utils): frequencies divided number by number, by one list while all
 * positions are within the length the model was first trained on and by another beyond, and angles' cos and sin scaled by a factor.
 */
import { type Tensor, constant, greater, where } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { type ModelConfig, optionalNumber } from "./config.ts";
import type { RopeParameters } from "./rope.ts";

/** The length up to which the short list counts. */
const trainedLength = (raw: ModelConfig["raw"], p: RopeParameters, maxPositions: number): number =>
  optionalNumber(raw, "original_max_position_embeddings") ?? p.original_max_position_embeddings ?? maxPositions;

/**
 * The number of tokens beyond which all positions of a text turn otherwise, so that keys computed before are of no use (transformers'
 * `Phi3ForCausalLM.prepare_inputs_for_generation`); undefined for models whose keys stay.
 */
export function ropeSwitch({ raw, rope, maxPositions }: ModelConfig): number | undefined {
  return (rope.rope_type ?? rope.type) === "longrope" ? trainedLength(raw, rope, maxPositions) : undefined;
}

/** Last position f32, of all `[]` or by token `[tokens, 1]`; base frequencies `[n]` -> frequencies `[1 or tokens, n]`, and the factor of cos and sin. */
export function longRope(
  base: Float32Array,
  reach: Tensor,
  { raw, maxPositions }: ModelConfig,
  p: RopeParameters,
): { readonly frequencies: Tensor; readonly factor: number } {
  const original = trainedLength(raw, p, maxPositions);
  const extension = p.factor ?? maxPositions / original;
  const factor = p.attention_factor ?? (extension <= 1 ? 1 : Math.sqrt(1 + Math.log(extension) / Math.log(original)));
  const divided = (key: "short_factor" | "long_factor"): Tensor => {
    const divisors: unknown = p[key];
    if (!Array.isArray(divisors) || divisors.length !== base.length || !divisors.every((d) => typeof d === "number"))
      throw new EmosllmError(
        "checkpoint_invalid",
        `config.json: ${key} of longrope must be ${base.length} numbers, not ${JSON.stringify(divisors)?.slice(0, 80)}`,
      );
    return constant(
      base.map((f, i) => f / (divisors[i] as number)),
      [1, base.length],
    );
  };
  const beyond = greater(reach, original - 1);
  return { frequencies: where(beyond, divided("long_factor"), divided("short_factor")), factor };
}
