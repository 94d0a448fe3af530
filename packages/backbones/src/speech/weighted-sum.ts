/** @file The learned mixture of an encoder's layers (Yang et al. 2021, SUPERB). */
import { type Tensor, add, mul, reshape, slice, softmax } from "@emosllm/graph";

/** Sum of the states by softmax(weights); weights f32 `[states]`. Throws RangeError when there are not as many. */
export function weightedLayerSum(hidden: readonly Tensor[], weights: Tensor): Tensor {
  if (weights.shape.length !== 1 || weights.shape[0] !== hidden.length || hidden.length === 0)
    throw new RangeError(
      `weights [${weights.shape.join(", ")}] for ${hidden.length} hidden states; one each is needed`,
    );
  const shares = softmax(weights);
  return hidden
    .map((h, i) => mul(h, reshape(slice(shares, 0, i, i + 1), [])))
    .reduce((total, part) => add(total, part));
}
