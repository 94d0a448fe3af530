/** @file A compiled graph: checks what it is fed, runs, writes state in place, gives its native memory back. */
import { availableParallelism } from "node:os";
import { type DType, type Tensor, dimEvaluate } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import * as ort from "onnxruntime-node";
import { HOST_ARRAYS, type HostArrays, type HostTensor, elements } from "./host-tensor.ts";
import { type Port, type WeightSource, lower } from "./lower.ts";

/** Where a program runs. */
export const DEVICES = ["cpu", "webgpu", "cuda", "coreml", "dml"] as const;
/** One of {@link DEVICES}. */
export type Device = (typeof DEVICES)[number];

/** Options of {@link compile}. */
export interface CompileOptions {
  readonly device?: Device;
  /** Frozen weights by name. */
  readonly weights?: ((name: string) => WeightSource | undefined) | ReadonlyMap<string, WeightSource>;
  /** Threads inside one op; all cores when not given. */
  readonly threads?: number;
  /** Writes onnxruntime's profile of every run to `PREFIX_*.json` when the program is disposed. */
  readonly profile?: string;
}

/** Options of {@link Program.run}. */
export interface RunOptions {
  /** Compute only these outputs. */
  readonly only?: readonly string[];
  /**
   * Outputs written into memory of the caller's. It may be the memory of an input (state updated in place), provided that
   * the graph reads that input for the last time no later than in the op that makes the output.
   */
  readonly into?: Readonly<Record<string, HostTensor>>;
}

/** A compiled graph. Dispose it: its memory is not JavaScript's. */
export interface Program extends Disposable {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly nodeCount: number;
  /** Throws RangeError for a missing or unknown input, a wrong type or shape; EmosllmError `runtime_failed` when onnxruntime fails. */
  run(feeds: Readonly<Record<string, HostTensor>>, options?: RunOptions): Promise<Record<string, HostTensor>>;
  dispose(): Promise<void>;
}

type OrtType = "float32" | "float16" | "int64" | "int32" | "int8" | "uint8" | "bool";
const ORT_TYPES: Readonly<Record<Exclude<DType, "bf16">, OrtType>> = {
  f32: "float32",
  f16: "float16",
  i64: "int64",
  i32: "int32",
  i8: "int8",
  u8: "uint8",
  bool: "bool",
};

let quiet = false;

/** Lowers the graph and opens a session for it. Throws EmosllmError `runtime_failed` or `device_unavailable` when onnxruntime refuses. */
export async function compile(
  outputs: Readonly<Record<string, Tensor>>,
  options: CompileOptions = {},
): Promise<Program> {
  const { device = "cpu", threads = availableParallelism(), weights = () => undefined, profile } = options;
  for (const [name, t] of Object.entries(outputs))
    if (t.dtype === "bf16") throw new RangeError(`compile: output '${name}' is bf16; cast it to f32`);
  const source = typeof weights === "function" ? weights : (name: string) => weights.get(name);
  const model = lower(outputs, source);
  for (const p of model.inputs)
    if (p.dtype === "bf16") throw new RangeError(`compile: input '${p.name}' is bf16, which cannot be fed; feed f32`);
  if (!quiet) {
    ort.env.logLevel = "error";
    quiet = true;
  }
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(model.bytes, {
      executionProviders: [device],
      graphOptimizationLevel: "all",
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      logSeverityLevel: 4,
      ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
      extra: {
        // Folding would turn mapped half-precision weights into full-size copies.
        optimization: { disable_specified_optimizers: "ConstantFolding" },
        session: {
          model_external_initializers_file_folder_path: model.externalFolder,
          // A prepacked weight is a second copy in memory; torch's [out, in] layout runs as fast without.
          disable_prepacking: "1",
        },
      },
    });
  } catch (cause) {
    const code = device === "cpu" ? "runtime_failed" : "device_unavailable";
    throw new EmosllmError(code, `The program could not be opened on '${device}': ${messageOf(cause)}`, { cause });
  }
  return new OrtProgram(session, model.inputs, model.outputs, model.nodeCount, profile !== undefined);
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

class OrtProgram implements Program {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly nodeCount: number;
  #session: ort.InferenceSession | undefined;
  readonly #profiling: boolean;

  constructor(
    session: ort.InferenceSession,
    inputs: readonly Port[],
    outputs: readonly Port[],
    nodeCount: number,
    profiling: boolean,
  ) {
    this.#session = session;
    this.inputs = inputs;
    this.outputs = outputs;
    this.nodeCount = nodeCount;
    this.#profiling = profiling;
  }

