/** @file Reverse-mode differentiation: walks the graph backwards from a scalar and builds the gradients as more graph. */
import { type GradientRule, gradientRules } from "./gradient-rules.ts";
import type { OpName } from "./op-table.ts";
import { type Dim, dimSubtract } from "./dims.ts";
import { recomputation } from "./recompute.ts";
import { add, after, concat, expand, pad, scalar } from "./ops.ts";
import { type Tensor, describeType, isOp } from "./tensor.ts";
import { topologicalOrder } from "./walk.ts";

/** Options of {@link gradients}. */
export interface GradientOptions {
  /** Zeros instead of an error for a tensor that the loss does not depend on. */
  readonly allowUnused?: boolean;
}

/**
 * The gradients of a scalar `loss` in each tensor of `wrt`, in that order, as graph. Nothing is built for what needs none:
 * frozen weights, and everything below the lowest tensor of `wrt`.
 *
 * `checkpoint` ops divide the work into parts that are done one after the other, each with its gradients in `wrt`. Activations of a part,
 * and all its values with `recompute`, are not kept for the backward pass but computed again just before.
 *
 * Throws RangeError when the loss is no scalar, or (without `allowUnused`) does not depend on one of `wrt`.
 *
 * @example
 * const x = input("x", [3]);
 * const [dx] = gradients(sum(mul(x, x)), [x]); // 2 * x
 */
export function gradients(
  loss: Tensor,
  wrt: readonly Tensor[],
  { allowUnused = false }: GradientOptions = {},
): Tensor[] {
  if (loss.shape.length !== 0) throw new RangeError(`gradients: the loss must be a scalar, not ${describeType(loss)}`);
  const order = topologicalOrder([loss]);
  const wanted = new Set(wrt);
  const active = new Set<Tensor>();
  for (const t of order) if (wanted.has(t) || t.inputs.some((i) => active.has(i))) active.add(t);

  const again = recomputation(order);
  const placed = new Set<Tensor>();
  const adjoint = new Map<Tensor, Tensor>([[loss, scalar(1, loss.dtype)]]);
  for (const t of order.toReversed()) {
    let dy = adjoint.get(t);
    if (!dy || !active.has(t) || !t.inputs.some((i) => active.has(i))) continue;
    const needs = t.inputs.map((i) => active.has(i));
    if (isOp(t, "checkpoint")) {
      // What this part gave to `wrt` is computed now: later, all that it is computed from would have to be kept until then.
      const ready = wrt.flatMap((w) => adjoint.get(w) ?? []).filter((d) => !placed.has(d));
      if (ready.length > 0) {
        ready.forEach((d) => placed.add(d));
        dy = after(dy, ...ready);
      }
      again.reached(t as Tensor, dy);
    }
    const parts = (gradientRules[t.op] as GradientRule<OpName>)(again.copyOf(t), dy, needs);
    t.inputs.forEach((i, at) => {
      const part = parts[at];
      if (!needs[at] || !part) return;
      const before = adjoint.get(i);
      adjoint.set(i, before ? addGradients(before, part) : part);
    });
    if (!wanted.has(t)) adjoint.delete(t);
  }
  return wrt.map((t) => {
    const d = adjoint.get(t);
    if (d) return d;
    if (allowUnused) return expand(scalar(0, t.dtype), t.shape);
    const name = "name" in t.attrs ? ` '${String(t.attrs.name)}'` : "";
    throw new RangeError(`gradients: the loss does not depend on ${t.op}${name} ${describeType(t)}`);
  });
}

/** The part of a zero-padded tensor that is not padding, and where it lies. */
function padded(d: Tensor): { part: Tensor; axis: number; from: Dim; to: Dim } | undefined {
  if (!isOp(d, "pad") || d.attrs.value !== 0) return undefined;
  const { axis, before, after } = d.attrs;
  return { part: d.inputs[0] as Tensor, axis, from: before, to: dimSubtract(d.shape[axis] as Dim, after) };
}

/** a + b; neighbouring slices of one tensor, each padded to the whole, are put side by side instead. */
function addGradients(a: Tensor, b: Tensor): Tensor {
  const [p, q] = [padded(a), padded(b)];
  if (!p || !q || p.axis !== q.axis || (p.to !== q.from && q.to !== p.from)) return add(a, b);
  const [first, last] = p.to === q.from ? [p, q] : [q, p];
  const whole = concat([first.part, last.part], p.axis);
  return pad(whole, p.axis, first.from, dimSubtract(a.shape[p.axis] as Dim, last.to));
}
