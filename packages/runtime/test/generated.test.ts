/**
 * @file Generated graphs (named and numeric dimensions, broadcasting, several consumers of one tensor) against a float64 reading
 * of the definitions: values directly, gradients by central differences of that reading; and the same graphs and gradients on
 * TensorFlow.js against onnxruntime.
 */
import * as fc from "fast-check";
import * as g from "@emosllm/graph";
import { type Dim, type Tensor, dimEvaluate } from "@emosllm/graph";
import { expect, test } from "vitest";
import { type HostTensor, evaluate, f32, i64 } from "../src/index.ts";
import { type Value, evaluateReference, rules } from "./reference.ts";
import { TFJS } from "./tfjs-devices.ts";

/** The same 120 graphs each time, so that the list of ops reached holds; EMOSLLM_FULL=1 looks at 3000 new ones. */
const RUN = process.env["EMOSLLM_FULL"] ? { numRuns: 3000 } : { numRuns: 120, seed: 7 };
const STEP = 1e-5; // in float64: central differences are right to about 1e-10
/** f32 through up to nine ops, values within about 10: relative to the largest value of the tensor. */
const TOLERANCE = 5e-5;
/** Both executors compute in f32; they sum in other orders, and tfjs's `erf` is a polynomial right to 1.5e-7. */
const BETWEEN_EXECUTORS = 1e-5;

/** One step: an op, which earlier tensors it takes, and a number that decides the rest. */
interface Step {
  readonly op: keyof typeof rules;
  readonly a: number;
  readonly b: number;
  readonly n: number;
}
const OPS = Object.keys(rules) as (keyof typeof rules)[];
const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom(...OPS),
  a: fc.nat(99),
  b: fc.nat(99),
  n: fc.nat(99),
});
const size: fc.Arbitrary<Dim> = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom<Dim>("rows", "tokens"));
const graph = fc.record({
  shapes: fc.array(fc.array(size, { maxLength: 3 }), { minLength: 1, maxLength: 3 }),
  rows: fc.integer({ min: 1, max: 4 }),
  tokens: fc.integer({ min: 1, max: 4 }),
  steps: fc.array(step, { minLength: 1, maxLength: 7 }),
  named: fc.boolean(),
  seed: fc.nat(),
});

