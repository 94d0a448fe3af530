/** @file Lowers a graph to the bytes of one ONNX model: equal parts once, frozen weights as byte ranges of their files. */
import { type DType, type OpName, type Shape, type Tensor, describeType, isOp, topologicalOrder } from "@emosllm/graph";
import { type ModelBuilder, modelBuilder } from "./onnx/builder.ts";
import { type Lowering, type LoweredOp, type LoweringTable, lowerings } from "./onnx/lowerings.ts";
import { type Initializer, type Node, type ValueInfo, encodeModel } from "./onnx/model.ts";
import { type FileRanges, type WeightSource, checkWeight } from "./weight-source.ts";

/** What a program is fed or gives. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A graph as an ONNX model. */
export interface LoweredModel {
  readonly bytes: Uint8Array;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** The folder that external locations are relative to. */
  readonly externalFolder: string;
  /** Whether kernels may copy constant weights into a layout of their own: `MatMulNBits` is a hundred times slower without. */
  readonly prepack: boolean;
  /** Whether it multiplies u8 x i8. */
  readonly signedInt8: boolean;
  readonly nodes: readonly Node[];
}

/** Lowers everything that `outputs` need. Throws RangeError for clashing inputs, EmosllmError for a weight that is missing or does not fit. */
export function lower(
  outputs: Readonly<Record<string, Tensor>>,
  weights: (name: string) => WeightSource | undefined,
  files: FileRanges,
  table: LoweringTable = lowerings,
): LoweredModel {
  const order = topologicalOrder(Object.values(outputs));
  const inputs = collectInputs(order);
  const builder = modelBuilder([...inputs.values()].map((tensor) => ({ value: inputValue(tensor), tensor })));

  const values = new Map<Tensor, string>();
  const byKey = new Map<string, string>();
  const made = new Map<string, ValueInfo>();
  for (const t of order) {
    const x = t.inputs.map((i) => values.get(i) as string);
    const key = structuralKey(t, x);
    let value = byKey.get(key);
    if (value === undefined) {
      value = isOp(t, "input")
        ? inputValue(t)
        : isOp(t, "weight")
          ? weightValue(builder, t, weights(t.attrs.name), files)
          : isOp(t, "constant")
            ? constantValue(builder, t)
            : (table[t.op as LoweredOp] as Lowering<OpName>)(builder, t, x);
      byKey.set(key, value);
      if (WHOLE.has(t.dtype) && !made.has(value)) made.set(value, { name: value, dtype: t.dtype, shape: t.shape });
    }
    values.set(t, value);
  }

  const outputInfo = Object.entries(outputs).map(([name, t]): ValueInfo => ({
    name: `out:${name}`,
    dtype: t.dtype,
    shape: t.shape,
  }));
  nameOutputs(
    builder.nodes,
    Object.entries(outputs).map(([name, t]) => [`out:${name}`, values.get(t) as string]),
  );
  const prepack = builder.nodes.some(byIntegers);
  const inner = builder.nodes.flatMap((n) => n.outputs.flatMap((v) => made.get(v) ?? []));
  const read = new Set(builder.nodes.flatMap((n) => n.inputs));
  // A transposed packing is only read by gradients: programs without need not open it.
  const initializers = builder.initializers.filter((i) => read.has(i.name));
  const bytes = encodeModel({
    nodes: builder.nodes,
    initializers,
    inputs: [...inputs.values()].map((t) => ({ name: inputValue(t), dtype: t.dtype, shape: t.shape })),
    overridable: prepack ? keptMapped(builder.nodes, initializers) : [],
    outputs: outputInfo,
    inner,
  });
  return {
    bytes,
    externalFolder: files.folder,
    prepack,
    signedInt8: builder.nodes.some(isSigned),
    nodes: builder.nodes,
    inputs: [...inputs].map(([name, t]) => ({ name, dtype: t.dtype, shape: t.shape })),
    outputs: Object.entries(outputs).map(([name, t]) => ({ name, dtype: t.dtype, shape: t.shape })),
  };
}

