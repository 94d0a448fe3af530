/** @file A compiled graph: checks what it is fed, runs, writes state in place, gives its native memory back. */
import "./no-telemetry.ts";
import { availableParallelism } from "node:os";
import type { DType, Tensor } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import * as ort from "onnxruntime-node";
import { type DeviceTensor, type Value, isOnDevice } from "./device-tensor.ts";
import type { HostArrays, HostTensor } from "./host-tensor.ts";
import { type HazardFinder, checkSharedMemory, hazardFinder } from "./in-place.ts";
import { int8Overflows } from "./int8-overflow.ts";
import { type LoweredModel, type Port, lower } from "./lower.ts";
import { ORT_TYPES } from "./ort-types.ts";
import { mappedFiles } from "./mapped-files.ts";
import { type LoweringTable, lowerings } from "./onnx/lowerings.ts";
import type { Node } from "./onnx/model.ts";
import { webgpuLowerings } from "./onnx/webgpu-lowerings.ts";
import { checkFeeds, checkOutputs } from "./ports.ts";
import { TFJS_DEVICES, type TfjsDevice, isTfjsDevice } from "./tfjs/devices.ts";
import type { WeightSource } from "./weight-source.ts";

/** Where a program runs. */
const ORT_DEVICES = ["cpu", "webgpu", "cuda", "coreml", "dml"] as const;
/** One of {@link DEVICES}: onnxruntime's by their own names, those of TensorFlow.js with `tfjs-` before. */
export type Device = (typeof ORT_DEVICES)[number] | TfjsDevice;
/** Every device there is. */
export const DEVICES: readonly Device[] = [...ORT_DEVICES, ...TFJS_DEVICES];

/** How a lowered model is opened. */
export interface SessionOptions {
  readonly device?: Device;
  /** Threads inside one op; all cores when not given. */
  readonly threads?: number;
  /** Writes onnxruntime's profile of every run to `PREFIX_*.json` when the program is disposed. */
  readonly profile?: string;
  /**
   * Kernels keep f32 weights of products in a layout of their own: memory for each way that a weight is multiplied (as it lies, turned) instead of
   * pages of its file, for training steps that take four fifths of the time. Weights stored as f16 or bf16 are not affected. On the CPU.
   */
  readonly prepack?: boolean | undefined;
  /** Refuses a graph of which a part would run on the CPU instead, with a copy there and back. */
  readonly onlyOnDevice?: boolean;
}

/** Options of {@link compile}. */
export interface CompileOptions extends SessionOptions {
  /** Frozen weights by name. */
  readonly weights?: ((name: string) => WeightSource | undefined) | ReadonlyMap<string, WeightSource>;
}

/** Options of {@link Program.run}. */
export interface RunOptions {
  /** Compute only these outputs. */
  readonly only?: readonly string[];
  /**
   * Outputs written into memory of the caller's. It may be the memory of an input (state updated in place) where the graph
   * cannot read that input afterwards; where it could, the run is refused. What goes to a device stays there and is not given back.
   */
  readonly into?: Readonly<Record<string, Value>>;
}

/** A compiled graph. Dispose it: its memory is not JavaScript's. */
export interface Program extends Disposable {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly nodeCount: number;
  /**
   * Feeds are read while it runs: don't change them before it resolves. Throws RangeError for a missing or unknown input, a
   * wrong type or shape, memory in `into` that does not fit; EmosllmError `runtime_failed` when onnxruntime fails.
   */
  run(feeds: Readonly<Record<string, Value>>, options?: RunOptions): Promise<Record<string, HostTensor>>;
  /** Waits for runs under way, then gives the memory back. */
  dispose(): Promise<void>;
}

/** Providers with options of their own. */
const PROVIDERS: Partial<Record<Device, ort.InferenceSession.ExecutionProviderConfig>> = {
  // Its default layout turns convolutions with groups into wrong ones (onnxruntime 1.30).
  webgpu: { name: "webgpu", preferredLayout: "NCHW" } as ort.InferenceSession.ExecutionProviderConfig,
};

/** What a device needs beside the package. */
const NEEDS: Partial<Record<Device, string>> = {
  webgpu:
    "It needs a GPU with a Vulkan (Linux), Metal (macOS) or Direct3D 12 (Windows) driver; on Linux also the loader (libvulkan1).",
  cuda: "It needs an NVIDIA GPU on Linux x64, CUDA 12 and cuDNN 9, and onnxruntime's CUDA library: install onnxruntime-node without ONNXRUNTIME_NODE_INSTALL=skip (it then downloads it).",
  coreml: "It is in onnxruntime-node for macOS on Apple silicon only.",
  dml: "It is in onnxruntime-node for Windows only.",
};

