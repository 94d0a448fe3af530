/** @file Lowers a graph to the bytes of one ONNX model: equal parts once, frozen weights as byte ranges of their files. */
import { realpathSync, statSync } from "node:fs";
import { parse as parsePath, relative } from "node:path";
import {
  type DType,
  type OpName,
  type Shape,
  type Tensor,
  describeType,
  dimEvaluate,
  isOp,
  topologicalOrder,
} from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { type ModelBuilder, modelBuilder } from "./onnx/builder.ts";
import { type Lowering, type LoweredOp, lowerings } from "./onnx/lowerings.ts";
import { type Initializer, type Node, type ValueInfo, encodeModel } from "./onnx/model.ts";

/** Where the bytes of a frozen weight are: a range of a file (stays memory-mapped), or memory (is copied). Little-endian, row-major. */
export type WeightSource = {
  /** An element type by the name the graph has for it. */
  readonly dtype: string;
  readonly shape: readonly number[];
} & ({ readonly file: string; readonly offset: number; readonly length: number } | { readonly data: ArrayBufferView });

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
  /** The folder that external locations are relative to (the file system's root). */
  readonly externalFolder: string;
  readonly nodes: readonly Node[];
}

/** Lowers everything that `outputs` need. Throws RangeError for clashing inputs, EmosllmError for a weight that is missing or does not fit. */
export function lower(
  outputs: Readonly<Record<string, Tensor>>,
  weights: (name: string) => WeightSource | undefined,
): LoweredModel {
  const order = topologicalOrder(Object.values(outputs));
  const inputs = collectInputs(order);
  const builder = modelBuilder([...inputs.values()].map((tensor) => ({ value: inputValue(tensor), tensor })));
  const files = new Map<string, MappedFile>();
  const externalFolder = parsePath(process.cwd()).root;

  const values = new Map<Tensor, string>();
  const byKey = new Map<string, string>();
  for (const t of order) {
    const x = t.inputs.map((i) => values.get(i) as string);
    const key = structuralKey(t, x);
    let value = byKey.get(key);
    if (value === undefined) {
      value = isOp(t, "input")
        ? inputValue(t)
        : isOp(t, "weight")
          ? weightValue(builder, t, weights(t.attrs.name), files, externalFolder)
          : isOp(t, "constant")
            ? constantValue(builder, t)
            : (lowerings[t.op as LoweredOp] as Lowering<OpName>)(builder, t, x);
      byKey.set(key, value);
    }
    values.set(t, value);
  }

  const outputInfo: ValueInfo[] = [];
  for (const [name, t] of Object.entries(outputs)) {
    builder.nodes.push({
      opType: "Identity",
      domain: "",
      inputs: [values.get(t) as string],
      outputs: [`out:${name}`],
      attributes: {},
    });
    outputInfo.push({ name: `out:${name}`, dtype: t.dtype, shape: t.shape });
  }
  const bytes = encodeModel({
    nodes: builder.nodes,
    initializers: builder.initializers,
    inputs: [...inputs.values()].map((t) => ({ name: inputValue(t), dtype: t.dtype, shape: t.shape })),
    outputs: outputInfo,
  });
  return {
    bytes,
    externalFolder,
    nodes: builder.nodes,
    inputs: [...inputs].map(([name, t]) => ({ name, dtype: t.dtype, shape: t.shape })),
    outputs: Object.entries(outputs).map(([name, t]) => ({ name, dtype: t.dtype, shape: t.shape })),
  };
}

const inputValue = (t: Tensor): string => `in:${(t.attrs as { name: string }).name}`;

function collectInputs(order: readonly Tensor[]): Map<string, Tensor> {
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
function structuralKey(t: Tensor, x: readonly string[]): string {
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

interface MappedFile {
  /** Relative to the external folder. */
  readonly location: string;
  readonly size: number;
}

/**
 * Real path from the root: a Hugging Face snapshot is a folder of symlinks, which onnxruntime refuses to follow out of its
 * folder. The size is checked because a mapped file that is too short kills the process when it is read.
 */
function mappedFile(weight: string, file: string, files: Map<string, MappedFile>, root: string): MappedFile {
  const known = files.get(file);
  if (known) return known;
  try {
    const real = realpathSync(file);
    const mapped = { location: relative(root, real), size: statSync(real).size };
    files.set(file, mapped);
    return mapped;
  } catch (cause) {
    throw new EmosllmError("checkpoint_not_found", `The file of the weight '${weight}' cannot be opened: ${file}`, {
      cause,
    });
  }
}

const BYTES: Readonly<Record<DType, number>> = { f32: 4, f16: 2, bf16: 2, i64: 8, i32: 4, i8: 1, u8: 1, bool: 1 };

function weightValue(
  b: ModelBuilder,
  t: Tensor<"weight">,
  source: WeightSource | undefined,
  files: Map<string, MappedFile>,
  root: string,
): string {
  const { name } = t.attrs;
  if (!source)
    throw new EmosllmError("checkpoint_invalid", `The weight '${name}' ${describeType(t)} is not in the checkpoint.`);
  // A tensor source of @emosllm/checkpoints may say that its elements are not simply in a row.
  const { strides, compressed } = source as { readonly strides?: unknown; readonly compressed?: unknown };
  if (strides !== undefined || compressed !== undefined)
    throw new EmosllmError(
      "checkpoint_invalid",
      `The weight '${name}' is ${compressed === undefined ? "not stored row by row" : "compressed"}, so it cannot be mapped; read it into memory first.`,
    );
  const shape = t.shape.map((d) => dimEvaluate(d, {}));
  if (source.dtype !== t.dtype || source.shape.join() !== shape.join())
    throw new EmosllmError(
      "checkpoint_invalid",
      `The weight '${name}' is ${source.dtype}[${source.shape.join(",")}] in the checkpoint, but the model needs ${describeType(t)}.`,
    );
  const expected = shape.reduce((p, d) => p * d, 1) * BYTES[t.dtype];
  const length = "data" in source ? source.data.byteLength : source.length;
  if (length !== expected)
    throw new EmosllmError(
      "checkpoint_invalid",
      `The weight '${name}' has ${length} bytes; ${describeType(t)} takes ${expected}.`,
    );
  let data: Initializer["data"];
  if ("data" in source) {
    data = new Uint8Array(source.data.buffer, source.data.byteOffset, source.data.byteLength);
  } else {
    const { location, size } = mappedFile(name, source.file, files, root);
    const { offset } = source;
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > size)
      throw new EmosllmError(
        "checkpoint_invalid",
        `The weight '${name}' lies at bytes ${offset} to ${offset + length} of ${source.file}, which has only ${size} bytes. Is the file cut off?`,
      );
    data = { location, offset, length };
  }
  const value = `w:${name}`;
  b.initializers.push({ name: value, dtype: t.dtype, shape, data });
  return value;
}
