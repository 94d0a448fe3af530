/**
 * @file Q-Former: learned queries look at the frames through cross-attention (BLIP-2, arXiv 2301.12597, section 3.1; transformers'
 * `Blip2QFormerModel`, whose parameter names these are), then linear and norm into the language model's width as in SLAM-LLM's
 * `EncoderProjectorQFormer`. Over windows instead of the whole (SALMONN, arXiv 2310.13289, section 3.1) it gives a steady number of
 * vectors a second; SALMONN drops what does not fill the last window, here it is kept and masked.
 */
import {
  type Dim,
  type Tensor,
  add,
  dimMultiply,
  expand,
  gelu,
  maximum,
  minimum,
  mul,
  range,
  reshape,
  scalar,
  sub,
} from "@emosllm/graph";
import type { ProjectorSizes } from "./config.ts";
import { COUNT, type Fields, POSITIVE, refuseConfig } from "./fields.ts";
import {
  type Declarations,
  type Layers,
  attention,
  declarations,
  groupCount,
  grouped,
  inside,
  layersOver,
  scoreMask,
} from "./layers.ts";
import type { Projector } from "./projector.ts";

/** The transformer of both kinds. */
interface QFormerSizes extends ProjectorSizes {
  readonly num_queries: number;
  readonly hidden_size: number;
  readonly num_layers: number;
  readonly num_heads: number;
  readonly intermediate_size: number;
  /** Every so many layers look at the frames, the first one does. */
  readonly cross_attention_frequency: number;
  readonly layer_norm_eps: number;
}

/** `projector_config.json` of a Q-Former over the whole clip: `num_queries` vectors. */
export interface QFormerConfig extends QFormerSizes {
  readonly type: "q_former";
}

/** `projector_config.json` of a Q-Former over windows: `num_queries` vectors for each. */
export interface WindowQFormerConfig extends QFormerSizes {
  readonly type: "window_q_former";
  /** Hz, of the frames that come in. */
  readonly frames_per_second: number;
  readonly seconds_per_window: number;
}

const SIZES = {
  hidden_size: [768, COUNT],
  num_layers: [2, COUNT],
  num_heads: [12, COUNT],
  intermediate_size: [3072, COUNT],
  cross_attention_frequency: [1, COUNT],
  layer_norm_eps: [1e-12, POSITIVE],
} as const;

/** Two layers, as SALMONN's; as many queries as the paper's QPMapper. */
export const Q_FORMER_FIELDS: Fields<QFormerConfig> = { num_queries: [32, COUNT], ...SIZES };

/** SALMONN's: one vector for each third of a second of Whisper's 50 frames a second, that is 17 frames. */
export const WINDOW_Q_FORMER_FIELDS: Fields<WindowQFormerConfig> = {
  num_queries: [1, COUNT],
  ...SIZES,
  frames_per_second: [50, POSITIVE],
  seconds_per_window: [1 / 3, POSITIVE],
};

/** Frames of one window. */
export const windowFrames = (config: Pick<WindowQFormerConfig, "frames_per_second" | "seconds_per_window">): number =>
  Math.max(1, Math.round(config.frames_per_second * config.seconds_per_window));

function declareQFormer(config: QFormerSizes, { declare, dense: linear, norm }: Declarations): void {
  const { input_size, output_size, num_queries, hidden_size: d, num_layers, num_heads } = config;
  if (d % num_heads !== 0) refuseConfig(`hidden_size ${d} must be a multiple of num_heads ${num_heads}`);
  declare("query", [1, num_queries, d], { kind: "normal", std: 1 });
  // As `Blip2QFormerModel` begins: weights of deviation 0.02, biases 0.
  const dense = (name: string, out: number, input: number): void => {
    declare(`${name}.weight`, [out, input], { kind: "normal", std: 0.02 });
    declare(`${name}.bias`, [out], { kind: "zeros" });
  };
  const block = (at: string, inner: number): void => {
    dense(`${at}.attention.query`, d, d);
    dense(`${at}.attention.key`, d, inner);
    dense(`${at}.attention.value`, d, inner);
    dense(`${at}.output.dense`, d, d);
    norm(`${at}.output.LayerNorm`, d);
  };
  norm("qformer.layernorm", d);
  for (let i = 0; i < num_layers; i++) {
    const at = `qformer.encoder.layer.${i}`;
    block(`${at}.attention`, d);
    if (i % config.cross_attention_frequency === 0) block(`${at}.crossattention`, input_size);
    dense(`${at}.intermediate_query.dense`, config.intermediate_size, d);
    dense(`${at}.output_query.dense`, d, config.intermediate_size);
    norm(`${at}.output_query.LayerNorm`, d);
  }
  linear("linear", output_size, d);
  norm("norm", output_size);
}