/** A value that a node makes takes the output's name; only one that is an input, a weight or an output already is copied. */
function nameOutputs(nodes: Node[], outputs: readonly (readonly [name: string, value: string])[]): void {
  const made = new Set(nodes.flatMap((n) => n.outputs));
  const renamed = new Map<string, string>();
  const copies: Node[] = [];
  for (const [name, value] of outputs) {
    if (made.has(value) && !renamed.has(value)) renamed.set(value, name);
    else
      copies.push({
        opType: "Identity",
        domain: "",
        inputs: [renamed.get(value) ?? value],
        outputs: [name],
        attributes: {},
      });
  }
  const now = (v: string): string => renamed.get(v) ?? v;
  nodes.forEach((n, i) => {
    nodes[i] = { ...n, inputs: n.inputs.map(now), outputs: n.outputs.map(now) };
  });
  nodes.push(...copies);
}

const isInt8 = (n: Node): boolean => n.opType === "DynamicQuantizeMatMul";
/** What has a zero point is unsigned. */
const isSigned = (n: Node): boolean => isInt8(n) && n.inputs.length === 3;
const byIntegers = (n: Node): boolean => n.opType === "MatMulNBits" || isInt8(n);

/** The f32 weights that would get a second copy in memory where prepacking is on, unless the model declares that they might be fed. */
function keptMapped(nodes: readonly Node[], initializers: readonly Initializer[]): ValueInfo[] {
  const packed = new Set(nodes.filter(byIntegers).flatMap((n) => n.inputs));
  return initializers.flatMap(({ name, dtype, shape, data }) =>
    dtype === "f32" && !(data instanceof Uint8Array) && !packed.has(name) ? [{ name, dtype, shape }] : [],
  );
}

/** Types whose shapes between are told: see `OnnxModel.inner`. */
const WHOLE: ReadonlySet<DType> = new Set(["i64", "i32", "bool"]);

const inputValue = (t: Tensor): string => `in:${(t.attrs as { name: string }).name}`;

export function collectInputs(order: readonly Tensor[]): Map<string, Tensor> {
  const inputs = new Map<string, Tensor>();
  for (const t of order) {
    if (!isOp(t, "input")) continue;
    const before = inputs.get(t.attrs.name);
    if (before && describeType(before) !== describeType(t))
      throw new RangeError(`Two inputs are named '${t.attrs.name}': ${describeType(before)} and ${describeType(t)}`);
    inputs.set(t.attrs.name, t as unknown as Tensor);
  }
  return inputs;
}

let constants = 0;
const constantIds = new WeakMap<object, number>();

/** Equal keys compute equal values. Large constants count as equal only when they are the same array. */
export function structuralKey(t: Tensor, x: readonly string[]): string {
  const attrs = Object.entries(t.attrs).map(([k, v]) => `${k}=${ArrayBuffer.isView(v) ? dataKey(v) : String(v)}`);
  return `${t.op} ${x.join(" ")} ${attrs.join(" ")} ${t.dtype}[${t.shape.join(",")}]`;
}

function dataKey(v: ArrayBufferView): string {
  if (v.byteLength <= 64)
    return Array.from(v as unknown as ArrayLike<number | bigint>, (n) => (Object.is(n, -0) ? "-0" : String(n))).join(
      ",",
    );
  let id = constantIds.get(v);
  if (id === undefined) constantIds.set(v, (id = constants++));
  return `#${id}`;
}

function constantValue(b: ModelBuilder, t: Tensor<"constant">): string {
  const name = `c${b.initializers.length}`;
  const { data } = t.attrs;
  b.initializers.push({
    name,
    dtype: t.dtype,
    shape: t.shape as number[],
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
  return name;
}

function weightValue(b: ModelBuilder, t: Tensor<"weight">, given: WeightSource | undefined, files: FileRanges): string {
  const { source, shape } = checkWeight(t, given);
  const data =
    "data" in source
      ? new Uint8Array(source.data.buffer, source.data.byteOffset, source.data.byteLength)
      : files.range(t.attrs.name, source);
  const value = `w:${t.attrs.name}`;
  b.initializers.push({ name: value, dtype: t.dtype, shape, data });
  return value;
}
