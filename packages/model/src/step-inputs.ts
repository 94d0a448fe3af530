/** @file The inputs of a batch as graph tensors: ids around the audio vectors, where labels are predicted, what they should be. */
import type { Branches } from "@emosllm/backbones";
import { type Dim, type Tensor, dimMultiply, input } from "@emosllm/graph";
import type { Projector } from "@emosllm/projector";

/** Which inputs a batch has; each combination is a program of its own. */
export interface BatchForm {
  /** Rows share a prefix, which runs once. */
  readonly shared: boolean;
  /** Rows hold audio. */
  readonly audio: boolean;
  /** Rows end in several alternative answers. */
  readonly branched: boolean;
}

/** The audio of a batch. */
export interface AudioInputs {
  /** f32 `[rows, frames, audioSize]` */
  readonly features: Tensor;
  /** i64 `[rows]`, frames that count */
  readonly lengths: Tensor;
  /** i64 `[rows*suffix]`: which audio vector (row * vectors + i) stands at a place, -1 for text */
  readonly index: Tensor;
  /** i64 `[rows*vectors]`: the place (in `suffixIds`) of each audio vector; a place of text for those beyond a row's own */
  readonly places: Tensor;
}

/** The fed part of one step. Each row's own tokens are padded on the right to `suffix`. */
export interface StepInputs {
  readonly audio: AudioInputs | undefined;
  /** i64 `[prefix]` */
  readonly prefixIds: Tensor | undefined;
  /** i64 `[rows, suffix]`; anything at the audio's places and in the padding */
  readonly suffixIds: Tensor;
  readonly branches: Branches | undefined;
  /** i64 `[labels]`: tokens (in `[prefix + rows*suffix]`) whose output predicts a label */
  readonly labelPlaces: Tensor;
  /** i64 `[labels]` */
  readonly labelIds: Tensor;
}

/** Declares the inputs of a form. */
export function stepInputs(
  { shared, audio, branched }: BatchForm,
  audioSize: number,
  vectors: Projector["vectors"],
): StepInputs {
  const own: Dim = "rows*suffix";
  return {
    audio: audio
      ? {
          features: input("audio_features", ["rows", "frames", audioSize]),
          lengths: input("audio_lengths", ["rows"], "i64"),
          index: input("audio_index", [own], "i64"),
          places: input("audio_places", [dimMultiply("rows", vectors("frames"))], "i64"),
        }
      : undefined,
    prefixIds: shared ? input("prefix_ids", ["prefix"], "i64") : undefined,
    suffixIds: input("suffix_ids", ["rows", "suffix"], "i64"),
    branches: branched
      ? {
          segments: input("segments", ["rows", "suffix"], "i64"),
          positions: input("positions", ["rows", "suffix"], "i64"),
        }
      : undefined,
    labelPlaces: input("label_places", ["labels"], "i64"),
    labelIds: input("label_ids", ["labels"], "i64"),
  };
}

/** A name for a form, to keep programs by. */
export const formKey = ({ shared, audio, branched }: BatchForm): string =>
  [shared ? "shared" : "apart", audio ? "audio" : "text", branched ? "branched" : "plain"].join(" ");
