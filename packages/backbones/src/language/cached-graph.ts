/** @file One pass of a language model over a cache of keys and values, as a graph: for prompts, for scoring, for decoding. */
import {
  type Dim,
  type Tensor,
  dimProduct,
  gather,
  greaterEqual,
  input,
  maximum,
  neg,
  reshape,
  scalar,
  softmaxCrossEntropy,
  where,
} from "@emosllm/graph";
import type { Linear } from "../linear.ts";
import { type CachedLayout, cachedLayout } from "./cached-layout.ts";
import type { LanguageModel } from "./language-model.ts";

/** Options of {@link cachedGraph}. */
export interface CachedGraphOptions {
  /** The linear layers, adapters included; the checkpoint's own when not given. `tokens` is how many there are. */
  readonly linear?: (tokens: Dim) => Linear;
}

/**
 * Outputs of a pass: `logits` `[labels, vocabSize]` and `scores` `[labels]` (log-likelihoods of `label_ids`) at the tokens `label_places`,
 * and what is to be added to the cache, `key.N` and `value.N`, as {@link CachedLayout} has it.
 *
 * Inputs, beside {@link cachedLayout}'s: `ids` i64 `[groups, each, suffix]`, `vectors` f32 `[vectors, hiddenSize]` and `vector_index` i64
 * `[groups, each, suffix]`: which vector stands in place of a token's embedding, -1 for none; `label_places` (in the flattened tokens) and `label_ids` i64 `[labels]`.
 */
export function cachedGraph(
  model: Omit<LanguageModel, "checkpoint">,
  { linear = () => model.linear }: CachedGraphOptions = {},
): Record<string, Tensor> {
  const rows: readonly Dim[] = ["groups", "each", "suffix"];
  const tokens = dimProduct(rows);
  const flat = (name: string): Tensor => reshape(input(name, rows, "i64"), [tokens]);
  const index = flat("vector_index");
  const vectors = input("vectors", ["vectors", model.config.hiddenSize]);
  const zero = scalar(0, "i64");
  const hidden = where(
    reshape(greaterEqual(index, zero), [tokens, 1]),
    gather(vectors, maximum(index, zero)),
    model.embed(flat("ids")),
  );
  const layers = linear(tokens);
  const layout: CachedLayout = cachedLayout();
  const last = gather(model.layers(hidden, layout, layers), input("label_places", ["labels"], "i64"));
  const logits = model.head(last, layers);
  return {
    logits,
    scores: neg(softmaxCrossEntropy(logits, input("label_ids", ["labels"], "i64"))),
    ...Object.fromEntries(
      layout.added.flatMap(({ key, value }, i) => [[`key.${i}`, key] as const, [`value.${i}`, value] as const]),
    ),
  };
}
