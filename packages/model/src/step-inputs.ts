/** @file The inputs of a batch as graph tensors: ids around the audio vectors, where labels are predicted, what they should be. */
import type { Asked, Branches, Packing } from "@emosllm/backbones";
import { type Dim, type Tensor, dimMultiply, input } from "@emosllm/graph";
import type { FramePacking, Projector } from "@emosllm/projector";

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
  /** Those frames, one row after the other. */
  readonly packing: FramePacking;
  /** i64 `[tokens]`: which audio vector (row * vectors + i) stands at a place, -1 for text */
  readonly index: Tensor;
  /** i64 `[rows*vectors]`: the place (in `ids`) of each audio vector; a place of text for those beyond a row's own */
  readonly places: Tensor;
}

/** The fed part of one step: the rows' own tokens one after the other, and where they stand in a rectangle `[rows, suffix]`. */
export interface StepInputs {
  readonly audio: AudioInputs | undefined;
  /** i64 `[prefix]` */
  readonly prefixIds: Tensor | undefined;
  /** i64 `[tokens]`: the rows' own; anything at the audio's places */
  readonly ids: Tensor;
  readonly packing: Packing;
  readonly branches: Branches | undefined;
  /** Tokens (in `[prefix + tokens]`) whose output predicts a label, `[labels]`. */
  readonly labels: Asked;
  /** i64 `[labels]` */
  readonly labelIds: Tensor;
}

/** Declares the inputs of a form. */
export function stepInputs(
  { shared, audio, branched }: BatchForm,
  audioSize: number,
  vectors: Projector["vectors"],
): StepInputs {
  const index = (name: string, ...shape: readonly Dim[]): Tensor => input(name, shape, "i64");
  return {
    audio: audio
      ? {
          features: input("audio_features", ["rows", "frames", audioSize]),
          lengths: index("audio_lengths", "rows"),
          packing: {
            places: index("frame_places", "own_frames"),
            owners: index("frame_owners", dimMultiply("rows", "frames")),
          },
          index: index("audio_index", "tokens"),
          places: index("audio_places", dimMultiply("rows", vectors("frames"))),
        }
      : undefined,
    prefixIds: shared ? index("prefix_ids", "prefix") : undefined,
    ids: index("ids", "tokens"),
    packing: {
      places: index("token_places", "rows", "suffix"),
      rows: index("token_rows", "tokens"),
      columns: index("token_columns", "tokens"),
    },
    branches: branched
      ? {
          segments: index("segments", "rows", "suffix"),
          positions: index("positions", "rows", "suffix"),
        }
      : undefined,
    labels: {
      tokens: index("label_tokens", "labels"),
      slots: index("label_slots", "rows", "slots"),
      rows: index("label_rows", "labels"),
      columns: index("label_columns", "labels"),
    },
    labelIds: index("label_ids", "labels"),
  };
}

/** A name for a form, to keep programs by. */
export const formKey = ({ shared, audio, branched }: BatchForm): string =>
  [shared ? "shared" : "apart", audio ? "audio" : "text", branched ? "branched" : "plain"].join(" ");
