/** @file The transformer that speech encoders share: bidirectional attention over `[rows, frames]`, norms before or after each part. */
import {
  type Dim,
  type Tensor,
  add,
  dimMultiply,
  layerNorm,
  lessEqual,
  matmul,
  mul,
  range,
  reshape,
  scalar,
  softmax,
  transpose,
  where,
} from "@emosllm/graph";
import type { Linear } from "../linear.ts";

/** What the parts of an encoder are built from. */
export interface EncoderScope {
  /** A frozen tensor of the checkpoint. */
  readonly tensor: (name: string) => Tensor;
  readonly linear: Linear;
  readonly rows: Dim;
  readonly frames: Dim;
  readonly heads: number;
  readonly epsilon: number;
  readonly activation: (x: Tensor) => Tensor;
}

/** Names of a layer's parts below its path. */
export interface LayerNames {
  /** Holds `q_proj`, `k_proj`, `v_proj`, `out_proj`. */
  readonly attention: string;
  readonly attentionNorm: string;
  readonly feedForward: readonly [first: string, second: string];
  readonly feedForwardNorm: string;
}

/** One layer. */
export interface LayerSpec {
  readonly at: string;
  readonly names: LayerNames;
  /** Norms before each part (and none after the residual), as in "stable layer norm" and Whisper; else after each residual. */
  readonly normFirst: boolean;
  /** Added to the scores, `[rows or 1, heads or 1, frames or 1, frames]`, given what enters the attention. */
  readonly bias: (at: string, x: Tensor) => readonly Tensor[];
}

/** Layer norm by `NAME.weight` and `NAME.bias`. */
export const norm = ({ tensor, epsilon }: Pick<EncoderScope, "tensor" | "epsilon">, name: string, x: Tensor): Tensor =>
  layerNorm(x, tensor(`${name}.weight`), tensor(`${name}.bias`), { epsilon });

/** x `[rows*frames, width]` -> the same. */
export function encoderLayer(scope: EncoderScope, { at, names, normFirst, bias }: LayerSpec, x: Tensor): Tensor {
  const { linear, activation } = scope;
  const named = (name: string): string => `${at}.${name}`;
  const attention = (y: Tensor): Tensor => selfAttention(scope, named(names.attention), y, bias(at, y));
  const feedForward = (y: Tensor): Tensor => {
    const [first, second] = names.feedForward.map(named) as [string, string];
    return one(linear([second], activation(one(linear([first], y)))));
  };
  const [normA, normF] = [names.attentionNorm, names.feedForwardNorm].map(
    (name) =>
      (y: Tensor): Tensor =>
        norm(scope, named(name), y),
  ) as [(y: Tensor) => Tensor, (y: Tensor) => Tensor];
  if (normFirst) {
    const h = add(x, attention(normA(x)));
    return add(h, feedForward(normF(h)));
  }
  const h = normA(add(x, attention(x)));
  return normF(add(h, feedForward(h)));
}

const one = (list: readonly Tensor[]): Tensor => list[0] as Tensor;

function selfAttention(scope: EncoderScope, at: string, x: Tensor, biases: readonly Tensor[]): Tensor {
  const { linear, rows, frames, heads } = scope;
  const width = x.shape[1] as number;
  const [q, k, v] = linear(
    ["q_proj", "k_proj", "v_proj"].map((p) => `${at}.${p}`),
    x,
  ).map((y) => transpose(reshape(y, [rows, frames, heads, width / heads]), [0, 2, 1, 3])) as [Tensor, Tensor, Tensor];
  let scores = matmul(q, k, { transB: true, alpha: (width / heads) ** -0.5 });
  for (const b of biases) scores = add(scores, b);
  const mixed = transpose(matmul(softmax(scores), v), [0, 2, 1, 3]);
  return one(linear([`${at}.out_proj`], reshape(mixed, [dimMultiply(rows, frames), width])));
}

/** Which frames lie within their row: bool `[rows, frames]`, for frames that see `width` samples each `hop` samples. */
export function realFrames(lengths: Tensor, frames: Dim, { hop, width }: { hop: number; width: number }): Tensor {
  const ends = add(mul(range(frames), scalar(hop, "i64")), scalar(width, "i64"));
  return lessEqual(reshape(ends, [1, frames]), reshape(lengths, [lengths.shape[0] as Dim, 1]));
}

/** Added to the scores so that nobody attends to frames that are not real: `[rows, 1, 1, frames]`. */
export const hideFrames = (real: Tensor): Tensor =>
  reshape(where(real, 0, -1e30), [real.shape[0] as Dim, 1, 1, real.shape[1] as Dim]);