let quiet = false;

/** Lowers the graph and opens a session for it. Throws EmosllmError `runtime_failed` or `device_unavailable` when onnxruntime refuses. */
export async function compile(
  outputs: Readonly<Record<string, Tensor>>,
  { weights = () => undefined, ...options }: CompileOptions = {},
): Promise<Program> {
  const { device } = options;
  // Loaded when it is asked for: the packages of TensorFlow.js are optional.
  if (device && isTfjsDevice(device))
    return import("./tfjs/program.ts").then((m) => m.compile(outputs, { device, weights }));
  const find = typeof weights === "function" ? weights : (name: string) => weights.get(name);
  return openProgram(lower(outputs, find, mappedFiles(), loweringsOf(device)), options);
}

/** The lowerings for a device. */
export const loweringsOf = (device: Device | undefined): LoweringTable =>
  device === "webgpu" ? webgpuLowerings : lowerings;

/** Opens a session for a lowered model: the second half of {@link compile}. */
export async function openProgram(model: LoweredModel, options: SessionOptions = {}): Promise<Program> {
  const session = await openSession(model, options);
  return new OrtProgram(session, model, options.device ?? "cpu", options.profile !== undefined);
}

/** A program whose outputs stay on the device: new memory there with each run. */
export interface KeptProgram {
  make(feeds: Readonly<Record<string, HostTensor>>): Promise<Record<string, DeviceTensor>>;
  dispose(): Promise<void>;
}

/** Compiles a program whose outputs stay on `device`, which must be one of onnxruntime's. Throws as {@link compile}. */
export async function compileKept(outputs: Readonly<Record<string, Tensor>>, device: Device): Promise<KeptProgram> {
  const model = lower(outputs, () => undefined, mappedFiles(), loweringsOf(device));
  const session = await openSession(model, { device }, "gpu-buffer");
  return {
    async make(feeds) {
      checkFeeds(model.inputs, feeds);
      const given = Object.fromEntries(
        model.inputs.map(({ name }) => [`in:${name}`, toOrt(feeds[name] as HostTensor)]),
      );
      const made = await session.run(given, { logSeverityLevel: 4 });
      return Object.fromEntries(
        model.outputs.map(({ name, dtype }) => {
          const buffer = made[`out:${name}`] as ort.Tensor;
          return [name, { dtype, shape: buffer.dims, buffer }];
        }),
      );
    },
    dispose: () => session.release(),
  };
}

