/**
 * @file Computing values again instead of keeping them (Chen et al. 2016, "Training deep nets with sublinear memory cost"). A graph is cut
 * at its `checkpoint` ops. Of a part with `recompute` only what enters it is kept, and the rest is built a second time for the gradient;
 * of any other part the activations and gated units are, whose inputs the gradient needs anyway.
 */
import type { OpName } from "./op-table.ts";
import { after } from "./ops.ts";
import { type Tensor, isOp, makeTensor } from "./tensor.ts";

/** Second copies of the values of a graph's parts. */
export interface Recomputation {
  /** A tensor for the gradient to read: the same value, or its second copy. */
  readonly copyOf: (t: Tensor) => Tensor;
  /** The gradient of a checkpoint is there: copies of the part before it may be computed from now on. */
  readonly reached: (checkpoint: Tensor, dy: Tensor) => void;
}

/** Their gradients read what enters them, so that it is kept; and a pass over memory gives the rest. */
const ACTIVATIONS: ReadonlySet<OpName> = new Set<OpName>(["silu", "gelu", "relu"]);
const isActivation = (t: Tensor): boolean => ACTIVATIONS.has(t.op);
/** An activation, or `activation(gate) * up`. */
const isLight = (t: Tensor): boolean => isActivation(t) || (isOp(t, "mul") && t.inputs.some(isActivation));
/** Its gradient never reads its own value: that of a copy is not computed, but what the gradient finds as its input is the copy's. */
const readsLight = (t: Tensor): boolean => isOp(t, "matmul") && t.inputs.some(isLight);

/** Finds the parts. `order`: all tensors of the graph, inputs first. The part that holds the loss is never computed twice. */
export function recomputation(order: readonly Tensor[]): Recomputation {
  /** The latest checkpoint that a tensor depends on. */
  const partOf = new Map<Tensor, Tensor>();
  const at = new Map(order.map((t, i) => [t, i]));
  const place = (t: Tensor | undefined): number => (t ? (at.get(t) as number) : -1);
  for (const t of order) {
    const latest = isOp(t, "checkpoint")
      ? t
      : t.inputs.reduce<Tensor | undefined>((best, i) => {
          const part = partOf.get(i);
          return place(part) > place(best) ? part : best;
        }, undefined);
    if (latest) partOf.set(t, latest as Tensor);
  }
  const last = partOf.get(order.at(-1) as Tensor);
  /** What a part waits for: the gradient of the checkpoint after it. */
  const trigger = new Map<Tensor, Tensor>();
  const copies = new Map<Tensor, Tensor>();
  const isWhole = (part: Tensor): boolean => isOp(part, "checkpoint") && part.attrs.recompute;

  const isCopied = (t: Tensor): boolean => {
    const part = partOf.get(t);
    if (part === undefined || part === last || !trigger.has(part)) return false;
    return isWhole(part) || isLight(t) || readsLight(t);
  };
  const copied = (t: Tensor, make: () => Tensor): Tensor => {
    let copy = copies.get(t);
    if (!copy) copies.set(t, (copy = make()));
    return copy;
  };
  /** The kept value, no sooner than the gradient of its part begins: else the copies of both passes would be one. */
  const late = (kept: Tensor, part: Tensor): Tensor => copied(kept, () => after(kept, trigger.get(part) as Tensor));
  /** Does not recurse into other parts, and a part is a layer: shallow enough. */
  const copyOf = (t: Tensor): Tensor => {
    if (!isCopied(t)) return t;
    const part = partOf.get(t) as Tensor;
    if (t === part) return late(t, part);
    const entering = (i: Tensor): Tensor => {
      if (partOf.get(i) !== part) return i;
      return isWhole(part) || isLight(i) ? copyOf(i) : late(i, part);
    };
    return copied(t, () => makeTensor(t.op, t.inputs.map(entering), t.attrs, t.shape, t.dtype) as Tensor);
  };
  return {
    copyOf,
    reached: (checkpoint, dy) => {
      const before = partOf.get(checkpoint.inputs[0] as Tensor);
      if (before) trigger.set(before, dy);
    },
  };
}
