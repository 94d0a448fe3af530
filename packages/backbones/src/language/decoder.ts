/** @file The decoder layers that all supported language models share: norm, rotary attention with shared keys, norm, gated units. */
import {
  type Dim,
  type Tensor,
  add,
  checkpoint,
  concat,
  gather,
  mul,
  reshape,
  rmsNorm,
  rotary,
  slice,
} from "@emosllm/graph";
import { activationNamed } from "../activations.ts";
import type { Architecture, LayerInputs, LayerNorms, LayerScope, Projection, RotaryPositions } from "./architecture.ts";
import { type RopeAngles, ropeAngles } from "./rope.ts";

/** Llama's two norms. */
const PRE_NORMS: LayerNorms = { beforeAttention: "input_layernorm", beforeFeedForward: "post_attention_layernorm" };

/** RMS norm by a tensor of the checkpoint, as `architecture` scales it. */
export const normOf =
  (architecture: Architecture, { config, tensor, norm }: Pick<LayerInputs, "config" | "tensor" | "norm">) =>
  (name: string, x: Tensor): Tensor => {
    const by = (w: Tensor): Tensor =>
      rmsNorm(x, architecture.normOffset ? add(w, 1) : w, { epsilon: config.normEpsilon });
    return norm?.(`${name}.weight`, by) ?? by(tensor(`${name}.weight`));
  };

/**
 * All layers: `[tokens, hiddenSize]` -> the same, before the final norm; `[asked, hiddenSize]` where the layout asks for some tokens
 * only: then the last layer makes keys and values of all tokens, and everything else of these.
 */
export function decoder(
  architecture: Architecture,
  { config, tensor, linear, norm, layout, hidden, recompute }: LayerInputs,
): Tensor {
  const { heads, keyValueHeads, headDim } = config;
  const normed = normOf(architecture, { config, tensor, norm });
  const norms = architecture.norms ?? PRE_NORMS;
  const project = architecture.project ?? separateProjections;
  const activation = activationNamed(config.activation, "hidden_act");
  const angles = anglesByRope((rope) => ropeAngles(layout, config, rope));
  let h = hidden;
  for (let index = 0; index < config.layers; index++) {
    const at = `model.layers.${index}`;
    const scope: LayerScope = { config, tensor, linear, index, at, norm: (name, x) => normed(`${at}.${name}`, x) };
    const afterwards = (name: string | undefined, x: Tensor): Tensor => (name === undefined ? x : scope.norm(name, x));
    h = checkpoint(h, { recompute: recompute?.(index) ?? false });
    const { rope, ...details } = architecture.attention?.(config, index) ?? {};

    const turn = (x: Tensor, n: number, places?: Tensor): Tensor => {
      if (rope === null) return x;
      const { cosine, sine } = angles(rope);
      return rotated(
        x,
        n,
        headDim,
        places ? { cosine: gather(cosine, places), sine: gather(sine, places) } : { cosine, sine },
      );
    };
    const asked = index === config.layers - 1 ? layout.asked : undefined;
    const [ownQuery, k, v] = project(scope, scope.norm(norms.beforeAttention, h));
    if (asked) h = gather(h, asked.places);
    // Of the second projection only the queries, of the first only keys and values are used: the rest never becomes part of a program.
    const q = asked ? project(scope, scope.norm(norms.beforeAttention, h))[0] : ownQuery;
    const mixed = (asked ?? layout).attend(turn(q, heads, asked?.places), turn(k, keyValueHeads), v, {
      heads,
      keyValueHeads,
      headDim,
      ...(details.scale === undefined ? {} : { scale: details.scale }),
      softcap: details.softcap,
      window: details.window,
    });
    h = add(h, afterwards(norms.afterAttention, one(linear([`${at}.self_attn.o_proj`], mixed))));

    const [gate, up] = (architecture.gateAndUp ?? separateUnits)(scope, scope.norm(norms.beforeFeedForward, h));
    const down = one(linear([`${at}.mlp.down_proj`], mul(activation(gate), up)));
    h = add(h, afterwards(norms.afterFeedForward, down));
  }
  return h;
}

const one = (list: readonly Tensor[]): Tensor => list[0] as Tensor;

/** `q_proj`, `k_proj`, `v_proj`, with biases where the checkpoint has them. */
export const separateProjections: Projection = ({ linear, at }, x) =>
  linear([`${at}.self_attn.q_proj`, `${at}.self_attn.k_proj`, `${at}.self_attn.v_proj`], x) as [Tensor, Tensor, Tensor];

/** The same with an RMS norm of each head of q and k (`q_norm`, `k_norm`: `[headDim]`). */
export const projectionsWithHeadNorms: Projection = (scope, x) => {
  const { heads, keyValueHeads, headDim } = scope.config;
  const [q, k, v] = separateProjections(scope, x);
  const perHead = (name: string, y: Tensor, n: number): Tensor =>
    reshape(scope.norm(`self_attn.${name}`, reshape(y, [y.shape[0] as Dim, n, headDim])), y.shape);
  return [perHead("q_norm", q, heads), perHead("k_norm", k, keyValueHeads), v];
};

const separateUnits = ({ linear, at }: LayerScope, x: Tensor): [Tensor, Tensor] =>
  linear([`${at}.mlp.gate_proj`, `${at}.mlp.up_proj`], x) as [Tensor, Tensor];

/** Turns the first `2 * cosine.shape[1]` numbers of each head by its position, the rest (`partial_rotary_factor`) stays. */
function rotated(x: Tensor, heads: number, headDim: number, { cosine, sine }: RopeAngles): Tensor {
  const turned = 2 * (cosine.shape[1] as number);
  if (turned === headDim) return rotary(x, cosine, sine, { heads });
  const tokens = x.shape[0] as Dim;
  const byHead = reshape(x, [tokens, heads, headDim]);
  const first = rotary(reshape(slice(byHead, 2, 0, turned), [tokens, heads * turned]), cosine, sine, { heads });
  return reshape(concat([reshape(first, [tokens, heads, turned]), slice(byHead, 2, turned)], 2), x.shape);
}

/** Layers with the same rotary positions share their angles. */
function anglesByRope(build: (rope: RotaryPositions | undefined) => RopeAngles) {
  const made = new Map<string, RopeAngles>();
  return (rope: RotaryPositions | undefined): RopeAngles => {
    const key = JSON.stringify(rope ?? null);
    let angles = made.get(key);
    if (!angles) made.set(key, (angles = build(rope)));
    return angles;
  };
}