/** Applies a step; undefined where its op does not take these tensors. */
function apply({ op, a, b, n }: Step, pool: readonly Tensor[], fresh: (shape: g.Shape) => Tensor): Tensor | undefined {
  const x = pool[a % pool.length]!;
  const y = pool[b % pool.length]!;
  const rank = x.shape.length;
  const axis = rank === 0 ? 0 : n % rank;
  const last = x.shape.at(-1)!;
  const whole = (at: number): number | undefined =>
    typeof x.shape[at] === "number" ? (x.shape[at] as number) : undefined;
  const bounded = g.tanh(x);
  const indices = (below: number): Tensor =>
    g.constant(BigInt64Array.from([n, a, b, n + a].map((v) => BigInt(v % below))), n % 2 ? [4] : [2, 2]);
  const rows = typeof x.shape[0] === "number" ? x.shape[0] : 0;
  const make: { readonly [K in Step["op"]]: () => Tensor | undefined } = {
    neg: () => g.neg(x),
    abs: () => g.abs(x),
    exp: () => g.exp(bounded),
    tanh: () => bounded,
    sin: () => g.sin(x),
    cos: () => g.cos(x),
    sigmoid: () => g.sigmoid(x),
    erf: () => g.erf(bounded),
    relu: () => g.relu(x),
    silu: () => g.silu(x),
    gelu: () => g.gelu(bounded),
    add: () => g.add(x, y),
    sub: () => g.sub(x, y),
    mul: () => g.mul(x, g.tanh(y)),
    div: () => g.div(x, g.add(g.mul(y, y), 1)),
    maximum: () => g.maximum(x, y),
    minimum: () => g.minimum(x, y),
    greater: () => g.where(g.greater(x, y), y, g.mul(x, 0.5)),
    where: () => g.where(g.greater(x, 0.1), y, x),
    reshape: () => g.reshape(x, n % 2 ? [-1] : [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)]),
    transpose: () =>
      rank < 2
        ? undefined
        : g.transpose(
            x,
            [...x.shape.keys()].map((i) => (i + 1 + (n % (rank - 1))) % rank),
          ),
    expand: () => g.expand(x, [2, ...x.shape]),
    slice: () => {
      const length = whole(axis);
      return length === undefined || length < 2 ? undefined : g.slice(x, axis, n % 2, length, 1 + (n % 3));
    },
    concat: () => (rank === 0 ? undefined : g.concat([x, g.neg(x), y.shape.join() === x.shape.join() ? y : x], axis)),
    pad: () => (rank === 0 ? undefined : g.pad(x, axis, n % 3, n % 2, 0.5)),
    gather: () => {
      const length = rank === 0 ? undefined : whole(axis);
      return length === undefined ? undefined : g.gather(x, indices(length), axis);
    },
    sum: () => (rank === 0 ? undefined : g.sum(x, axis, { keepDims: n % 2 === 0 })),
    mean: () => (rank === 0 ? undefined : g.mean(x, n % 3 ? axis : undefined, { keepDims: n % 2 === 0 })),
    max: () => (rank === 0 ? undefined : g.max(x, axis, { keepDims: n % 2 === 0 })),
    cumSum: () => (rank === 0 ? undefined : g.cumSum(x, axis, { reverse: n % 2 === 0 })),
    matmul: () => {
      if (rank < 2) return undefined;
      const other = fresh(n % 2 ? [3, last] : [last, 3]);
      return n % 3 === 0
        ? g.matmul(x, bounded, { transB: true, alpha: 0.5 })
        : n % 3 === 1
          ? g.matmul(x, other, { transB: n % 2 === 1 })
          : g.matmul(bounded, x, { transA: true });
    },
    softmax: () => (rank === 0 ? undefined : g.softmax(x, axis)),
    logSoftmax: () => (rank === 0 ? undefined : g.logSoftmax(x, axis)),
    softmaxCrossEntropy: () => {
      if (rank !== 2 || typeof last !== "number" || rows === 0) return undefined;
      const targets = Array.from({ length: rows }, (_, i) => BigInt((n + i) % 3 === 0 ? -100 : (a + i) % last));
      return g.softmaxCrossEntropy(x, g.constant(BigInt64Array.from(targets)));
    },
    layerNorm: () => (rank === 0 ? undefined : g.layerNorm(x, fresh([last]), fresh([last]), { epsilon: 0.1 })),
    rmsNorm: () => (rank === 0 ? undefined : g.rmsNorm(x, fresh([last]), { epsilon: 0.1 })),
  };
  try {
    const made = make[op]();
    return made && made.dtype === "f32" && made.shape.length <= 5 ? made : undefined;
  } catch (e) {
    // Shapes that do not go together are refused, as they should be.
    if (e instanceof RangeError) return undefined;
    throw e;
  }
}

const values = (seed: number, shape: readonly number[]): Value => {
  let state = (seed * 2654435761 + 1) >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround((state / 2 ** 32) * 3 - 1.5);
  };
  return { shape, data: Array.from({ length: shape.reduce((p, d) => p * d, 1) }, next) };
};

const largest = (v: readonly number[]): number => Math.max(1, ...v.map(Math.abs));
function expectClose(got: HostTensor, want: Value, what: string, tolerance = TOLERANCE): void {
  expect(got.shape, what).toEqual(want.shape);
  const scale = largest(want.data);
  want.data.forEach((w, i) => {
    const error = Math.abs(Number(got.data[i]) - w) / scale;
    if (!(error <= tolerance)) throw new Error(`${what}[${i}] is ${got.data[i]}, not ${w}`);
  });
}

