/**
 * @file LongRoPE (Ding et al. 2024; transformers' modeling_rope_utils): frequencies divided number by number, by one list while all
 * positions are within the length the model was first trained on and by another beyond, and angles' cos and sin scaled by a factor.
 */
import { type Tensor, constant, greater, max, where } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { type ModelConfig, optionalNumber } from "./config.ts";
import type { RopeParameters } from "./rope.ts";

/** positions f32 `[tokens]`, base frequencies `[n]` -> frequencies `[1, n]` for these positions, and the factor of cos and sin. */
export function longRope(
  base: Float32Array,
  positions: Tensor,
  { raw, maxPositions }: ModelConfig,
  p: RopeParameters,
): { readonly frequencies: Tensor; readonly factor: number } {
  const original =
    optionalNumber(raw, "original_max_position_embeddings") ?? p.original_max_position_embeddings ?? maxPositions;
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
  const beyond = greater(max(positions), original - 1);
  return { frequencies: where(beyond, divided("long_factor"), divided("short_factor")), factor };
}
