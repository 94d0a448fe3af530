/** @file Orders a graph so that each tensor comes after its inputs. */
import type { Tensor } from "./tensor.ts";

/** Every tensor that `outputs` need, inputs first, each once. Does not recurse: graphs are thousands of nodes deep. */
export function topologicalOrder(outputs: readonly Tensor[]): Tensor[] {
  const order: Tensor[] = [];
  const state = new Map<Tensor, "open" | "done">();
  const stack = outputs.toReversed();
  for (let t = stack.at(-1); t; t = stack.at(-1)) {
    const seen = state.get(t);
    if (seen) {
      stack.pop();
      if (seen === "open") {
        state.set(t, "done");
        order.push(t);
      }
      continue;
    }
    state.set(t, "open");
    for (const i of t.inputs.toReversed()) if (!state.has(i)) stack.push(i);
  }
  return order;
}
