/** @file A second opinion on forward values: a direct float64 reading of each op's definition, one element at a time, sharing no code with the lowerings. */
import { type Dim, type OpName, type Tensor, dimEvaluate, topologicalOrder } from "@emosllm/graph";

/** A row-major array of float64 (whole numbers and booleans included). */
export interface Value {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
type Names = Readonly<Record<string, number>>;
type Index = readonly number[];

const count = (shape: readonly number[]): number => shape.reduce((p, d) => p * d, 1);
const at = ({ shape, data }: Value, index: Index): number =>
  data[index.reduce((flat, i, axis) => flat * shape[axis]! + i, 0)]!;
/** An element of a value that is broadcast to the shape that `index` points into. */
const broadcastAt = (v: Value, index: Index): number =>
  at(
    v,
    v.shape.map((d, axis) => (d === 1 ? 0 : index[index.length - v.shape.length + axis]!)),
  );

function build(shape: readonly number[], f: (index: Index) => number): Value {
  const data = Array.from({ length: count(shape) }, (_, flat) => {
    const index: number[] = [];
    let rest = flat;
    for (const d of shape.toReversed()) {
      index.unshift(rest % d);
      rest = Math.floor(rest / d);
    }
    return f(index);
  });
  return { shape, data };
}

const withAxis = (index: Index, axis: number, i: number): number[] => index.map((v, a) => (a === axis ? i : v));
const along = (x: Value, index: Index, axis: number): number[] =>
  Array.from({ length: x.shape[axis]! }, (_, i) => at(x, withAxis(index, axis, i)));
const total = (v: readonly number[]): number => v.reduce((p, q) => p + q, 0);
const logSumExp = (v: readonly number[]): number => {
  const top = Math.max(...v);
  return top + Math.log(total(v.map((x) => Math.exp(x - top))));
};

/** Abramowitz and Stegun 7.1.5 (a power series; for |x| < 4). */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

type Rule = (t: Tensor, x: readonly Value[], shape: readonly number[], names: Names) => Value;
const unary =
  (f: (v: number) => number): Rule =>
  (_, [x]) => ({ shape: x!.shape, data: x!.data.map(f) });
const binary =
  (f: (a: number, b: number) => number): Rule =>
  (_, [a, b], shape) =>
    build(shape, (i) => f(broadcastAt(a!, i), broadcastAt(b!, i)));
const attrs = <T>(t: Tensor): T => t.attrs as unknown as T;

const reduce =
  (f: (v: readonly number[]) => number): Rule =>
  (t, [x]) => {
    const { axes, keepDims } = attrs<{ axes: number[]; keepDims: boolean }>(t);
    const kept = x!.shape.map((d, a) => (axes.includes(a) ? 1 : d));
    const inner = x!.shape.map((d, a) => (axes.includes(a) ? d : 1));
    const { data } = build(kept, (i) =>
      f(
        build(inner, (j) =>
          at(
            x!,
            i.map((v, a) => v + j[a]!),
          ),
        ).data,
      ),
    );
    return { shape: keepDims ? kept : kept.filter((_, a) => !axes.includes(a)), data };
  };

/** By op; the test only generates these. */
export const rules = {
  neg: unary((v) => -v),
  abs: unary(Math.abs),
  exp: unary(Math.exp),
  tanh: unary(Math.tanh),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  sigmoid: unary((v) => 1 / (1 + Math.exp(-v))),
  erf: unary(erf),
  relu: unary((v) => Math.max(v, 0)),
  silu: unary((v) => v / (1 + Math.exp(-v))),
  gelu: unary((v) => (v * (1 + erf(v / Math.SQRT2))) / 2),
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  maximum: binary(Math.max),
  minimum: binary(Math.min),
  greater: binary((a, b) => Number(a > b)),
  where: (_, [c, a, b], shape) => build(shape, (i) => (broadcastAt(c!, i) ? broadcastAt(a!, i) : broadcastAt(b!, i))),
  reshape: (_, [x], shape) => ({ shape, data: x!.data }),
  transpose: (t, [x], shape) => {
    const { perm } = attrs<{ perm: number[] }>(t);
    return build(shape, (i) =>
      at(
        x!,
        perm.map((_, a) => i[perm.indexOf(a)]!),
      ),
    );
  },
  expand: (_, [x], shape) => build(shape, (i) => broadcastAt(x!, i)),
  slice: (t, [x], shape, names) => {
    const { axis, start, step } = attrs<{ axis: number; start: Dim; step: number }>(t);
    const from = dimEvaluate(start, names);
    return build(shape, (i) => at(x!, withAxis(i, axis, from + step * i[axis]!)));
  },
  concat: (t, x, shape) => {
    const { axis } = attrs<{ axis: number }>(t);
    return build(shape, (i) => {
      let place = i[axis]!;
      const part = x.find((p) => (place < p.shape[axis]! ? true : ((place -= p.shape[axis]!), false)))!;
      return at(part, withAxis(i, axis, place));
    });
  },
  pad: (t, [x], shape, names) => {
    const { axis, before, value } = attrs<{ axis: number; before: Dim; value: number }>(t);
    return build(shape, (i) => {
      const place = i[axis]! - dimEvaluate(before, names);
      return place >= 0 && place < x!.shape[axis]! ? at(x!, withAxis(i, axis, place)) : value;
    });
  },
  gather: (t, [x, indices], shape) => {
    const { axis } = attrs<{ axis: number }>(t);
    const rank = indices!.shape.length;
    return build(shape, (i) =>
      at(x!, [...i.slice(0, axis), at(indices!, i.slice(axis, axis + rank)), ...i.slice(axis + rank)]),
    );
  },
  sum: reduce(total),
  mean: reduce((v) => total(v) / v.length),
  max: reduce((v) => Math.max(...v)),
  cumSum: (t, [x], shape) => {
    const { axis, reverse } = attrs<{ axis: number; reverse: boolean }>(t);
    return build(shape, (i) => {
      const line = along(x!, i, axis);
      return total(reverse ? line.slice(i[axis]!) : line.slice(0, i[axis]! + 1));
    });
  },
  matmul: (t, [a, b], shape) => {
    const { transA, transB, alpha } = attrs<{ transA: boolean; transB: boolean; alpha: number }>(t);
    const inner = a!.shape.at(transA ? -2 : -1)!;
    const pick = (v: Value, batch: Index, row: number, column: number): number => {
      const own = batch.slice(batch.length - (v.shape.length - 2));
      return at(v, [...own.map((i, axis) => (v.shape[axis] === 1 ? 0 : i)), row, column]);
    };
    return build(shape, (i) => {
      const [batch, m, n] = [i.slice(0, -2), i.at(-2)!, i.at(-1)!];
      const products = Array.from(
        { length: inner },
        (_, k) =>
          (transA ? pick(a!, batch, k, m) : pick(a!, batch, m, k)) *
          (transB ? pick(b!, batch, n, k) : pick(b!, batch, k, n)),
      );
      return alpha * total(products);
    });
  },
  softmax: (t, [x], shape) => {
    const { axis } = attrs<{ axis: number }>(t);
    return build(shape, (i) => Math.exp(at(x!, i) - logSumExp(along(x!, i, axis))));
  },
  logSoftmax: (t, [x], shape) => {
    const { axis } = attrs<{ axis: number }>(t);
    return build(shape, (i) => at(x!, i) - logSumExp(along(x!, i, axis)));
  },
  softmaxCrossEntropy: (t, [x, targets], shape) => {
    const { ignoreIndex } = attrs<{ ignoreIndex: number }>(t);
    return build(shape, ([i]) => {
      const target = at(targets!, [i!]);
      return target === ignoreIndex ? 0 : logSumExp(along(x!, [i!, 0], 1)) - at(x!, [i!, target]);
    });
  },
  layerNorm: (t, [x, scale, shift], shape) => {
    const { epsilon } = attrs<{ epsilon: number }>(t);
    return build(shape, (i) => {
      const line = along(x!, i, i.length - 1);
      const centre = total(line) / line.length;
      const variance = total(line.map((v) => (v - centre) ** 2)) / line.length;
      return ((at(x!, i) - centre) / Math.sqrt(variance + epsilon)) * at(scale!, [i.at(-1)!]) + at(shift!, [i.at(-1)!]);
    });
  },
  rmsNorm: (t, [x, scale], shape) => {
    const { epsilon } = attrs<{ epsilon: number }>(t);
    return build(shape, (i) => {
      const line = along(x!, i, i.length - 1);
      return (at(x!, i) / Math.sqrt(total(line.map((v) => v * v)) / line.length + epsilon)) * at(scale!, [i.at(-1)!]);
    });
  },
} as const satisfies { readonly [K in OpName]?: Rule };

/** The value of `output`, with fed values and the values of names. */
export function evaluateReference(output: Tensor, feeds: Readonly<Record<string, Value>>, names: Names): Value {
  const values = new Map<Tensor, Value>();
  for (const t of topologicalOrder([output])) {
    const shape = t.shape.map((d) => dimEvaluate(d, names));
    const inputs = t.inputs.map((i) => values.get(i)!);
    if (t.op === "input") values.set(t, feeds[attrs<{ name: string }>(t).name]!);
    else if (t.op === "constant")
      values.set(t, { shape, data: Array.from(attrs<{ data: ArrayLike<number | bigint> }>(t).data, Number) });
    else values.set(t, (rules as { readonly [K in OpName]?: Rule })[t.op]!(t, inputs, shape, names));
  }
  return values.get(output)!;
}
