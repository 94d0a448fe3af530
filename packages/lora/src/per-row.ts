/** @file Several adapters on one base at once: each row of a batch has its own. */
import type { Linear } from "@emosllm/backbones";
import { type Dim, type Shape, type Tensor, equal, reshape, scalar, where } from "@emosllm/graph";
import type { LoraAdapter } from "./adapter.ts";

/** A trained tensor of the adapter at `index` as graph. Equal PEFT names of two adapters need different inputs. */
export type ParameterOf = (index: number, name: string, shape: Shape) => Tensor;

/**
 * Linear layers where `choice`, i64 `[tokens]`, says which of `adapters` a token's row has; -1 (or any other number) is the base alone. The
 * base's products are computed once for all; each adapter's low-rank products for all rows. Rows that share a prefix must share
 * its adapter: a prefix is computed once.
 */
export const applyPerRow =
  (adapters: readonly LoraAdapter[], linear: Linear, parameter: ParameterOf, choice: Tensor): Linear =>
  (paths, x) => {
    const plain = linear(paths, x);
    const given = new Map(paths.map((path, i) => [path, plain[i] as Tensor]));
    const known: Linear = (asked) => asked.map((path) => given.get(path) as Tensor);
    const column = reshape(choice, [choice.shape[0] as Dim, 1]);
    return adapters.reduce<Tensor[]>((results, adapter, index) => {
      const own = adapter.apply(known, (name, shape) => parameter(index, name, shape))(paths, x);
      const chosen = equal(column, scalar(index, "i64"));
      // A layer that the adapter leaves alone stays the very same tensor.
      return results.map((y, i) => (own[i] === plain[i] ? y : where(chosen, own[i] as Tensor, y)));
    }, plain);
  };
