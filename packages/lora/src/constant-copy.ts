/** @file A tensor through which no gradient flows. */
import type { Tensor } from "@emosllm/graph";

/**
 * The same expression as new nodes. Derivatives follow nodes by identity, so none reaches the original; lowering computes equal
 * expressions once, so the copy costs nothing.
 */
export function constantCopy(tensor: Tensor, copies: Map<Tensor, Tensor> = new Map<Tensor, Tensor>()): Tensor {
  let copy = copies.get(tensor);
  if (!copy) {
    copy = Object.freeze({ ...tensor, inputs: tensor.inputs.map((i) => constantCopy(i, copies)) });
    copies.set(tensor, copy);
  }
  return copy;
}
