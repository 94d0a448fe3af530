/**
 * @file QPMapper, the projector of EmoSLLM: learned queries are appended to the frames, a transformer encoder runs over both,
 * the queries' outputs are kept and projected. Structure from DePALM (arXiv 2403.13499): linear, post-norm encoder with a
 * feed-forward as wide as the model, GELU, linear; padded frames are masked, which DePALM does not do.
 */
import {
  type Dim,
  type Tensor,
  add,
  cast,
  concat,
  constant,
  cos,
  dimAdd,
  dimMultiply,
  expand,
  gelu,
  matmul,
  mul,
  range,
  reshape,
  sin,
  slice,
} from "@emosllm/graph";
import type { ProjectorSizes } from "./config.ts";
import { COUNT, POSITIVE, type Fields, oneOf, refuseConfig } from "./fields.ts";
import { packedFrames } from "./frame-packing.ts";
import { attention, declarations, inside, layersOver, scoreMask } from "./layers.ts";
import type { Initializer, Projector } from "./projector.ts";

/** `projector_config.json` of a QPMapper. */
export interface QpMapperConfig extends ProjectorSizes {
  readonly type: "qp_mapper";
  readonly num_queries: number;
  readonly hidden_size: number;
  readonly num_layers: number;
  readonly num_heads: number;
  readonly positions: "none" | "sinusoidal";
  readonly layer_norm_eps: number;
}

/** The paper's settings. */
export const QP_MAPPER_FIELDS: Fields<QpMapperConfig> = {
  num_queries: [32, COUNT],
  hidden_size: [768, COUNT],
  num_layers: [2, COUNT],
  num_heads: [8, COUNT],
  positions: ["none", oneOf("none", "sinusoidal")],
  layer_norm_eps: [1e-5, POSITIVE],
};

const xavier = (out: number, input: number): Initializer => ({ kind: "uniform", bound: Math.sqrt(6 / (out + input)) });

/** Throws EmosllmError `config_invalid` when the width does not divide into heads. */
export function buildQpMapper(config: QpMapperConfig): Projector {
  const { input_size, output_size, num_queries, hidden_size: d, num_layers, num_heads } = config;
  if (d % num_heads !== 0 || d % 2 !== 0)
    refuseConfig(`hidden_size ${d} must be even and a multiple of num_heads ${num_heads}`);
  const declared = declarations();
  const { declare, dense, norm } = declared;
  declare("queries", [num_queries, d], { kind: "normal", std: 1 });
  dense("input", d, input_size);
  for (let i = 0; i < num_layers; i++) {
    const at = `encoder.layers.${i}`;
    declare(`${at}.self_attn.in_proj_weight`, [3 * d, d], xavier(3 * d, d));
    declare(`${at}.self_attn.in_proj_bias`, [3 * d], { kind: "zeros" });
    dense(`${at}.self_attn.out_proj`, d, d);
    declare(`${at}.self_attn.out_proj.bias`, [d], { kind: "zeros" });
    dense(`${at}.linear1`, d, d);
    dense(`${at}.linear2`, d, d);
    norm(`${at}.norm1`, d);
    norm(`${at}.norm2`, d);
  }
  dense("output", output_size, d);

  const build: Projector["build"] = (frames, lengths, parameter, packing) => {
    const { p, linear, norm: normalise } = layersOver(declared, parameter);
    const [rows, time] = frames.shape as [Dim, Dim];
    const { own, pack, spread } = packedFrames(rows, time, lengths, packing);
    const asked = dimMultiply(rows, num_queries);

    let x = linear("input", pack(frames, frames.op !== "input"));
    if (config.positions === "sinusoidal") x = add(x, pack(expand(sinusoids(time, d), [rows, time, d]), false));
    // Every row's frames, one row after the other, and then every row's queries: what is not attention runs over one matrix.
    x = concat([x, reshape(expand(reshape(p("queries"), [1, num_queries, d]), [rows, num_queries, d]), [asked, d])], 0);
    const none = expand(constant(0), [rows, 1, 1, num_queries]);
    const mask = concat([scoreMask(inside(lengths, time)), none], 3);
    const ofFrames = (y: Tensor): Tensor => slice(y, 0, 0, own);
    const ofQueries = (y: Tensor): Tensor => slice(y, 0, own, dimAdd(own, asked));
    /** `[own + rows*num_queries, d]` -> `[rows, time + num_queries, d]` */
    const byRow = (y: Tensor): Tensor =>
      concat([spread(ofFrames(y)), reshape(ofQueries(y), [rows, num_queries, d])], 1);

    for (let i = 0; i < num_layers; i++) {
      const at = `encoder.layers.${i}`;
      // Only the queries' outputs are kept, so the last layer computes no others.
      const last = i === num_layers - 1;
      const here = last ? ofQueries(x) : x;
      const [wq, wkv] = [
        slice(p(`${at}.self_attn.in_proj_weight`), 0, 0, d),
        slice(p(`${at}.self_attn.in_proj_weight`), 0, d, 3 * d),
      ];
      const bias = p(`${at}.self_attn.in_proj_bias`);
      const q = add(matmul(here, wq, { transB: true }), slice(bias, 0, 0, d));
      const kv = add(matmul(x, wkv, { transB: true }), slice(bias, 0, d, 3 * d));
      const [k, v] = [byRow(slice(kv, 1, 0, d)), byRow(slice(kv, 1, d, 2 * d))];
      const rowsOfQueries = last ? reshape(q, [rows, num_queries, d]) : byRow(q);
      const mixed = attention(rowsOfQueries, k, v, mask, num_heads);
      const flat = last
        ? reshape(mixed, [asked, d])
        : concat(
            [
              pack(slice(mixed, 1, 0, time), true),
              reshape(slice(mixed, 1, time, dimAdd(time, num_queries)), [asked, d]),
            ],
            0,
          );
      const epsilon = config.layer_norm_eps;
      const h = normalise(`${at}.norm1`, add(here, linear(`${at}.self_attn.out_proj`, flat)), epsilon);
      x = normalise(`${at}.norm2`, add(h, linear(`${at}.linear2`, gelu(linear(`${at}.linear1`, h)))), epsilon);
    }
    return reshape(linear("output", x), [rows, num_queries, output_size]);
  };
  return { ...declared, inputSize: input_size, outputSize: output_size, vectors: () => num_queries, build };
}

/** sin and cos interleaved, `[time, d]` (Vaswani et al. 2017, section 3.5). */
function sinusoids(time: Dim, d: number): Tensor {
  const step = Math.fround(-Math.fround(Math.log(10000)) / d);
  const rate = Float32Array.from({ length: d / 2 }, (_, i) => Math.exp(Math.fround(2 * i * step)));
  const angle = mul(reshape(cast(range(time), "f32"), [time, 1]), constant(rate, [1, d / 2]));
  const both = concat([reshape(sin(angle), [time, d / 2, 1]), reshape(cos(angle), [time, d / 2, 1])], 2);
  return reshape(both, [time, d]);
}
