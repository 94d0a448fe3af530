/**
 * @file The backends of TensorFlow.js by device name. All of them are optional peers, loaded when a device is first asked for.
 */
import { createRequire } from "node:module";
import { EmosllmError } from "@emosllm/interfaces";
import type * as TfjsCore from "@tensorflow/tfjs-core";
import type { TfjsDevice } from "./devices.ts";

/** TensorFlow.js as a backend's package gives it. */
export type Tf = typeof TfjsCore;

/** A backend of TensorFlow.js. */
export interface Backend {
  /** The name that TensorFlow.js has for it. */
  readonly backend: string;
  /** What a user installs. */
  readonly packages: readonly string[];
  readonly load: () => Promise<Tf>;
}

const core = async (): Promise<Tf> => plain<Tf>(await import("@tensorflow/tfjs-core"));
/** A CommonJS package seen from an ES module, whichever way it was resolved. */
const plain = <T>(module: unknown): T => ((module as { default?: T }).default ?? module) as T;
/** A name that the type checker does not follow: these packages are not installed here. */
const load = async <T>(name: string): Promise<T> => plain<T>(await import(name));

/** tfjs-node 4.22 calls two functions of `util` that Node removed in version 23. */
function restoreUtil(): void {
  const util = createRequire(import.meta.url)("node:util") as Record<string, unknown>;
  util["isNullOrUndefined"] ??= (v: unknown): boolean => v === null || v === undefined;
  util["isArray"] ??= Array.isArray;
}

/** A CommonJS package with a native part; `require` also looks into NODE_PATH, for builds that lie elsewhere. */
const native = (name: string) => async (): Promise<Tf> => {
  restoreUtil();
  // TensorFlow's notes on the processor, written to stderr when it is loaded; its errors stay.
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "2";
  return createRequire(import.meta.url)(name) as Tf;
};

/** What each device needs. */
export const TFJS_BACKENDS: Readonly<Record<TfjsDevice, Backend>> = {
  "tfjs-cpu": {
    backend: "cpu",
    packages: ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-cpu"],
    load: async () => {
      await import("@tensorflow/tfjs-backend-cpu");
      return core();
    },
  },
  "tfjs-wasm": {
    backend: "wasm",
    packages: ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm"],
    load: async () => {
      await import("@tensorflow/tfjs-backend-wasm");
      return core();
    },
  },
  "tfjs-node": { backend: "tensorflow", packages: ["@tensorflow/tfjs-node"], load: native("@tensorflow/tfjs-node") },
  "tfjs-gpu": {
    backend: "tensorflow",
    packages: ["@tensorflow/tfjs-node-gpu"],
    load: native("@tensorflow/tfjs-node-gpu"),
  },
  "tfjs-webgpu": {
    backend: "webgpu",
    packages: ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-webgpu", "webgpu"],
    load: async () => {
      await provideWebGpu();
      await load("@tensorflow/tfjs-backend-webgpu");
      return core();
    },
  },
};

/** Node has no `navigator.gpu`; the `webgpu` package (Dawn) brings one. */
async function provideWebGpu(): Promise<void> {
  const { navigator } = globalThis as { navigator?: { gpu?: unknown } };
  if (navigator?.gpu) return;
  const { create, globals } = await load<{ create: (o: string[]) => unknown; globals: object }>("webgpu");
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, "navigator", { value: { gpu: create([]) }, configurable: true });
}

const loaded = new Map<TfjsDevice, Promise<Tf>>();

/** Loads a backend. Throws EmosllmError `device_unavailable` saying what to install. */
export function loadTfjs(device: TfjsDevice): Promise<Tf> {
  let tf = loaded.get(device);
  if (!tf) {
    const { backend, packages, load: open } = TFJS_BACKENDS[device];
    tf = open()
      .then(async (module) => {
        // Keeps it from advertising itself on the console.
        module.env().set("PROD", true);
        if (!(await module.setBackend(backend))) throw new Error(`the backend '${backend}' did not start`);
        await module.ready();
        return module;
      })
      .catch((cause: unknown) => {
        throw new EmosllmError(
          "device_unavailable",
          `The device '${device}' needs ${packages.join(", ")}, which could not be started: ${firstLine(cause)}\nInstall: npm install ${packages.join(" ")}`,
          { cause },
        );
      });
    loaded.set(device, tf);
  }
  return tf;
}

const firstLine = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]!;
