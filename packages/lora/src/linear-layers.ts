/** @file How an adapter enters a backbone's linear layers. */
import { type Linear, frozen, linearOver } from "@emosllm/backbones";
import {
  type Shape,
  type Tensor,
  add,
  concat,
  constant,
  div,
  dropout,
  matmul,
  mul,
  split,
  sqrt,
  sub,
  sum,
} from "@emosllm/graph";
import type { AdapterLayout, ApplyOptions, Parameter } from "./adapter.ts";
import type { LoraBase } from "./base.ts";
import { constantCopy } from "./constant-copy.ts";
import { loraNames } from "./names.ts";
import type { LoraTarget } from "./targets.ts";

/**
 * The layers with the adapter: W x + s B(A x); with DoRA m / |W + s B A| times that; without what `initial` took out of W. Layers that are
 * trained whole are products by their own matrix.
 */
export function adaptedLayers(
  { config, targets, parameters, replaced, initial }: AdapterLayout,
  base: LoraBase,
  linear: Linear,
  parameter: Parameter,
  { dropoutKey }: ApplyOptions,
): Linear {
  const byPath = new Map(targets.map((t) => [t.path, t]));
  const streams = new Map(targets.map((t, i) => [t.path, i]));
  const get = (name: string): Tensor => parameter(name, parameters[name] as Shape);
  const trained = (name: string): Tensor | undefined => {
    const own = replaced.get(name);
    return own === undefined ? undefined : get(own);
  };
  const inBase = (name: string): Tensor => frozen(base.tensors, name);
  const whole = linearOver(new Set(base.tensors.keys()), (name) => trained(name) ?? inBase(name));

  const rate = dropoutKey ? config.lora_dropout : 0;
  /** A x of each target. Without dropout all see the same x, so that their A's are one product. */
  const lowRank = (found: readonly LoraTarget[], x: Tensor): { low: Tensor; seen: Tensor }[] => {
    if (dropoutKey && rate > 0)
      return found.map(({ path }) => {
        const seen = dropout(x, dropoutKey, { rate, stream: streams.get(path) as number });
        return { seen, low: matmul(seen, get(loraNames(path).a), { transB: true }) };
      });
    if (found.length === 0) return [];
    const all = concat(
      found.map(({ path }) => get(loraNames(path).a)),
      0,
    );
    const low = matmul(x, all, { transB: true });
    const ranks = found.map(({ rank }) => rank);
    return split(low, 1, ranks).map((part) => ({ seen: x, low: part }));
  };

  /** B0 `[out, r]` and A0 `[r, in]`: the part of W that A and B began with. */
  const begun = ({ path, rank }: LoraTarget): { A0: Tensor; B0: Tensor } | undefined => {
    const factor = initial?.get(path);
    return (
      factor && {
        A0: constant(factor.a, [rank, factor.a.length / rank]),
        B0: constant(factor.b, [factor.b.length / rank, rank]),
      }
    );
  };
  /** W x + b -> the same without that part. */
  const withoutInitial = (target: LoraTarget, y: Tensor, x: Tensor): Tensor => {
    const part = begun(target);
    if (!part) return y;
    return sub(y, matmul(matmul(x, part.A0, { transB: true }), part.B0, { transB: true, alpha: target.scaling }));
  };

  /** W x + b, without the initial part -> the same with the adapter. */
  const adapted = (target: LoraTarget, y: Tensor, x: Tensor, { low, seen }: { low: Tensor; seen: Tensor }): Tensor => {
    const names = loraNames(target.path);
    const [A, B] = [get(names.a), get(names.b)];
    const change = matmul(low, B, { transB: true, alpha: target.scaling });
    if (config.lora_bias) return add(y, add(change, mul(get(names.bBias), target.scaling)));
    if (!config.use_dora) return add(y, change);
    // Liu et al. 2024 (arXiv 2402.09353), equation 5; its section 4.3 takes the norm as a constant.
    const W = inBase(`${target.path}.weight`);
    const part = begun(target);
    const rest = part ? sub(W, matmul(part.B0, part.A0, { alpha: target.scaling })) : W;
    const moved = add(rest, matmul(constantCopy(B), constantCopy(A), { alpha: target.scaling }));
    const factor = div(get(names.magnitude), sqrt(sum(mul(moved, moved), 1)));
    const biasName = `${target.path}.bias`;
    const bias = base.tensors.has(biasName) ? (trained(biasName) ?? inBase(biasName)) : undefined;
    const plain =
      seen === x ? (bias ? sub(y, bias) : y) : withoutInitial(target, matmul(seen, W, { transB: true }), seen);
    return add(y, add(mul(sub(factor, 1), plain), mul(factor, change)));
  };

  return (paths, x) => {
    const asked = paths.filter((path) => !replaced.has(`${path}.weight`));
    const given = asked.length === 0 ? [] : linear(asked, x);
    const found = asked.flatMap((path) => byPath.get(path) ?? []);
    const low = new Map(lowRank(found, x).map((l, i) => [found[i], l]));
    return paths.map((path) => {
      const at = asked.indexOf(path);
      if (at < 0) return whole([path], x)[0] as Tensor;
      let y = given[at] as Tensor;
      const bias = trained(`${path}.bias`);
      if (bias) y = add(y, sub(bias, inBase(`${path}.bias`)));
      const target = byPath.get(path);
      const own = target && low.get(target);
      return own ? adapted(target, withoutInitial(target, y, x), x, own) : y;
    });
  };
}
