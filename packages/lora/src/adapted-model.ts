/** @file How an adapter enters what of a language model is no linear layer: embeddings, norms, a tied output matrix. */
import { type LanguageModel, type ModelFunctions, frozen } from "@emosllm/backbones";
import {
  type Shape,
  type Tensor,
  add,
  constant,
  div,
  gather,
  greaterEqual,
  matmul,
  maximum,
  mul,
  reshape,
  scalar,
  sqrt,
  sum,
  where,
} from "@emosllm/graph";
import type { AdapterLayout, ApplyOptions, Parameter } from "./adapter.ts";
import { EMBEDDING, EMBEDDING_WEIGHT, type LoraBase, OUTPUT_WEIGHT, isOutsideLinear, isTied } from "./base.ts";
import { constantCopy } from "./constant-copy.ts";
import { adaptedLayers } from "./linear-layers.ts";
import { PREFIX, namesOf, tokenRowsName } from "./names.ts";

/** What of a language model is needed to put an adapter into it. */
export type AdaptableModel = Pick<LanguageModel, "linear" | "over" | "embedScale">;

/** The model with the adapter in its linear layers, embeddings, norms and output. */
export function adaptedModel(
  layout: AdapterLayout,
  base: LoraBase,
  model: AdaptableModel,
  parameter: Parameter,
  options: ApplyOptions,
): ModelFunctions {
  const { config, targets, parameters, replaced, tokens, copies } = layout;
  const get = (name: string): Tensor => parameter(name, parameters[name] as Shape);
  const linear = adaptedLayers(layout, base, model.linear, parameter, options);
  const tokenRows = tokens.length > 0 ? { rows: get(tokenRowsName(EMBEDDING)), ids: tokens } : undefined;
  const over = model.over((name) => {
    const own = replaced.get(name);
    if (own !== undefined) return isOutsideLinear(base, name) ? get(own) : undefined;
    if (name !== OUTPUT_WEIGHT || !isTied(base)) return undefined;
    // A tied output follows the embeddings only where PEFT ties it to them.
    const embeddings = copies.get(PREFIX + OUTPUT_WEIGHT);
    if (embeddings !== undefined) return get(embeddings);
    return tokenRows && withRows(frozen(base.tensors, EMBEDDING_WEIGHT), tokenRows);
  });

  const target = targets.find((t) => t.embedding);
  /** W[ids] -> (W + s (B A)^T)[ids]; with DoRA each column scaled to its magnitude. */
  const adapted = (y: Tensor, ids: Tensor): Tensor => {
    if (!target) return y;
    const { scaling } = target;
    const names = namesOf(target);
    const [A, B] = [get(names.a), get(names.b)];
    const alpha = scaling * model.embedScale;
    const change = matmul(gather(A, ids, 1), B, { transA: true, transB: true, alpha });
    if (!config.use_dora) return add(y, change);
    const [a, b] = [constantCopy(A), constantCopy(B)];
    const W = frozen(base.tensors, EMBEDDING_WEIGHT);
    const moved = add(W, matmul(a, b, { transA: true, transB: true, alpha: scaling }));
    return mul(div(get(names.magnitude), sqrt(sum(mul(moved, moved), 0))), add(y, change));
  };
  const embed = (ids: Tensor): Tensor => {
    const y = adapted(over.embed(ids), ids);
    if (!tokenRows) return y;
    const slots = gather(slotTable(tokenRows.ids, vocabularyOf(base)), ids);
    return chosenRows(slots, mul(tokenRows.rows, model.embedScale), y);
  };
  return {
    linear,
    embed,
    layers: (hidden, tokensLayout, given = linear, more = {}) => over.layers(hidden, tokensLayout, given, more),
    head: (hidden, given = linear) => over.head(hidden, given),
  };
}

const vocabularyOf = ({ tensors }: LoraBase): number => tensors.get(EMBEDDING_WEIGHT)?.shape[0] as number;

/** i64 `[vocabulary]`: which trained row a token has, -1 for none. */
function slotTable(ids: readonly number[], vocabulary: number): Tensor {
  const table = new BigInt64Array(vocabulary).fill(-1n);
  ids.forEach((id, slot) => (table[id] = BigInt(slot)));
  return constant(table, [vocabulary]);
}

/** `rows[slot]` where there is a slot, else `y`. */
function chosenRows(slots: Tensor, rows: Tensor, y: Tensor): Tensor {
  const zero = scalar(0, "i64");
  const has = reshape(greaterEqual(slots, zero), [slots.shape[0] as Shape[number], 1]);
  return where(has, gather(rows, maximum(slots, zero)), y);
}

const withRows = (W: Tensor, { rows, ids }: { rows: Tensor; ids: readonly number[] }): Tensor =>
  chosenRows(slotTable(ids, W.shape[0] as number), rows, W);
