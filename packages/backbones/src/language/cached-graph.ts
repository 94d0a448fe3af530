/** @file One pass of a language model over a cache of keys and values, as a graph: for prompts, for scoring, for decoding. */
import {
  type Dim,
  type Tensor,
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
 * Inputs, beside {@link cachedLayout}'s: `ids` i64 `[tokens]`, `vectors` f32 `[vectors, hiddenSize]` and `vector_index` i64
 * `[tokens]`: which vector stands in place of a token's embedding, -1 for none; `label_ids` i64 `[labels]`.
 */
export function cachedGraph(
  model: Omit<LanguageModel, "checkpoint" | "weights">,
  { linear = () => model.linear }: CachedGraphOptions = {},
): Record<string, Tensor> {
  const tokens: Dim = "tokens";
  const index = input("vector_index", [tokens], "i64");
  const vectors = input("vectors", ["vectors", model.config.hiddenSize]);
  const zero = scalar(0, "i64");
  const hidden = where(
    reshape(greaterEqual(index, zero), [tokens, 1]),
    gather(vectors, maximum(index, zero)),
    model.embed(input("ids", [tokens], "i64")),
  );
  const layers = linear(tokens);
  const layout: CachedLayout = cachedLayout();
  const logits = model.head(model.layers(hidden, layout, layers), layers);
  return {
    logits,
    scores: neg(softmaxCrossEntropy(logits, input("label_ids", ["labels"], "i64"))),
    ...Object.fromEntries(
      layout.added.flatMap(({ key, value }, i) => [[`key.${i}`, key] as const, [`value.${i}`, value] as const]),
    ),
  };
}
