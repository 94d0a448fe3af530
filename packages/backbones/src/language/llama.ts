/** @file Llama (Touvron et al. 2023; transformers' modeling_llama): RMS norm, rotary attention with shared keys, gated SiLU. */
import { add, mul, rmsNorm, rotary, silu } from "@emosllm/graph";
import type { LanguageModelBuilder } from "./language-model.ts";
import { ropeAngles } from "./rope.ts";

export const llama: LanguageModelBuilder = ({ config, tensor, linear, layout, hidden }) => {
  const { heads, keyValueHeads, headDim, normEpsilon: epsilon } = config;
  const { cosine, sine } = ropeAngles(layout, config);
  const norm = (name: string, x: typeof hidden): typeof hidden => rmsNorm(x, tensor(`${name}.weight`), { epsilon });
  let h = hidden;
  for (let i = 0; i < config.layers; i++) {
    const at = `model.layers.${i}`;
    const [q, k, v] = linear(
      ["q_proj", "k_proj", "v_proj"].map((p) => `${at}.self_attn.${p}`),
      norm(`${at}.input_layernorm`, h),
    ) as [typeof h, typeof h, typeof h];
    const mixed = layout.attend(
      rotary(q, cosine, sine, { heads }),
      rotary(k, cosine, sine, { heads: keyValueHeads }),
      v,
      { heads, keyValueHeads, headDim },
    );
    h = add(h, linear([`${at}.self_attn.o_proj`], mixed)[0] as typeof h);
    const [gate, up] = linear(
      [`${at}.mlp.gate_proj`, `${at}.mlp.up_proj`],
      norm(`${at}.post_attention_layernorm`, h),
    ) as [typeof h, typeof h];
    h = add(h, linear([`${at}.mlp.down_proj`], mul(silu(gate), up))[0] as typeof h);
  }
  return h;
};
