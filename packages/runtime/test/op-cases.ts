/** @file The cases that tools/oracle/ops.py made, and how each op is built from one: tables typed by the op union, so that an op without a builder does not compile. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadSafetensors } from "@emosllm/checkpoints";
import * as g from "@emosllm/graph";
import type { DType, Dim, OpAttributes, OpName, Tensor } from "@emosllm/graph";
import { type HostTensor, hostTensor } from "../src/index.ts";

/** One case; dimensions may be text over `names`. */
export interface OpCase {
  readonly op: OpName;
  readonly note: string;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly inputs: readonly { readonly dtype: DType; readonly dims: readonly Dim[] }[];
  readonly names: Readonly<Record<string, number>>;
  /** Inputs that have a gradient. */
  readonly grads: readonly number[];
  readonly output: { readonly dtype: DType; readonly shape: readonly number[] };
}

const folder = new URL("fixtures/", import.meta.url);
const opCases: readonly OpCase[] = JSON.parse(readFileSync(new URL("ops.json", folder), "utf8")) as OpCase[];
const stored = await loadSafetensors(fileURLToPath(new URL("ops.safetensors", folder)));

/** A tensor of the fixture, e.g. `add.3.x0`. */
export function fixture(name: string): HostTensor {
  const t = stored.get(name);
  if (!t) throw new Error(`no tensor ${name} in the fixture`);
  return hostTensor(t.dtype as DType, t.shape, t.data as Float32Array);
}

/** Attributes that are dimensions: text in them is an expression over the case's names. */
const DIMENSIONS: ReadonlySet<string> = new Set([
  "shape",
  "size",
  "dim",
  "start",
  "end",
  "before",
  "after",
  "outputPadding",
]);

/** The case with its numbers in place of the names. */
export function withoutNames(c: OpCase): OpCase {
  const number = (d: unknown): unknown => (typeof d === "string" ? g.dimEvaluate(d, c.names) : d);
  const attrs = Object.entries(c.attrs).map(([k, v]) => [
    k,
    DIMENSIONS.has(k) ? (Array.isArray(v) ? v.map(number) : number(v)) : v,
  ]);
  return {
    ...c,
    attrs: Object.fromEntries(attrs) as OpCase["attrs"],
    inputs: c.inputs.map((i) => ({ ...i, dims: i.dims.map((d) => number(d) as number) })),
  };
}

type Build<K extends OpName> = (
  x: readonly Tensor[],
  a: OpAttributes[K] & { readonly twice?: boolean },
  key: string,
) => Tensor;
const one =
  (f: (x: Tensor) => Tensor): Build<OpName> =>
  ([x]) =>
    f(x!);
const two =
  (f: (a: Tensor, b: Tensor) => Tensor): Build<OpName> =>
  ([a, b]) =>
    f(a!, b!);

const frozen = (name: string): Tensor => {
  const { shape, dtype } = fixture(name);
  return g.weight(name, shape, dtype);
};