async function openSession(
  model: LoweredModel,
  { device = "cpu", threads = availableParallelism(), profile, prepack = false, onlyOnDevice = false }: SessionOptions,
  outputsStay?: "gpu-buffer",
): Promise<ort.InferenceSession> {
  if (!DEVICES.includes(device))
    throw new RangeError(`There is no device '${String(device)}'. There are: ${DEVICES.join(", ")}.`);
  if (isTfjsDevice(device))
    throw new EmosllmError(
      "device_unavailable",
      `'${device}' runs a graph itself, not a model lowered for onnxruntime; compile it in this thread.`,
    );
  if (!Number.isInteger(threads) || threads < 1)
    throw new RangeError(`threads must be a whole number >= 1, not ${threads}.`);
  for (const [kind, ports] of [
    ["input", model.inputs],
    ["output", model.outputs],
  ] as const)
    for (const p of ports)
      if (p.dtype === "bf16")
        throw new RangeError(`The ${kind} '${p.name}' is bf16, which onnxruntime-node cannot pass; cast it to f32.`);
  if (!quiet) {
    ort.env.logLevel = "error";
    quiet = true;
  }
  try {
    return await ort.InferenceSession.create(model.bytes, {
      executionProviders: [PROVIDERS[device] ?? device],
      graphOptimizationLevel: "all",
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // A pattern is one block for all values of a shape of batch: another one for each, kept beside the arena.
      enableMemPattern: false,
      executionMode: "sequential",
      logSeverityLevel: 4,
      ...(outputsStay === undefined ? {} : { preferredOutputLocation: outputsStay }),
      ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
      extra: {
        // Folding would turn mapped half-precision weights into full-size copies.
        optimization: { disable_specified_optimizers: "ConstantFolding" },
        session: {
          model_external_initializers_file_folder_path: model.externalFolder,
          // A prepacked weight is a second copy in memory.
          disable_prepacking: model.prepack || prepack ? "0" : "1",
          ...(onlyOnDevice ? { disable_cpu_ep_fallback: "1" } : {}),
          ...(model.signedInt8 && device === "cpu" && (await int8Overflows()) ? { x64quantprecision: "1" } : {}),
        },
      },
    });
  } catch (cause) {
    const code = device === "cpu" ? "runtime_failed" : "device_unavailable";
    const needs = NEEDS[device] === undefined ? "" : ` ${NEEDS[device]}`;
    throw new EmosllmError(code, `The program could not be opened on '${device}': ${messageOf(cause)}.${needs}`, {
      cause,
    });
  }
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

class OrtProgram implements Program {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly nodeCount: number;
  readonly #nodes: readonly Node[];
  #hazard: HazardFinder | undefined;
  #session: ort.InferenceSession | undefined;
  readonly #device: Device;
  readonly #profiling: boolean;
  readonly #running = new Set<Promise<unknown>>();

  constructor(session: ort.InferenceSession, model: LoweredModel, device: Device, profiling: boolean) {
    this.#session = session;
    this.#device = device;
    this.inputs = model.inputs;
    this.outputs = model.outputs;
    this.nodeCount = model.nodes.length;
    this.#nodes = model.nodes;
    this.#profiling = profiling;
  }

  async run(
    feeds: Readonly<Record<string, Value>>,
    { only, into = {} }: RunOptions = {},
  ): Promise<Record<string, HostTensor>> {
    const session = this.#session;
    if (!session) throw new EmosllmError("runtime_failed", "The program was disposed; compile it again.");
    const wanted = checkOutputs(this.outputs, only, into, checkFeeds(this.inputs, feeds));
    if (this.#device === "webgpu") refuseEmpty(feeds);
    const targets = Object.entries(into);
    if (targets.length > 0)
      checkSharedMemory(targets, Object.entries(feeds), (this.#hazard ??= hazardFinder(this.#nodes)));

    const given = Object.fromEntries(this.inputs.map(({ name }) => [`in:${name}`, toOrt(feeds[name] as Value)]));
    const fetches = Object.fromEntries(
      wanted.map(({ port, target }) => [`out:${port.name}`, target ? toOrt(target) : null]),
    );
    const running = session.run(given, fetches, { logSeverityLevel: 4 });
    this.#running.add(running);
    try {
      const results = await running;
      return Object.fromEntries(
        wanted.flatMap(({ port: { name, dtype }, target }) => {
          if (target && isOnDevice(target)) return [];
          const result = results[`out:${name}`] as ort.Tensor;
          const data = fromOrt(result, dtype);
          // Shared memory was replaced by a copy for onnxruntime.
          if (target && isShared(target)) (target.data as Uint8Array).set(data as Uint8Array);
          return [[name, target ?? { dtype, shape: result.dims, data }] as const];
        }),
      );
    } catch (cause) {
      throw new EmosllmError("runtime_failed", `The program failed while running: ${messageOf(cause)}`, { cause });
    } finally {
      this.#running.delete(running);
    }
  }

  async dispose(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await Promise.allSettled(this.#running);
    if (session && this.#profiling) session.endProfiling();
    await session?.release();
  }

  [Symbol.dispose](): void {
    void this.dispose();
  }
}

/** Some of onnxruntime's WebGPU kernels divide by the number of elements, which ends the process. */
function refuseEmpty(feeds: Readonly<Record<string, Value>>): void {
  for (const [name, { shape, dtype }] of Object.entries(feeds))
    if (shape.includes(0))
      throw new RangeError(`The input '${name}' ${dtype}[${shape.join(",")}] is empty, which WebGPU cannot take.`);
}

function toOrt(value: Value): ort.Tensor {
  if (isOnDevice(value)) return value.buffer as ort.Tensor;
  const { dtype, shape, data } = value;
  if (dtype === "bf16") throw new RangeError("bf16 cannot be fed or fetched; use f32");
  // onnxruntime-node refuses shared memory.
  const own = isShared({ data }) ? data.slice() : data;
  const tensor = new ort.Tensor(ORT_TYPES[dtype], own as Float32Array, shape);
  // Where there is a Float16Array (Node 24), the tensor holds one, whose bytes onnxruntime-node 1.30 takes for none (its issue 26791).
  if (dtype === "f16") Object.defineProperty(tensor, "data", { value: own });
  return tensor;
}

/** The bits of f16 are a `Uint16Array` here also where onnxruntime-node gives a `Float16Array`. */
function fromOrt({ data }: ort.Tensor, dtype: DType): HostArrays[DType] {
  const array = data as HostArrays[DType];
  return dtype === "f16" ? new Uint16Array(array.buffer, array.byteOffset, array.length) : array;
}

const isShared = ({ data }: { readonly data: ArrayBufferView }): boolean => data.buffer instanceof SharedArrayBuffer;
