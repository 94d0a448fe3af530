/** @file Several adapters on one base at once: each row of a batch has its own. */
import { type LanguageModel, type Linear, type ModelFunctions, frozen } from "@emosllm/backbones";
import { type Dim, type Shape, type Tensor, equal, reshape, scalar, where } from "@emosllm/graph";
import type { LoraAdapter } from "./adapter.ts";
import { EMBEDDING_WEIGHT, type LoraBase, OUTPUT_WEIGHT } from "./base.ts";

/** A trained tensor of the adapter at `index` as graph. Equal PEFT names of two adapters need different inputs. */
export type ParameterOf = (index: number, name: string, shape: Shape) => Tensor;

/**
 * Which adapter a row of `x` has: i64 `[rows]`, the index among the adapters; -1 (or any other number) is the base alone. A function where
 * tensors of several lengths occur (all tokens, and those asked for): by the number of rows.
 */
export type Choice = Tensor | ((rows: Dim) => Tensor);

const chooser = (choice: Choice) => {
  const columnOf = ({ shape: [rows, ...rest] }: Tensor): Tensor =>
    reshape(typeof choice === "function" ? choice(rows as Dim) : choice, [rows as Dim, ...rest.map(() => 1)]);
  /** `own` in the rows of the adapter `index`, `y` elsewhere. A tensor that the adapter leaves alone stays the very same. */
  return (index: number, own: Tensor, y: Tensor, plain: Tensor): Tensor =>
    own === plain ? y : where(equal(columnOf(y), scalar(index, "i64")), own, y);
};

/**
 * Linear layers where each row of x has the adapter that `choice` says. The base's products are computed once for all; each adapter's
 * low-rank products for all rows. Rows that share a prefix must share its adapter: a prefix is computed once.
 */
export function applyPerRow(
  adapters: readonly LoraAdapter[],
  linear: Linear,
  parameter: ParameterOf,
  choice: Choice,
): Linear {
  const choose = chooser(choice);
  return (paths, x) => {
    const plain = linear(paths, x);
    const given = new Map(paths.map((path, i) => [path, plain[i] as Tensor]));
    const known: Linear = (asked) => asked.map((path) => given.get(path) as Tensor);
    return adapters.reduce<Tensor[]>((results, adapter, index) => {
      const own = adapter.layers(known, (name, shape) => parameter(index, name, shape))(paths, x);
      return results.map((y, i) => choose(index, own[i] as Tensor, y, plain[i] as Tensor));
    }, plain);
  };
}

/** A language model where each row has its own adapter: linear layers as {@link applyPerRow}, embeddings, norms and a tied output too. */
export function adaptPerRow(
  adapters: readonly LoraAdapter[],
  base: Pick<LoraBase, "tensors">,
  model: Pick<LanguageModel, "linear" | "over" | "embedScale" | "embed">,
  parameter: ParameterOf,
  choice: Choice,
): ModelFunctions {
  const choose = chooser(choice);
  const linear = applyPerRow(adapters, model.linear, parameter, choice);
  const all = adapters.map((adapter, index) => ({
    index,
    own: adapter.adapt(model, (name, shape) => parameter(index, name, shape)),
    // A tied output follows in these; an output of its own is one of the linear layers.
    output: adapter.outsideLinear.includes(OUTPUT_WEIGHT) || adapter.copies.size > 0 || adapter.tokens.length > 0,
    embeddings: adapter.outsideLinear.includes(EMBEDDING_WEIGHT),
  }));
  const over = model.over(
    () => undefined,
    (name, normBy) => {
      const changed = adapters.flatMap((a, index) => {
        const own = a.replaced.get(name);
        return own === undefined ? [] : [{ index, w: parameter(index, own, a.parameters[own] as Shape) }];
      });
      if (changed.length === 0) return undefined;
      const plain = normBy(frozen(base.tensors, name));
      return changed.reduce((y, { index, w }) => choose(index, normBy(w), y, plain), plain);
    },
  );
  return {
    linear,
    layers: (hidden, layout, given = linear, options = {}) => over.layers(hidden, layout, given, options),
    embed: (ids) => {
      const plain = model.embed(ids);
      const changed = all.filter((a) => a.embeddings);
      return changed.reduce((y, { index, own }) => choose(index, own.embed(ids), y, plain), plain);
    },
    head: (hidden, given = linear) => {
      const plain = over.head(hidden, given);
      const changed = all.filter((a) => a.output);
      return changed.reduce((y, { index, own }) => choose(index, own.head(hidden, given), y, plain), plain);
    },
  };
}
