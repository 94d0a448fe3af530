/** @file ONNX models as plain data, and their bytes (field numbers from onnx.proto, IR version 10). */
import type { DType } from "@emosllm/graph";
import { type Message, bytes, finish, float, int, message, nested, text } from "./protobuf.ts";

export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface Node {
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A constant: its bytes in the model, or a byte range of a file relative to the external folder. */
export interface Initializer {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Uint8Array | { readonly location: string; readonly offset: number; readonly length: number };
}

export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel {
  readonly nodes: readonly Node[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  /** Initializers that could be fed instead, so that onnxruntime does not take them for constants. */
  readonly overridable: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /**
   * Shapes of values between, where onnxruntime would lose a dimension's name: it then plans no memory to be used again, and its search
   * for some is quadratic. Dropout in every layer (4,000 small integer nodes) took 4 s to open. Of large values they are not given:
   * memory kept for a second use is held in between, which made a training step 6 % larger.
   */
  readonly inner: readonly ValueInfo[];
}

/** TensorProto.DataType */
export const ONNX_DTYPES: Readonly<Record<DType, number>> = {
  f32: 1,
  u8: 2,
  i8: 3,
  i32: 6,
  i64: 7,
  bool: 9,
  f16: 10,
  bf16: 16,
};

export const OPSET = 21;
const IR_VERSION = 10;
const EXTERNAL = 1;

function attribute(name: string, value: Attribute): Message {
  const m = message();
  text(m, 1, name);
  if (typeof value === "string") {
    text(m, 4, value);
    int(m, 20, 3);
  } else if (typeof value === "number") {
    int(m, 3, value);
    int(m, 20, 2);
  } else if ("float" in value) {
    float(m, 2, value.float);
    int(m, 20, 1);
  } else {
    for (const v of value) int(m, 8, v);
    int(m, 20, 7);
  }
  return m;
}

function node(n: Node, i: number): Message {
  const m = message();
  for (const v of n.inputs) text(m, 1, v);
  for (const v of n.outputs) text(m, 2, v);
  text(m, 3, `n${i}`);
  text(m, 4, n.opType);
  for (const [name, value] of Object.entries(n.attributes)) nested(m, 5, attribute(name, value));
  if (n.domain) text(m, 7, n.domain);
  return m;
}

function entry(key: string, value: string): Message {
  const m = message();
  text(m, 1, key);
  text(m, 2, value);
  return m;
}

function initializer(t: Initializer): Message {
  const m = message();
  for (const d of t.shape) int(m, 1, d);
  int(m, 2, ONNX_DTYPES[t.dtype]);
  text(m, 8, t.name);
  if (t.data instanceof Uint8Array) {
    bytes(m, 9, t.data);
  } else {
    nested(m, 13, entry("location", t.data.location));
    nested(m, 13, entry("offset", String(t.data.offset)));
    nested(m, 13, entry("length", String(t.data.length)));
    int(m, 14, EXTERNAL);
  }
  return m;
}

function valueInfo(v: ValueInfo): Message {
  const shape = message();
  for (const d of v.shape) {
    const one = message();
    if (typeof d === "number") int(one, 1, d);
    else text(one, 2, d);
    nested(shape, 1, one);
  }
  const tensor = message();
  int(tensor, 1, ONNX_DTYPES[v.dtype]);
  nested(tensor, 2, shape);
  const type = message();
  nested(type, 1, tensor);
  const m = message();
  text(m, 1, v.name);
  nested(m, 2, type);
  return m;
}

function opset(domain: string, version: number): Message {
  const m = message();
  text(m, 1, domain);
  int(m, 2, version);
  return m;
}

/** The bytes of the model. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const graph = message();
  model.nodes.forEach((n, i) => nested(graph, 1, node(n, i)));
  text(graph, 2, "emosllm");
  for (const t of model.initializers) nested(graph, 5, initializer(t));
  for (const v of [...model.inputs, ...model.overridable]) nested(graph, 11, valueInfo(v));
  for (const v of model.outputs) nested(graph, 12, valueInfo(v));
  for (const v of model.inner) nested(graph, 13, valueInfo(v));
  const m = message();
  int(m, 1, IR_VERSION);
  text(m, 2, "emosllm");
  nested(m, 7, graph);
  nested(m, 8, opset("", OPSET));
  nested(m, 8, opset("com.microsoft", 1));
  return finish(m);
}
