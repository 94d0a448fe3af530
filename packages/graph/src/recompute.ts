/**
 * @file Computing values again instead of keeping them (Chen et al. 2016, "Training deep nets with sublinear memory cost"). A graph is cut
 * at its `checkpoint` ops; of each part only what enters it is kept, and the rest is built a second time for the gradient.
 */
import { after } from "./ops.ts";
import { type Tensor, isOp, makeTensor } from "./tensor.ts";

/** Second copies of the values of a graph's parts. */
export interface Recomputation {
  /** A tensor for the gradient to read: the same value, or its second copy. */
  readonly copyOf: (t: Tensor) => Tensor;
  /** The gradient of a checkpoint is there: copies of the part before it may be computed from now on. */
  readonly reached: (checkpoint: Tensor, dy: Tensor) => void;
}

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

  const isCopied = (t: Tensor): boolean => {
    const part = partOf.get(t);
    return part !== undefined && part !== last && trigger.has(part) && isOp(part, "checkpoint") && part.attrs.recompute;
  };
  /** Does not recurse into other parts, and a part is a layer: shallow enough. */
  const copyOf = (t: Tensor): Tensor => {
    if (!isCopied(t)) return t;
    let copy = copies.get(t);
    if (!copy) {
      const part = partOf.get(t) as Tensor;
      copy = isOp(t, "checkpoint")
        ? after(t.inputs[0] as Tensor, trigger.get(part) as Tensor)
        : (makeTensor(
            t.op,
            t.inputs.map((i) => (partOf.get(i) === part ? copyOf(i) : i)),
            t.attrs,
            t.shape,
            t.dtype,
          ) as Tensor);
      copies.set(t, copy);
    }
    return copy;
  };
  return {
    copyOf,
    reached: (checkpoint, dy) => {
      const before = partOf.get(checkpoint.inputs[0] as Tensor);
      if (before) trigger.set(before, dy);
    },
  };
}
