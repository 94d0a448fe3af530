/** @file Loads the WebAssembly inner loops (`wasm/spectra.as`); each kernel owns one block of memory that never grows. */
import { SPECTRA_WASM } from "../generated/spectra-wasm.ts";

/** The functions of `wasm/spectra.as`; every argument is a number, pointers are bytes. */
type KernelFunction = (...args: number[]) => number | void;
type Typed =
  | "pass2"
  | "pass3"
  | "pass4"
  | "pass5"
  | "pass8"
  | "passAny"
  | "pack"
  | "unpack"
  | "frames"
  | "filterbank"
  | "logarithm";
/** Those that end in 32 work in single precision. */
type KernelName = Typed | `${Typed}32` | "mirror" | "rows32" | "scale32" | "finite32" | "subharmonics";

/** A kernel and its memory. */
export interface Kernel {
  readonly run: { readonly [K in KernelName]: KernelFunction };
  /** A new array in the kernel's memory; its pointer is its `byteOffset`. */
  f64(length: number): Float64Array;
  f32(length: number): Float32Array;
  i32(length: number): Int32Array;
}

/** The part of the standard API that is used: TypeScript declares it only together with the whole DOM. */
interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: Record<string, unknown> };
}
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const PAGE = 65536;
let compiled: object | undefined;

/** A kernel with room for arrays of `bytes` in all (each rounded up to 16). */
export function createKernel(bytes: number): Kernel {
  const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi };
  compiled ??= new WebAssembly.Module(Uint8Array.from(atob(SPECTRA_WASM), (c) => c.charCodeAt(0)));
  const { exports } = new WebAssembly.Instance(compiled);
  const memory = exports["memory"] as Memory;
  // the first kilobyte stays free, so that no pointer is 0
  let top = 1024;
  memory.grow(Math.max(0, Math.ceil((top + bytes) / PAGE) - memory.buffer.byteLength / PAGE));
  const { buffer } = memory;
  const take = (size: number): number => {
    const at = top;
    top += (size + 15) & ~15;
    if (top > buffer.byteLength) throw new RangeError(`internal: kernel memory of ${buffer.byteLength} bytes is full`);
    return at;
  };
  return {
    run: exports as unknown as Kernel["run"],
    f64: (length) => new Float64Array(buffer, take(8 * length), length),
    f32: (length) => new Float32Array(buffer, take(4 * length), length),
    i32: (length) => new Int32Array(buffer, take(4 * length), length),
  };
}
