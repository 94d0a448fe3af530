/**
 * @file QPMapper, the projector of EmoSLLM: learned queries are appended to the frames, a transformer encoder runs over both,
 * the queries' outputs are kept and projected. Structure from DePALM (arXiv 2403.13499): linear, post-norm encoder with a
 * feed-forward as wide as the model, GELU, linear; padded frames are masked, which DePALM does not do.
 */
import {
  type Dim,
  type Shape,
  type Tensor,
  add,
  cast,
  concat,
  constant,
  cos,
  dimAdd,
  expand,
  gelu,
  layerNorm,
  less,
  matmul,
  mul,
  range,
  reshape,
  sin,
  slice,
  softmax,
  transpose,
  where,
} from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import type { Initializer, Projector } from "./projector.ts";

/** `projector_config.json` of a QPMapper. */
export interface QpMapperConfig {
  readonly type: "qp_mapper";
  readonly input_size: number;
  readonly output_size: number;
  readonly num_queries: number;
  readonly hidden_size: number;
  readonly num_layers: number;
  readonly num_heads: number;
  readonly positions: "none" | "sinusoidal";
  readonly layer_norm_eps: number;
}

/** The paper's settings for a given input and output width. */
export const qpMapperConfig = (
  input_size: number,
  output_size: number,
  options: Partial<Omit<QpMapperConfig, "type" | "input_size" | "output_size">> = {},
): QpMapperConfig => ({
  type: "qp_mapper",
  input_size,
  output_size,
  num_queries: 32,
  hidden_size: 768,
  num_layers: 2,
  num_heads: 8,
  positions: "none",
  layer_norm_eps: 1e-5,
  ...options,
});

const MASKED = -1e30;
const xavier = (out: number, input: number): Initializer => ({ kind: "uniform", bound: Math.sqrt(6 / (out + input)) });
const kaiming = (input: number): Initializer => ({ kind: "uniform", bound: 1 / Math.sqrt(input) });

/** Builds a QPMapper. Throws EmosllmError `config_invalid` when the width does not divide into heads. */
export function qpMapper(config: QpMapperConfig): Projector {
  const {
    input_size: input,
    output_size: output,
    num_queries: queries,
    hidden_size: d,
    num_layers: layers,
    num_heads: heads,
  } = config;
  if (d % heads !== 0 || d % 2 !== 0)
    throw new EmosllmError(
      "config_invalid",
      `projector: hidden_size ${d} must be even and a multiple of num_heads ${heads}`,
    );
  const parameters: Record<string, readonly number[]> = {};
  const initializers: Record<string, Initializer> = {};
  const declare = (name: string, shape: readonly number[], initializer: Initializer): void => {
    parameters[name] = shape;
    initializers[name] = initializer;
  };
  const dense = (name: string, out: number, inner: number): void => {
    declare(`${name}.weight`, [out, inner], kaiming(inner));
    declare(`${name}.bias`, [out], kaiming(inner));
  };
  // In PyTorch's order, so that saved files list the same names.
  declare("queries", [queries, d], { kind: "normal", std: 1 });
  dense("input", d, input);
  for (let i = 0; i < layers; i++) {
    const at = `encoder.layers.${i}`;
    declare(`${at}.self_attn.in_proj_weight`, [3 * d, d], xavier(3 * d, d));
    declare(`${at}.self_attn.in_proj_bias`, [3 * d], { kind: "zeros" });
    declare(`${at}.self_attn.out_proj.weight`, [d, d], kaiming(d));
    declare(`${at}.self_attn.out_proj.bias`, [d], { kind: "zeros" });
    dense(`${at}.linear1`, d, d);
    dense(`${at}.linear2`, d, d);
    for (const norm of ["norm1", "norm2"]) {
      declare(`${at}.${norm}.weight`, [d], { kind: "ones" });
      declare(`${at}.${norm}.bias`, [d], { kind: "zeros" });
    }
  }
  dense("output", output, d);

  const build: Projector["build"] = (frames, lengths, parameter) => {
    const p = (name: string): Tensor => parameter(name, parameters[name] as Shape);
    const linear = (name: string, x: Tensor): Tensor =>
      add(matmul(x, p(`${name}.weight`), { transB: true }), p(`${name}.bias`));
    const norm = (name: string, x: Tensor): Tensor =>
      layerNorm(x, p(`${name}.weight`), p(`${name}.bias`), { epsilon: config.layer_norm_eps });
    const [rows, time] = frames.shape as [Dim, Dim];
    const length = dimAdd(time, queries);

    let x = linear("input", frames);
    if (config.positions === "sinusoidal") x = add(x, sinusoids(time, d));
    x = concat([x, expand(reshape(p("queries"), [1, queries, d]), [rows, queries, d])], 1);
    const inside = less(reshape(range(time), [1, time]), reshape(lengths, [rows, 1]));
    const mask = reshape(concat([where(inside, 0, MASKED), expand(constant(0), [rows, queries])], 1), [
      rows,
      1,
      1,
      length,
    ]);

    for (let i = 0; i < layers; i++) {
      const at = `encoder.layers.${i}`;
      // Only the queries' outputs are kept, so the last layer computes no others.
      const last = i === layers - 1;
      const asked = last ? slice(x, 1, time, length) : x;
      const [wq, wkv] = [
        slice(p(`${at}.self_attn.in_proj_weight`), 0, 0, d),
        slice(p(`${at}.self_attn.in_proj_weight`), 0, d, 3 * d),
      ];
      const bias = p(`${at}.self_attn.in_proj_bias`);
      const q = add(matmul(asked, wq, { transB: true }), slice(bias, 0, 0, d));
      const kv = add(matmul(x, wkv, { transB: true }), slice(bias, 0, d, 3 * d));
      const mixed = attention(q, slice(kv, 2, 0, d), slice(kv, 2, d, 2 * d), mask, heads);
      const h = norm(`${at}.norm1`, add(asked, linear(`${at}.self_attn.out_proj`, mixed)));
      x = norm(`${at}.norm2`, add(h, linear(`${at}.linear2`, gelu(linear(`${at}.linear1`, h)))));
    }
    return linear("output", layers === 0 ? slice(x, 1, time, length) : x);
  };
  return { parameters, initializers, queries, outputSize: output, build };
}

/** q `[rows, n, d]`, k and v `[rows, length, d]` -> `[rows, n, d]`; mask is added to the scores. */
function attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, heads: number): Tensor {
  const [rows, n, d] = q.shape as [Dim, Dim, number];
  const split = (x: Tensor): Tensor => transpose(reshape(x, [rows, x.shape[1] as Dim, heads, d / heads]), [0, 2, 1, 3]);
  const weights = softmax(add(matmul(split(q), split(k), { transB: true, alpha: (d / heads) ** -0.5 }), mask));
  return reshape(transpose(matmul(weights, split(v)), [0, 2, 1, 3]), [rows, n, d]);
}

/** sin and cos interleaved, `[time, d]` (Vaswani et al. 2017, section 3.5). */
function sinusoids(time: Dim, d: number): Tensor {
  const step = Math.fround(-Math.fround(Math.log(10000)) / d);
  const rate = Float32Array.from({ length: d / 2 }, (_, i) => Math.exp(Math.fround(2 * i * step)));
  const angle = mul(reshape(cast(range(time), "f32"), [time, 1]), constant(rate, [1, d / 2]));
  const both = concat([reshape(sin(angle), [time, d / 2, 1]), reshape(cos(angle), [time, d / 2, 1])], 2);
  return reshape(both, [time, d]);
}