/** Through the public builders; ops that only gradients use through `apply`. */
const buildOp: { readonly [K in OpName]: Build<K> } = {
  input: ([x]) => x!,
  weight: ([x], _, key) => g.weight(`${key}.x0`, x!.shape, x!.dtype),
  constant: ([x], _, key) => g.constant(fixture(`${key}.x0`).data as Float32Array, x!.shape, x!.dtype),
  range: (_, a) => g.range(a.size),
  size: (_, a) => g.size(a.dim),
  neg: one(g.neg),
  abs: one(g.abs),
  exp: one(g.exp),
  log: one(g.log),
  sqrt: one(g.sqrt),
  reciprocal: one(g.reciprocal),
  tanh: one(g.tanh),
  sigmoid: one(g.sigmoid),
  erf: one(g.erf),
  sin: one(g.sin),
  cos: one(g.cos),
  floor: one(g.floor),
  sign: one(g.sign),
  relu: one(g.relu),
  silu: one(g.silu),
  gelu: ([x], a) => g.gelu(x!, a),
  not: one(g.not),
  cast: ([x], a) => g.cast(x!, a.to),
  add: two(g.add),
  sub: two(g.sub),
  mul: two(g.mul),
  div: two(g.div),
  pow: two(g.pow),
  maximum: two(g.maximum),
  minimum: two(g.minimum),
  equal: two(g.equal),
  less: two(g.less),
  lessEqual: two(g.lessEqual),
  greater: two(g.greater),
  greaterEqual: two(g.greaterEqual),
  and: two(g.and),
  or: two(g.or),
  where: ([c, a, b]) => g.where(c!, a!, b!),
  reshape: ([x], a) => g.reshape(x!, a.shape),
  transpose: ([x], a) => g.transpose(x!, a.perm),
  expand: ([x], a) => g.expand(x!, a.shape),
  slice: ([x], a) => g.slice(x!, a.axis, a.start, a.end, a.step),
  concat: (x, a) => g.concat(a.twice ? [...x, ...x] : x, a.axis),
  pad: ([x], a) => g.pad(x!, a.axis, a.before, a.after, a.value),
  gather: ([x, i], a) => g.gather(x!, i!, a.axis),
  scatterAdd: ([u, i], a) => g.scatterAdd(u!, i!, a.axis, a.size),
  checkpoint: ([x], a) => g.checkpoint(x!, a),
  after: ([x, ...others]) => g.after(x!, ...others),
  takeRows: ([x, i, inverse]) => g.takeRows(x!, i!, inverse!),
  gatherElements: ([x, i], a) => g.gatherElements(x!, i!, a.axis),
  scatterElementsAdd: ([u, i], a) => g.scatterElementsAdd(u!, i!, a.axis, a.size),
  sum: ([x], a) => g.sum(x!, a.axes, a),
  mean: ([x], a) => g.mean(x!, a.axes, a),
  max: ([x], a) => g.max(x!, a.axes, a),
  argMax: ([x], a) => g.argMax(x!, a.axis, a),
  cumSum: ([x], a) => g.cumSum(x!, a.axis, a),
  matmul: ([a, b], o) => g.matmul(a!, b!, o),
  matMulNBits: ([x, ...blocks], a, key) => {
    const [data, scales, turnedData, turnedScales] = blocks.map((_, i) => frozen(`${key}.x${i + 1}`));
    const transposed = turnedData && turnedScales ? { data: turnedData, scales: turnedScales } : undefined;
    return g.matMulNBits(x!, { ...a, data: data!, scales: scales!, transposed });
  },
  matMulInt8: ([x, ...rest], a, key) => {
    const [data, scales, turnedData, turnedScales] = rest.map((_, i) => frozen(`${key}.x${i + 1}`));
    const transposed = turnedData && turnedScales ? { data: turnedData, scales: turnedScales } : undefined;
    return g.matMulInt8(x!, { ...a, data: data!, scales: scales!, transposed });
  },
  dequantizeNBits: (_, a, key) => g.dequantizeNBits({ ...a, data: frozen(`${key}.x0`), scales: frozen(`${key}.x1`) }),
  conv1d: ([x, w], a) => g.conv1d(x!, w!, a),
  convTranspose1d: ([x, w], a) => g.convTranspose1d(x!, w!, a),
  softmax: ([x], a) => g.softmax(x!, a.axis),
  softmaxGrad: (x, a) => g.apply("softmaxGrad", x, { axis: a.axis < 0 ? a.axis + x[0]!.shape.length : a.axis }),
  logSoftmax: ([x], a) => g.logSoftmax(x!, a.axis),
  softmaxCrossEntropy: ([x, t], a) => g.softmaxCrossEntropy(x!, t!, a),
  softmaxCrossEntropyGrad: (x, a) => g.apply("softmaxCrossEntropyGrad", x, a),
  layerNorm: ([x, w, b], a) => g.layerNorm(x!, w!, b!, a),
  layerNormStatistic: (x, a) => g.apply("layerNormStatistic", x, a),
  rmsNorm: ([x, w], a) => g.rmsNorm(x!, w!, a),
  rmsNormInvRms: (x, a) => g.apply("rmsNormInvRms", x, a),
  rotary: ([x, c, s], a) => g.rotary(x!, c!, s!, a),
};

/** The graph of a case over inputs `x0`, `x1`, ...; `key` names its tensors in the fixture. */
export function buildCase(c: OpCase, key: string): { readonly x: readonly Tensor[]; readonly y: Tensor } {
  const x = c.inputs.map((spec, i) => g.input(`x${i}`, spec.dims, spec.dtype));
  const build = buildOp[c.op] as (x: readonly Tensor[], a: unknown, key: string) => Tensor;
  return { x, y: build(x, c.attrs, key) };
}

/** Every op, with its cases and their names in the fixture. */
export const casesByOp: ReadonlyMap<OpName, readonly (readonly [OpCase, string])[]> = (() => {
  const byOp = new Map(Object.keys(buildOp).map((op) => [op as OpName, [] as [OpCase, string][]]));
  for (const c of opCases) {
    const list = byOp.get(c.op);
    if (!list) throw new Error(`the fixture has cases of '${c.op}', which is no op`);
    list.push([c, `${c.op}.${list.length}`]);
  }
  return byOp;
})();
