/** @file Collects the nodes of one ONNX model while a graph is lowered: names, small constants, and dimensions as run-time numbers. */
import { type Dim, type DType, type Shape, type Tensor, dimTerms } from "@emosllm/graph";
import { toHalf } from "../half.ts";
import type { Attribute, Initializer, Node } from "./model.ts";

/** What a lowering may use. Values are named by strings. */
export interface Builder {
  /** Adds a node and returns the names of its outputs. */
  node(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    outputs?: number,
  ): string[];
  /** The same for the com.microsoft domain. */
  contrib(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    outputs?: number,
  ): string[];
  /** A small i64 constant `[n]`. */
  ints(values: readonly number[]): string;
  /** A scalar constant. */
  scalar(value: number, dtype: DType): string;
  /** A dimension as i64 `[1]`. */
  dim(d: Dim): string;
  /** A shape as i64 `[rank]`. */
  shape(s: Shape): string;
  /** Nodes that several tensors share: built once by key. */
  shared(key: string, build: () => string[]): string[];
}

/** See {@link Builder}; `nodes` and `initializers` grow as it is used. */
export interface ModelBuilder extends Builder {
  readonly nodes: Node[];
  readonly initializers: Initializer[];
}

const bytesOf = (a: ArrayBufferView): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

function scalarBytes(value: number, dtype: DType): Uint8Array {
  if (dtype === "i64") return bytesOf(BigInt64Array.of(BigInt(value)));
  if (dtype === "i32") return bytesOf(Int32Array.of(value));
  if (dtype === "f32") return bytesOf(Float32Array.of(value));
  if (dtype === "f16") return bytesOf(Uint16Array.of(toHalf(value)));
  if (dtype === "bf16") throw new RangeError("internal: no scalar constants of type bf16");
  return bytesOf(dtype === "i8" ? Int8Array.of(value) : Uint8Array.of(value));
}

/** `inputs`: the graph's fed tensors, whose shapes give the named dimensions their values. */
export function modelBuilder(inputs: readonly { readonly value: string; readonly tensor: Tensor }[]): ModelBuilder {
  const nodes: Node[] = [];
  const initializers: Initializer[] = [];
  const memo = new Map<string, string[]>();
  const once = (key: string, build: () => string[]): string[] => {
    const known = memo.get(key);
    if (known) return known;
    const made = build();
    memo.set(key, made);
    return made;
  };
  const add = (
    domain: string,
    opType: string,
    ins: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    count: number,
  ): string[] => {
    const outputs = Array.from({ length: count }, (_, i) => `${opType}_${nodes.length}${count > 1 ? `_${i}` : ""}`);
    nodes.push({ opType, domain, inputs: ins, outputs, attributes });
    return outputs;
  };
  const constant = (key: string, dtype: DType, shape: readonly number[], data: Uint8Array): string =>
    once(`constant ${dtype} ${key}`, () => {
      const name = `c${initializers.length}`;
      initializers.push({ name, dtype, shape, data });
      return [name];
    })[0] as string;

  const self: ModelBuilder = {
    nodes,
    initializers,
    node: (opType, ins, attributes = {}, outputs = 1) => add("", opType, ins, attributes, outputs),
    contrib: (opType, ins, attributes = {}, outputs = 1) => add("com.microsoft", opType, ins, attributes, outputs),
    ints: (values) =>
      constant(`[${values.join(",")}]`, "i64", [values.length], bytesOf(BigInt64Array.from(values, (v) => BigInt(v)))),
    scalar: (value, dtype) =>
      constant(String(Object.is(value, -0) ? "-0" : value), dtype, [], scalarBytes(value, dtype)),
    dim: (d) => (typeof d === "number" ? self.ints([d]) : (once(`dim ${d}`, () => [dimension(d)])[0] as string)),
    shape: (s) =>
      s.every((d) => typeof d === "number")
        ? self.ints(s as number[])
        : (once(`shape ${s.join(",")}`, () => self.node("Concat", s.map(self.dim), { axis: 0 }))[0] as string),
    shared: once,
  };

  function dimension(d: string): string {
    const terms = dimTerms(d).map(({ coefficient, atoms }) => {
      const factors = atoms.map((a) =>
        typeof a === "string" ? named(a) : (self.node("Div", [self.dim(a.floor), self.ints([a.divisor])])[0] as string),
      );
      if (coefficient !== 1 || factors.length === 0) factors.push(self.ints([coefficient]));
      return factors.reduce((p, q) => self.node("Mul", [p, q])[0] as string);
    });
    return terms.reduce((p, q) => self.node("Add", [p, q])[0] as string);
  }

  function named(name: string): string {
    return once(`name ${name}`, () => {
      for (const { value, tensor } of inputs) {
        const axis = tensor.shape.indexOf(name);
        if (axis >= 0) return self.node("Shape", [value], { start: axis, end: axis + 1 });
      }
      throw new RangeError(
        `No input has the dimension '${name}' as one of its own, so its size is unknown when the program runs.`,
      );
    })[0] as string;
  }
  return self;
}