/** Frames `[rows, time, input_size]`, bool `seen` `[rows, time]` -> `[rows, num_queries, output_size]`. */
function applyQFormer(config: QFormerSizes, { p, linear, norm }: Layers, frames: Tensor, seen: Tensor): Tensor {
  const { num_queries, hidden_size: d, num_layers, num_heads, layer_norm_eps: epsilon } = config;
  const rows = frames.shape[0] as Dim;
  const mask = scoreMask(seen);
  const block = (at: string, x: Tensor, from: Tensor, hidden: Tensor | undefined): Tensor => {
    const [q, k, v] = [
      linear(`${at}.attention.query`, x),
      linear(`${at}.attention.key`, from),
      linear(`${at}.attention.value`, from),
    ];
    const mixed = linear(`${at}.output.dense`, attention(q, k, v, hidden, num_heads));
    return norm(`${at}.output.LayerNorm`, add(mixed, x), epsilon);
  };
  let x = expand(norm("qformer.layernorm", p("query"), epsilon), [rows, num_queries, d]);
  for (let i = 0; i < num_layers; i++) {
    const at = `qformer.encoder.layer.${i}`;
    x = block(`${at}.attention`, x, x, undefined);
    if (i % config.cross_attention_frequency === 0) x = block(`${at}.crossattention`, x, frames, mask);
    const wide = gelu(linear(`${at}.intermediate_query.dense`, x));
    x = norm(`${at}.output_query.LayerNorm`, add(linear(`${at}.output_query.dense`, wide), x), epsilon);
  }
  return norm("norm", linear("linear", x), NORM_EPS);
}

/** `nn.LayerNorm`'s own, as SLAM-LLM has it. */
const NORM_EPS = 1e-5;

/** A Q-Former over the whole clip. Throws EmosllmError `config_invalid` when the width does not divide into heads. */
export function buildQFormer(config: QFormerConfig): Projector {
  const declared = declarations();
  declareQFormer(config, declared);
  return {
    ...declared,
    inputSize: config.input_size,
    outputSize: config.output_size,
    vectors: () => config.num_queries,
    build: (frames, lengths, parameter) =>
      applyQFormer(config, layersOver(declared, parameter), frames, inside(lengths, frames.shape[1] as Dim)),
  };
}

/** A Q-Former over windows; the frames are normed first, as in SALMONN. Throws as {@link buildQFormer}. */
export function buildWindowQFormer(config: WindowQFormerConfig): Projector {
  const declared = declarations();
  declared.norm("ln", config.input_size);
  declareQFormer(config, declared);
  const size = windowFrames(config);
  const vectors: Projector["vectors"] = (frames) => dimMultiply(groupCount(frames, size), config.num_queries);
  return {
    ...declared,
    inputSize: config.input_size,
    outputSize: config.output_size,
    vectors,
    build: (frames, lengths, parameter) => {
      const layers = layersOver(declared, parameter);
      const [rows, time, width] = frames.shape as [Dim, Dim, Dim];
      const windows = groupCount(time, size);
      const all = dimMultiply(rows, windows);
      const parts = reshape(grouped(layers.norm("ln", frames, NORM_EPS), size), [all, size, width]);
      const whole = scalar(size, "i64");
      const starts = reshape(mul(range(windows), whole), [1, windows]);
      const left = sub(reshape(lengths, [rows, 1]), starts);
      const counts = reshape(minimum(maximum(left, scalar(0, "i64")), whole), [all]);
      const y = applyQFormer(config, layers, parts, inside(counts, size));
      return reshape(y, [rows, vectors(time), config.output_size]);
    },
  };
}