  async run(
    feeds: Readonly<Record<string, HostTensor>>,
    { only, into = {} }: RunOptions = {},
  ): Promise<Record<string, HostTensor>> {
    const session = this.#session;
    if (!session) throw new EmosllmError("runtime_failed", "The program was disposed; compile it again.");
    const bindings = checkFeeds(this.inputs, feeds);
    const wanted = only === undefined ? this.outputs : only.map((name) => this.#output(name));
    const targets = new Map<string, HostTensor>();
    for (const [name, target] of Object.entries(into))
      targets.set(name, checkTarget(this.#output(name), target, bindings));

    const given: Record<string, ort.Tensor> = {};
    for (const { name } of this.inputs) given[`in:${name}`] = toOrt(feeds[name] as HostTensor);
    const fetches: Record<string, ort.Tensor | null> = {};
    for (const { name } of wanted) {
      const target = targets.get(name);
      fetches[`out:${name}`] = target ? toOrt(target) : null;
    }
    let results: ort.InferenceSession.OnnxValueMapType;
    try {
      results = await session.run(given, fetches, { logSeverityLevel: 4 });
    } catch (cause) {
      throw new EmosllmError("runtime_failed", `The program failed while running: ${messageOf(cause)}`, { cause });
    }
    return Object.fromEntries(
      wanted.map(({ name, dtype }) => {
        const result = results[`out:${name}`] as ort.Tensor;
        return [name, targets.get(name) ?? { dtype, shape: result.dims, data: result.data as HostArrays[DType] }];
      }),
    );
  }

  #output(name: string): Port {
    const port = this.outputs.find((o) => o.name === name);
    if (!port)
      throw new RangeError(`There is no output '${name}'. There are: ${this.outputs.map((o) => o.name).join(", ")}`);
    return port;
  }

  async dispose(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session && this.#profiling) session.endProfiling();
    await session?.release();
  }

  [Symbol.dispose](): void {
    void this.dispose();
  }
}

function toOrt({ dtype, shape, data }: HostTensor): ort.Tensor {
  if (dtype === "bf16") throw new RangeError("bf16 cannot be fed or fetched; use f32");
  // onnxruntime-node refuses shared memory.
  const own = data.buffer instanceof SharedArrayBuffer ? data.slice() : data;
  return new ort.Tensor(ORT_TYPES[dtype], own as Float32Array, shape);
}

/** Checks names, types and shapes of what is fed, and gives the value of every named dimension. */
function checkFeeds(ports: readonly Port[], feeds: Readonly<Record<string, HostTensor>>): Record<string, number> {
  const bindings: Record<string, number> = {};
  const expressions: [Port, number, number][] = [];
  for (const port of ports) {
    const fed = feeds[port.name];
    if (!fed) throw new RangeError(`The input '${port.name}' ${port.dtype}[${port.shape.join(",")}] is missing.`);
    if (fed.dtype !== port.dtype)
      throw new RangeError(`The input '${port.name}' must be ${port.dtype}, not ${fed.dtype}.`);
    const got = `[${fed.shape.join(",")}]`;
    if (fed.shape.length !== port.shape.length)
      throw new RangeError(`The input '${port.name}' must have the shape [${port.shape.join(",")}], not ${got}.`);
    if (elements(fed.shape) !== fed.data.length || !(fed.data instanceof HOST_ARRAYS[fed.dtype]))
      throw new RangeError(
        `The input '${port.name}' says ${fed.dtype}${got} but holds ${fed.data.length} values in a ${fed.data.constructor.name}.`,
      );
    port.shape.forEach((d, axis) => {
      const size = fed.shape[axis] as number;
      if (typeof d === "number" ? d === size : (bindings[d] ?? size) === size) {
        if (typeof d === "string") {
          if (/^[A-Za-z_][\w.]*$/.test(d)) bindings[d] = size;
          else expressions.push([port, axis, size]);
        }
        return;
      }
      const wanted = typeof d === "number" ? String(d) : `'${d}' = ${bindings[d]}, as in another input`;
      throw new RangeError(`The input '${port.name}' has the shape ${got}; dimension ${axis} must be ${wanted}.`);
    });
  }
  for (const [port, axis, size] of expressions) {
    const wanted = dimEvaluate(port.shape[axis] as string, bindings);
    if (wanted !== size)
      throw new RangeError(
        `The input '${port.name}': dimension ${axis} must be ${port.shape[axis]} = ${wanted}, not ${size}.`,
      );
  }
  return bindings;
}

function checkTarget(port: Port, target: HostTensor, bindings: Readonly<Record<string, number>>): HostTensor {
  const shape = port.shape.map((d) => dimEvaluate(d, bindings));
  if (target.dtype !== port.dtype || target.shape.join() !== shape.join() || target.data.length !== elements(shape))
    throw new RangeError(
      `The output '${port.name}' is ${port.dtype}[${shape.join(",")}]; ${target.dtype}[${target.shape.join(",")}] cannot take it.`,
    );
  return target;
}
