/** @file What an architecture says of itself: its differences from Llama, as plain data and small functions. */
import type { Tensor } from "@emosllm/graph";
import type { Linear } from "../linear.ts";
import type { ModelConfig } from "./config.ts";
import type { TokenLayout } from "./layout.ts";
import type { RopeParameters } from "./rope.ts";

/** What a model's layers are built from. */
export interface LayerInputs {
  readonly config: ModelConfig;
  /** A frozen tensor of the checkpoint. */
  readonly tensor: (name: string) => Tensor;
  readonly linear: Linear;
  /** What an RMS norm gives, where it is not that of one weight for all rows. */
  readonly norm?: NormOver | undefined;
  readonly layout: TokenLayout;
  /** `[tokens, hiddenSize]` */
  readonly hidden: Tensor;
  /** Layers (from 0) whose values are computed again for the gradient instead of kept. */
  readonly recompute?: ((layer: number) => boolean) | undefined;
}

/** The norm of the tensor `name`, from norms of the same input by other weights; undefined for the plain one. */
export type NormOver = (name: string, normBy: (weight: Tensor) => Tensor) => Tensor | undefined;

/** One layer while it is being built. */
export interface LayerScope extends Pick<LayerInputs, "config" | "tensor" | "linear"> {
  readonly index: number;
  /** The layer's path, `model.layers.3`. */
  readonly at: string;
  /** RMS norm over the last axis with `at`'s tensor `NAME.weight`. */
  readonly norm: (name: string, x: Tensor) => Tensor;
}

/** How one layer attends, where it differs from the plain causal attention that config.json's heads describe. */
export interface LayerAttention {
  /** Factor of the scores; 1 / sqrt(headDim) when not given. */
  readonly scale?: number | undefined;
  readonly softcap?: number | undefined;
  /** Attend only to the last `window` positions, oneself included. */
  readonly window?: number | undefined;
  /** The layer's rotary positions; config.json's when not given, none when null. */
  readonly rope?: RotaryPositions | null | undefined;
}

/** Rotary positions that differ by layer. */
export interface RotaryPositions {
  readonly theta: number;
  readonly parameters: RopeParameters;
}

/** x `[tokens, hiddenSize]` -> q `[tokens, heads*headDim]`, k and v `[tokens, keyValueHeads*headDim]`. */
export type Projection = (scope: LayerScope, x: Tensor) => readonly [q: Tensor, k: Tensor, v: Tensor];

/** A decoder by its differences from Llama; `{}` is Llama. */
export interface Architecture {
  readonly attention?: (config: ModelConfig, layer: number) => LayerAttention;
  readonly project?: Projection;
  /** x `[tokens, hiddenSize]` -> gate and up `[tokens, intermediateSize]`. */
  readonly gateAndUp?: (scope: LayerScope, x: Tensor) => readonly [gate: Tensor, up: Tensor];
  /** Norms of a layer around attention and around the feed-forward part. */
  readonly norms?: LayerNorms;
  /** Norms multiply by 1 + w instead of w. */
  readonly normOffset?: boolean;
  /** Factor of the embeddings. */
  readonly embedScale?: (config: ModelConfig) => number;
  /** tanh soft cap of the logits. */
  readonly logitSoftcap?: (config: ModelConfig) => number | undefined;
}

/** Names of a layer's norms: before each part, and, where the model has them, after it (before the residual is added). */
export interface LayerNorms {
  readonly beforeAttention: string;
  readonly afterAttention?: string;
  readonly beforeFeedForward: string;
  readonly afterFeedForward?: string;
}
