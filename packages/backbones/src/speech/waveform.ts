/** @file From samples to what the transformer sees: scaling, seven convolutions, a convolution for positions (wav2vec 2.0, Baevski et al. 2020). */
import {
  type Dim,
  type Tensor,
  add,
  cast,
  concat,
  conv1d,
  dimAdd,
  dimFloorDivide,
  dimMultiply,
  dimSubtract,
  div,
  layerNorm,
  less,
  matmul,
  mean,
  mul,
  range,
  reshape,
  slice,
  sqrt,
  sub,
  sum,
  transpose,
} from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { matMulPacked } from "../precision.ts";
import type { PreparedInputs } from "./encoder.ts";
import type { EncoderParts } from "./speech-encoder.ts";
import type { WaveConfig } from "./wave-config.ts";

/** 1 where a sample lies within its row, else 0: f32 `[rows, samples]`. */
export const sampleMask = (waveform: Tensor, lengths: Tensor): Tensor => {
  const [rows, samples] = waveform.shape as [Dim, Dim];
  return cast(less(reshape(range(samples), [1, samples]), reshape(lengths, [rows, 1])), "f32");
};

/** Mean 0 and variance 1 over each row's own samples, zeros after them (transformers' `zero_mean_unit_var_norm`). */
export function unitVariance(waveform: Tensor, mask: Tensor | undefined): Tensor {
  const average = (x: Tensor): Tensor =>
    mask
      ? div(sum(mul(x, mask), 1, { keepDims: true }), sum(mask, 1, { keepDims: true }))
      : mean(x, 1, { keepDims: true });
  // Twice: what rounding leaves of a large offset in a long row is not small beside a quiet signal.
  const nearly = sub(waveform, average(waveform));
  const centred = sub(nearly, average(nearly));
  const scaled = div(centred, sqrt(add(average(mul(centred, centred)), 1e-7)));
  return mask ? mul(scaled, mask) : scaled;
}

/** waveform `[rows, samples]` -> `[rows, frames, conv_dim.at(-1)]`; `groupNorm` in place of the rows' own. */
export function convolutions(
  waveform: Tensor,
  config: WaveConfig,
  { tensor, packed }: Pick<EncoderParts, "tensor" | "packed">,
  groupNorm?: PreparedInputs["groupNorm"],
): Tensor {
  const [rows, samples] = waveform.shape as [Dim, Dim];
  // The group norm takes away what an offset of the sound does to a channel; without the offset it has less to round.
  const level =
    config.featureNorm === "group" && !groupNorm ? sub(waveform, mean(waveform, 1, { keepDims: true })) : waveform;
  // Frames first, channels last: each convolution is one product, and norms need nothing turned.
  let x = reshape(level, [rows, samples, 1]);
  config.convolutions.forEach(({ channels, kernel, stride }, i) => {
    const at = `feature_extractor.conv_layers.${i}`;
    const integers = packed.get(`${at}.conv`);
    const seen = unfolded(x, { kernel, stride });
    x = integers ? matMulPacked(seen, integers) : matmul(seen, side(tensor(`${at}.conv.weight`)), { transB: true });
    // The group norm takes the first bias away again; given norms are made without it.
    if (config.convBias && !(groupNorm && i === 0)) x = add(x, tensor(`${at}.conv.bias`));
    const [scale, shift] = ["weight", "bias"].map((p) => `${at}.layer_norm.${p}`) as [string, string];
    if (config.featureNorm === "layer") x = layerNorm(x, tensor(scale), tensor(shift), { epsilon: 1e-5 });
    else if (i === 0 && groupNorm)
      x = add(mul(x, reshape(groupNorm.scale, [rows, 1, channels])), reshape(groupNorm.offset, [rows, 1, channels]));
    else if (i === 0) x = normedOverTime(x, tensor(scale), tensor(shift));
    x = config.featureActivation(x);
  });
  return x;
}

/** A weight `[out, in, kernel]` to match {@link unfolded}: `[out, kernel*in]`. */
const side = (w: Tensor): Tensor => reshape(transpose(w, [0, 2, 1]), [w.shape[0] as Dim, -1]);

/**
 * What each frame of a convolution over x `[rows, time, in]` sees, side by side: `[rows, frames, kernel*in]`. So it becomes one product:
 * fewer passes over memory than a convolution along the last axis and the norms' transposes around it.
 */
function unfolded(x: Tensor, { kernel, stride }: { kernel: number; stride: number }): Tensor {
  const [rows, time, width] = x.shape as [Dim, Dim, number];
  const frames = dimAdd(dimFloorDivide(dimSubtract(time, kernel), stride), 1);
  // Runs of `stride` steps are neighbours in memory: a whole run is a reshape, the rest of a kernel the next run's beginning.
  const seen: Tensor[] = [];
  for (let from = 0; from < kernel; from += stride) {
    const taken = Math.min(stride, kernel - from);
    const length = dimMultiply(frames, stride);
    const end = dimAdd(from, length);
    if (taken === stride) seen.push(reshape(slice(x, 1, from, end), [rows, frames, stride * width]));
    else
      for (let k = 0; k < taken; k++) {
        const last = dimAdd(dimMultiply(dimSubtract(frames, 1), stride), from + k + 1);
        seen.push(slice(x, 1, from + k, last, stride));
      }
  }
  return concat(seen, 2);
}

/**
 * Each channel to mean 0 and variance 1 over the row, scaled and shifted (GroupNorm with as many groups as channels): x
 * `[rows, time, channels]`. Passes over x are what it costs, so the scale is divided, not x.
 */
function normedOverTime(x: Tensor, scale: Tensor, shift: Tensor): Tensor {
  const centred = sub(x, mean(x, 1, { keepDims: true }));
  const deviation = sqrt(add(mean(mul(centred, centred), 1, { keepDims: true }), 1e-5));
  return add(mul(centred, div(scale, deviation)), shift);
}

/** x `[rows, frames, width]` -> what its neighbourhood says of positions, the same shape. */
export function positionalConvolution(
  x: Tensor,
  config: WaveConfig,
  tensor: (name: string) => Tensor,
  names: ReadonlySet<string>,
): Tensor {
  const at = "encoder.pos_conv_embed.conv";
  const { positionKernel: kernel, positionGroups: groups, hiddenSize } = config;
  const weight = names.has(`${at}.weight`) ? tensor(`${at}.weight`) : weightNorm(at, tensor, names);
  const convolved = conv1d(transpose(x), weight, { padding: Math.floor(kernel / 2), groups });
  // An even kernel gives one frame too many.
  const same = slice(convolved, 2, 0, x.shape[1] as Dim);
  return transpose(config.featureActivation(add(same, reshape(tensor(`${at}.bias`), [hiddenSize, 1]))));
}

/** PyTorch's weight norm over the kernel's places, under its old and its new names: g v / |v|. */
function weightNorm(at: string, tensor: (name: string) => Tensor, names: ReadonlySet<string>): Tensor {
  const pairs = [
    [`${at}.parametrizations.weight.original0`, `${at}.parametrizations.weight.original1`],
    [`${at}.weight_g`, `${at}.weight_v`],
  ] as const;
  const found = pairs.find(([g, v]) => names.has(g) && names.has(v));
  if (!found)
    throw new EmosllmError(
      "checkpoint_invalid",
      `The checkpoint has no '${at}.weight'; neither as ${pairs.map((p) => p.join(" and ")).join(", nor as ")}`,
    );
  const [g, v] = [tensor(found[0]), tensor(found[1])];
  return mul(div(v, sqrt(sum(mul(v, v), [0, 1], { keepDims: true }))), g);
}
