/** @file What all speech encoders have in common: sound in, every hidden layer out, as functions over the graph. */
import type { Checkpoint } from "@emosllm/checkpoints";
import type { Tensor } from "@emosllm/graph";
import type { Linear, TensorTable } from "../linear.ts";

/** What a user of an encoder needs to know of it. */
export interface SpeechEncoderConfig {
  readonly modelType: string;
  /** Numbers of a frame. */
  readonly hiddenSize: number;
  /** Transformer layers; there is one hidden state more. */
  readonly layers: number;
  /** Hz. */
  readonly sampleRate: number;
  /** Samples from one frame to the next. */
  readonly hop: number;
  /** Fewest samples that give a frame. */
  readonly shortest: number;
  /** Samples that a frame sees before attention. */
  readonly frameWidth: number;
  /** Channels of the first convolution where a group norm follows it, else 0. */
  readonly groupChannels: number;
  /** Most samples of one row, where the model has a limit (Whisper: 30 s); longer clips need windows. */
  readonly longest?: number | undefined;
  /**
   * Whether rows of different lengths may stand in one batch. Models with `feat_extract_norm` "group" normalise over a whole row and
   * were trained without a mask: there rows of one batch must have the same length (see {@link lengthBuckets}).
   */
  readonly padding: boolean;
}

/** What an encoder computes for a batch. */
export interface SpeechStates {
  /** transformers' `hidden_states`: what enters the first layer, then each layer's result, `[rows, frames, hiddenSize]` each. */
  readonly hidden: readonly Tensor[];
  /** transformers' `last_hidden_state`: the last layer's after the final norm, where the model has one. */
  readonly last: Tensor;
}

/** Sound as {@link SpeechEncoder.prepare} leaves it. */
export interface PreparedClip {
  readonly samples: Float32Array;
  /** The group norm of the first convolution over the whole clip, `[channels]` each: for windows of long clips. */
  readonly groupNorm?: { readonly scale: Float32Array; readonly offset: Float32Array };
}

/** How {@link SpeechEncoder.build} takes sound that went through {@link SpeechEncoder.prepare}. */
export interface PreparedInputs {
  /** `[rows, channels]` each; left out: the norm is taken over each row. */
  readonly groupNorm?: { readonly scale: Tensor; readonly offset: Tensor } | undefined;
}

/** A checkpoint that can be put into graphs. */
export interface SpeechEncoder {
  readonly config: SpeechEncoderConfig;
  readonly checkpoint: Checkpoint;
  /** What programs are to find by name: the checkpoint's tensors, and packed ones. */
  readonly weights: TensorTable;
  /** Paths of the linear layers that an adapter may target. */
  readonly linearPaths: readonly string[];
  readonly linear: Linear;
  /**
   * waveform f32 `[rows, samples]` at `sampleRate`, full scale 1, zeros after each row's end; lengths i64 `[rows]` in samples (left out:
   * every row is full). The checkpoint's own scaling of the sound (`do_normalize`, Whisper's mel spectrogram) is part of it. Frames past
   * `frameCounts` of a row mean nothing. With `prepared`, the sound is taken as scaled already. Throws EmosllmError `usage` for lengths
   * where `config.padding` is false.
   */
  readonly build: (waveform: Tensor, lengths?: Tensor, linear?: Linear, prepared?: PreparedInputs) => SpeechStates;
  /** Scales a whole clip as the checkpoint wants it; `long` clips, which go on in windows, get their group norm too. */
  readonly prepare: (samples: Float32Array, long: boolean) => Promise<PreparedClip>;
  /** Frames of clips of so many samples. Throws RangeError for clips that are too short or too long. */
  readonly frameCounts: (lengths: readonly number[]) => number[];
}

/** Groups clips (by index) that may be run together: all, or those of equal length where the model takes no padding. */
export function lengthBuckets({ config }: Pick<SpeechEncoder, "config">, lengths: readonly number[]): number[][] {
  if (config.padding) return lengths.length === 0 ? [] : [[...lengths.keys()]];
  const buckets = new Map<number, number[]>();
  lengths.forEach((length, i) => buckets.set(length, [...(buckets.get(length) ?? []), i]));
  return [...buckets.values()];
}

/** `frames` of each clip, after a check against the model's limits. */
export const frameCounter =
  ({ shortest, longest, sampleRate }: SpeechEncoderConfig, frames: (length: number) => number) =>
  (lengths: readonly number[]): number[] =>
    lengths.map((length, i) => {
      if (!Number.isInteger(length) || length < shortest || length > (longest ?? Infinity))
        throw new RangeError(
          `clip ${i}: ${length} samples; ${shortest}${longest === undefined ? " or more" : ` to ${longest}`} are accepted at ${sampleRate} Hz`,
        );
      return frames(length);
    });
