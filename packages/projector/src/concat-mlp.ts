/**
 * @file Concatenate and project: k frames in a row become one long frame, then linear, ReLU, linear (SLAM-LLM, arXiv 2402.08846,
 * `EncoderProjectorConcat`, whose parameter names these are). SLAM-LLM drops the frames that do not fill a group; here zeros fill it,
 * so that no sound is lost and one frame still gives a vector.
 */
import { type Dim, dimMultiply, relu, reshape } from "@emosllm/graph";
import type { ProjectorSizes } from "./config.ts";
import { COUNT, type Fields } from "./fields.ts";
import { declarations, groupCount, grouped, layersOver, zeroOutside } from "./layers.ts";
import type { Projector } from "./projector.ts";

/** `projector_config.json` of concatenate-and-MLP. */
export interface ConcatMlpConfig extends ProjectorSizes {
  readonly type: "concat_mlp";
  readonly frames_per_vector: number;
  readonly hidden_size: number;
}

/** SLAM-LLM's. */
export const CONCAT_MLP_FIELDS: Fields<ConcatMlpConfig> = { frames_per_vector: [5, COUNT], hidden_size: [2048, COUNT] };

export function buildConcatMlp(config: ConcatMlpConfig): Projector {
  const { input_size, output_size, frames_per_vector: k, hidden_size } = config;
  const declared = declarations();
  declared.dense("linear1", hidden_size, input_size * k);
  declared.dense("linear2", output_size, hidden_size);
  return {
    ...declared,
    inputSize: input_size,
    outputSize: output_size,
    vectors: (frames) => groupCount(frames, k),
    build: (frames, lengths, parameter) => {
      const { linear } = layersOver(declared, parameter);
      const groups = grouped(zeroOutside(frames, lengths), k);
      const [rows, n] = groups.shape as [Dim, Dim];
      const long = reshape(groups, [rows, n, dimMultiply(k, input_size)]);
      return linear("linear2", relu(linear("linear1", long)));
    },
  };
}
