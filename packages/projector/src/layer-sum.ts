/** @file A learned weighted sum over an encoder's layers before a projector: softmax weights that begin even (s3prl's `Featurizer`; SUPERB, arXiv 2105.01051). */
import { type Dim, matmul, reshape, softmax } from "@emosllm/graph";
import type { Projector } from "./projector.ts";

/** The name of its parameter, `[layers]`. */
export const LAYER_WEIGHTS = "layer_weights";

/**
 * The projector over `[rows, frames, layers * inputSize]`: of a frame first all features of layer 0, then those of layer 1, and so on.
 * With one layer it is the projector itself.
 */
export function overLayers(projector: Projector, layers: number): Projector {
  if (layers === 1) return projector;
  return {
    ...projector,
    parameters: { [LAYER_WEIGHTS]: [layers], ...projector.parameters },
    initializers: { [LAYER_WEIGHTS]: { kind: "zeros" }, ...projector.initializers },
    inputSize: layers * projector.inputSize,
    build: (frames, lengths, parameter, packing) => {
      const [rows, time] = frames.shape as [Dim, Dim];
      const weights = reshape(softmax(parameter(LAYER_WEIGHTS, [layers])), [1, layers]);
      const mixed = matmul(weights, reshape(frames, [rows, time, layers, projector.inputSize]));
      return projector.build(reshape(mixed, [rows, time, projector.inputSize]), lengths, parameter, packing);
    },
  };
}
