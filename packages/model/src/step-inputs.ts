/** @file The inputs of a batch as graph tensors: ids around the audio vectors, where labels are predicted, what they should be. */
import { type Dim, type Tensor, input } from "@emosllm/graph";

/** The fed part of one step. Rows share `prefix` tokens; each row's own tokens are padded on the right to `suffix`. */
export interface StepInputs {
  /** f32 `[rows, frames, audioSize]` */
  readonly audioFeatures: Tensor;
  /** i64 `[rows]`, frames that count */
  readonly audioLengths: Tensor;
  /** i64 `[prefix]`; undefined when rows share nothing */
  readonly prefixIds: Tensor | undefined;
  /** i64 `[rows*suffix]`; anything at the audio's places and in the padding */
  readonly suffixIds: Tensor;
  /** i64 `[rows*suffix]`: which audio vector (row * queries + i) stands at a place, -1 for text */
  readonly audioIndex: Tensor;
  /** i64 `[rows*queries]`: the place (in `suffixIds`) of each audio vector */
  readonly audioPlaces: Tensor;
  /** i64 `[labels]`: tokens (in `[prefix + rows*suffix]`) whose output predicts a label */
  readonly labelPlaces: Tensor;
  /** i64 `[labels]` */
  readonly labelIds: Tensor;
  /** f32 `[labels]`: weight of each label in the loss; 1 / number of labels gives the mean */
  readonly labelWeights: Tensor;
}

/** Declares the inputs. `shared` says whether rows have a common prefix. */
export function stepInputs(audioSize: number, queries: number, shared: boolean): StepInputs {
  const own: Dim = "rows*suffix";
  return {
    audioFeatures: input("audio_features", ["rows", "frames", audioSize]),
    audioLengths: input("audio_lengths", ["rows"], "i64"),
    prefixIds: shared ? input("prefix_ids", ["prefix"], "i64") : undefined,
    suffixIds: input("suffix_ids", ["rows", "suffix"], "i64"),
    audioIndex: input("audio_index", [own], "i64"),
    audioPlaces: input("audio_places", [`${queries}*rows`], "i64"),
    labelPlaces: input("label_places", ["labels"], "i64"),
    labelIds: input("label_ids", ["labels"], "i64"),
    labelWeights: input("label_weights", ["labels"]),
  };
}
