/** @file LoRA+ (Hayou et al. 2024, arXiv 2402.12354): B learns faster than A. */

/**
 * Factor of the learning rate by parameter, for the optimiser's `rateFactor`: `ratio` for B and, as in PEFT's
 * `create_loraplus_optimizer`, for every vector of an adapter (`shapes` are those of `LoraAdapter.parameters`); 1 for the rest. The
 * paper's ratio is 16 or more. Throws RangeError for a ratio that is not above 0.
 */
export function loraPlusRateFactor(
  shapes: Readonly<Record<string, readonly number[]>>,
  ratio: number,
): (name: string) => number {
  if (!(ratio > 0 && Number.isFinite(ratio))) throw new RangeError(`LoRA+: the ratio must be above 0, not ${ratio}`);
  return (name) => (name in shapes && (name.includes(".lora_B.") || shapes[name]?.length === 1) ? ratio : 1);
}
