/** @file The ops of a graph as a program runs them: equal ones once. */
import { type OpName, type Tensor, topologicalOrder } from "@emosllm/graph";
import { structuralKey } from "./lower.ts";

/** See their input's memory differently. */
export const VIEWS: ReadonlySet<OpName> = new Set(["reshape", "checkpoint", "after"]);
/** Are there before the run. */
export const LEAVES: ReadonlySet<OpName> = new Set(["input", "weight", "constant"]);

/** Ops that compute the same, once: the first of them, with the first of each input. */
export function uniqueOps(outputs: readonly Tensor[]): {
  readonly ops: readonly { readonly t: Tensor; readonly inputs: readonly Tensor[] }[];
  readonly same: ReadonlyMap<Tensor, Tensor>;
} {
  const same = new Map<Tensor, Tensor>();
  const byKey = new Map<string, Tensor>();
  const ids = new Map<Tensor, string>();
  const ops: { t: Tensor; inputs: readonly Tensor[] }[] = [];
  for (const t of topologicalOrder(outputs)) {
    const inputs = t.inputs.map((i) => same.get(i) as Tensor);
    const key = structuralKey(
      t,
      inputs.map((i) => ids.get(i) as string),
    );
    let first = byKey.get(key);
    if (!first) {
      byKey.set(key, (first = t));
      ids.set(t, String(ids.size));
      ops.push({ t, inputs });
    }
    same.set(t, first);
  }
  return { ops, same };
}
