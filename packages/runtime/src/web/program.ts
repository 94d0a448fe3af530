/**
 * @file A compiled graph in a page, on onnxruntime-web: the same graph, lowering and checks as in Node.js. The device `cpu` is
 * WebAssembly; `webgpu` is the browser's. Weights are bytes in memory. State updated "in place" is copied there when a run has ended, so
 * no order of reads and writes can harm it.
 */
import type { DType, Tensor } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import type * as ort from "onnxruntime-web";
import { type Value, isOnDevice } from "../device-tensor.ts";
import type { HostArrays, HostTensor } from "../host-tensor.ts";
import { type LoweredModel, type Port, lower } from "../lower.ts";
import { lowerings } from "../onnx/lowerings.ts";
import { webgpuLowerings } from "../onnx/webgpu-lowerings.ts";
import { checkFeeds, checkOutputs } from "../ports.ts";
import { ORT_TYPES } from "../ort-types.ts";
import type { CompileOptions, Program, RunOptions } from "../program.ts";
import type { FileRanges, FileSource } from "../weight-source.ts";

/** Where onnxruntime-web's binary comes from. */
export interface WebSettings {
  /**
   * Address of the folder that serves onnxruntime-web's `ort-wasm-simd-threaded.wasm` (and `.asyncify.wasm` for `webgpu`); beside the
   * page's script when not set.
   */
  readonly wasmFolder?: string;
}

let settings: WebSettings = {};

/** To be called before the first {@link compile}. */
export function setUpWeb(given: WebSettings): void {
  settings = given;
}

/** The builds of onnxruntime-web, loaded when a device is first asked for, and their binaries. */
const BUILDS = {
  cpu: { provider: "wasm", binary: "ort-wasm-simd-threaded.wasm", load: () => import("onnxruntime-web/wasm") },
  webgpu: {
    provider: "webgpu",
    binary: "ort-wasm-simd-threaded.asyncify.wasm",
    load: () => import("onnxruntime-web/webgpu"),
  },
} as const;
type WebDevice = keyof typeof BUILDS;
const isWebDevice = (device: string): device is WebDevice => Object.hasOwn(BUILDS, device);

/** A page has no files to map. */
const NO_FILES: FileRanges = {
  folder: "",
  range: (weight: string, { file }: FileSource) => {
    throw new EmosllmError(
      "checkpoint_invalid",
      `The weight '${weight}' lies in the file '${file}', which a page cannot map; give its bytes as 'data'.`,
    );
  },
};

const pageAddress = (): string | undefined => (globalThis as { location?: { href: string } }).location?.href;
const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

/** As in Node.js. Throws RangeError for a device that pages don't have, EmosllmError `device_unavailable` or `runtime_failed`. */
export async function compile(
  outputs: Readonly<Record<string, Tensor>>,
  { weights = () => undefined, device = "cpu", threads = 1 }: CompileOptions = {},
): Promise<Program> {
  if (!isWebDevice(device))
    throw new RangeError(`There is no device '${device}' in a page. There are: ${Object.keys(BUILDS).join(", ")}.`);
  if (!Number.isInteger(threads) || threads < 1)
    throw new RangeError(`threads must be a whole number >= 1, not ${threads}.`);
  const find = typeof weights === "function" ? weights : (name: string) => weights.get(name);
  const model = lower(outputs, find, NO_FILES, device === "webgpu" ? webgpuLowerings : lowerings);
  for (const p of [...model.inputs, ...model.outputs])
    if (p.dtype === "bf16") throw new RangeError(`'${p.name}' is bf16, which onnxruntime-web cannot pass; cast it.`);
  const { provider, binary, load } = BUILDS[device];
  try {
    const runtime = (await load()) as typeof ort;
    runtime.env.logLevel = "error";
    runtime.env.wasm.numThreads = threads;
    if (settings.wasmFolder !== undefined)
      runtime.env.wasm.wasmPaths = { wasm: new URL(binary, new URL(settings.wasmFolder, pageAddress())).href };
    const session = await runtime.InferenceSession.create(model.bytes, {
      executionProviders: [provider],
      graphOptimizationLevel: "all",
      enableMemPattern: false,
      logSeverityLevel: 4,
      extra: { optimization: { disable_specified_optimizers: "ConstantFolding" } },
    });
    return new WebProgram(runtime, session, model);
  } catch (cause) {
    const code = device === "cpu" ? "runtime_failed" : "device_unavailable";
    throw new EmosllmError(code, `The program could not be opened on '${device}': ${messageOf(cause)}`, { cause });
  }
}

/** onnxruntime-web runs one program at a time, whichever session it is of. */
let last: Promise<unknown> = Promise.resolve();

class WebProgram implements Program {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly nodeCount: number;
  readonly #runtime: typeof ort;
  #session: ort.InferenceSession | undefined;

  constructor(runtime: typeof ort, session: ort.InferenceSession, model: LoweredModel) {
    this.#runtime = runtime;
    this.#session = session;
    this.inputs = model.inputs;
    this.outputs = model.outputs;
    this.nodeCount = model.nodes.length;
  }

  async run(
    feeds: Readonly<Record<string, Value>>,
    { only, into = {} }: RunOptions = {},
  ): Promise<Record<string, HostTensor>> {
    const session = this.#session;
    if (!session) throw new EmosllmError("runtime_failed", "The program was disposed; compile it again.");
    const wanted = checkOutputs(this.outputs, only, into, checkFeeds(this.inputs, feeds));
    const names = wanted.map(({ port }) => `out:${port.name}`);
    const running = last.then(() =>
      session.run(
        Object.fromEntries(this.inputs.map(({ name }) => [`in:${name}`, this.#tensor(feeds[name] as Value)])),
        names,
      ),
    );
    last = running.catch(() => undefined);
    let results: Awaited<typeof running>;
    try {
      results = await running;
    } catch (cause) {
      throw new EmosllmError("runtime_failed", `The program failed while running: ${messageOf(cause)}`, { cause });
    }
    return Object.fromEntries(
      wanted.map(({ port: { name, dtype }, target }) => {
        const { data, dims } = results[`out:${name}`] as ort.Tensor;
        const view = data as HostArrays[DType];
        const own = dtype === "f16" ? new Uint16Array(view.buffer, view.byteOffset, view.length) : view;
        if (!target) return [name, { dtype, shape: dims, data: own }];
        const memory = target as HostTensor;
        (memory.data as Uint8Array).set(own as Uint8Array);
        return [name, memory];
      }),
    );
  }

  #tensor(value: Value): ort.Tensor {
    if (isOnDevice(value)) throw new RangeError("Values on a device cannot be fed to a program in a page.");
    return new this.#runtime.Tensor(
      ORT_TYPES[value.dtype as keyof typeof ORT_TYPES],
      value.data as Float32Array,
      value.shape,
    );
  }

  async dispose(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await last;
    await session?.release();
  }

  [Symbol.dispose](): void {
    void this.dispose();
  }
}