test("generated graphs: values and gradients", { timeout: 600_000 }, async () => {
  const covered = new Set<string>();
  await fc.assert(
    fc.asyncProperty(graph, async ({ shapes, rows, tokens, steps, named, seed }) => {
      const names = { rows, tokens };
      const own = (shape: g.Shape): g.Shape => (named ? shape : shape.map((d) => dimEvaluate(d, names)));
      const inputs: Tensor[] = [];
      const fresh = (shape: g.Shape): Tensor => {
        const t = g.input(`x${inputs.length}`, shape);
        inputs.push(t);
        return t;
      };
      const pool = shapes.map((shape) => fresh(own(shape)));
      for (const s of steps) {
        const made = apply(s, pool, fresh);
        if (made && g.dimProduct(made.shape) !== 0) pool.push(made);
      }
      const y = pool.at(-1)!;
      const dy = g.input("dy", y.shape);
      const loss = g.sum(g.mul(y, dy));
      const used = new Set(g.topologicalOrder([loss]));
      // A named size is known from the inputs that have it.
      const trained = inputs.filter((t) => used.has(t));
      for (const t of used) covered.add(t.op);

      const shapeOf = (t: Tensor): number[] => t.shape.map((d) => dimEvaluate(d, names));
      const fed: Record<string, Value> = { dy: values(seed, shapeOf(y)) };
      trained.forEach((t, i) => (fed[(t.attrs as { name: string }).name] = values(seed + i + 1, shapeOf(t))));
      const gradients = g.gradients(loss, trained);
      const outputs = { y, ...Object.fromEntries(gradients.map((d, i) => [`d${i}`, d])) } as Record<string, Tensor>;
      const feeds = Object.fromEntries(Object.entries(fed).map(([k, v]) => [k, f32(v.data, v.shape)]));
      const results = await evaluate(outputs, feeds, { threads: 1 });

      const description = g.print({ y });
      for (const device of TFJS) {
        const there = await evaluate(outputs, feeds, { device });
        for (const [name, { shape, data }] of Object.entries(results))
          expectClose(
            there[name]!,
            { shape, data: Array.from(data as Float32Array) },
            `${name} on ${device} of\n${description}\n`,
            BETWEEN_EXECUTORS,
          );
      }
      expectClose(results["y"]!, evaluateReference(y, fed, names), `y of\n${description}\n`);
      trained.forEach((t, i) => {
        const name = (t.attrs as { name: string }).name;
        const moved = (at: number, by: number): number => {
          const data = fed[name]!.data.map((v, j) => (j === at ? v + by : v));
          return evaluateReference(loss, { ...fed, [name]: { ...fed[name]!, data } }, names).data[0]!;
        };
        const data = fed[name]!.data.map((_, at) => (moved(at, STEP) - moved(at, -STEP)) / (2 * STEP));
        expectClose(results[`d${i}`]!, { shape: fed[name]!.shape, data }, `d/d${name} of\n${description}\n`);
      });
    }),
    RUN,
  );
  // What was never reached was never tested.
  const missed = OPS.filter((op) => !covered.has(op));
  expect(missed).toEqual([]);
});

test("a dimension computed when a program runs has the value of the dimension", async () => {
  const term = fc.oneof(fc.nat(9), fc.constantFrom<Dim>("a", "b"));
  const expression = fc.letrec<{ dim: Dim }>((tie) => ({
    dim: fc.oneof(
      { maxDepth: 3 },
      term,
      fc.tuple(tie("dim"), tie("dim")).map(([p, q]) => g.dimAdd(p, q)),
      fc.tuple(tie("dim"), tie("dim")).map(([p, q]) => g.dimSubtract(p, q)),
      fc.tuple(tie("dim"), term).map(([p, q]) => g.dimMultiply(p, q)),
      fc.tuple(tie("dim"), fc.integer({ min: 1, max: 5 })).map(([p, n]) => g.dimFloorDivide(p, n)),
    ),
  })).dim;
  await fc.assert(
    fc.asyncProperty(
      fc.array(expression, { minLength: 10, maxLength: 30 }),
      fc.nat(9),
      fc.nat(9),
      async (dims, a, b) => {
        const outputs: Record<string, Tensor> = { a: g.input("x", ["a"], "i64"), b: g.input("y", ["b"], "i64") };
        dims.forEach((d, i) => (outputs[`d${i}`] = g.size(d)));
        const zeros = (n: number): HostTensor => i64(new Float64Array(n));
        const results = await evaluate(outputs, { x: zeros(a), y: zeros(b) }, { threads: 1 });
        dims.forEach((d, i) => {
          expect(Number(results[`d${i}`]?.data[0]), String(d)).toBe(dimEvaluate(d, { a, b }) + 0);
        });
      },
    ),
    { numRuns: 30 },
  );
});
