/**
 * @file Block quantisation as onnxruntime's `MatMulNBits` reads it, byte for byte what onnxruntime's own quantiser makes
 * (`MlasQuantizeBlockwise`, symmetric): per block the value of largest magnitude becomes -2^(bits-1) times the scale,
 * `q = floor(value / scale + 2^(bits-1) + 1/2)`, at most 2^bits - 1; 4-bit values two to a byte, low half first; the padding of a
 * short block is the value 0. The loops are WebAssembly (`wasm/pack.as`): four values at a time, 16 columns in the transpose.
 */
import { PACK_WASM } from "./generated/pack-wasm.ts";

/** The part of the WebAssembly API used here; its types come with the DOM's, which this package does not ask for. */
interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object;
}

/** Pointers are bytes in `memory`; `temporary` has `16 * blockSize` bytes. */
export interface PackKernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  /** 16-bit floats to f32; writes up to 7 values past `count`. */
  widenBf16(bits: number, values: number, count: number): void;
  widenF16(bits: number, values: number, count: number): void;
  /**
   * Packs rows, blocks along a row.
   *
   * @param values f32 `[rows, columns]`
   * @param packed u8 `[rows, ceil(columns / blockSize), blockSize * bits / 8]`
   * @param scales f32 `[rows, ceil(columns / blockSize)]`
   * @returns 0 where a value is not finite.
   */
  packRows(
    values: number,
    rows: number,
    columns: number,
    bits: number,
    blockSize: number,
    packed: number,
    scales: number,
    temporary: number,
  ): number;
  /**
   * Packs one block of every column: at most `blockSize` rows, blocks along a column. Reads up to 15 values past `values`.
   *
   * @param packedStep bytes from one column's block to the next column's
   * @param scalesStep bytes from one column's scale to the next column's
   * @returns 0 where a value is not finite.
   */
  packColumns(
    values: number,
    rows: number,
    columns: number,
    bits: number,
    blockSize: number,
    packed: number,
    packedStep: number,
    scales: number,
    scalesStep: number,
    temporary: number,
  ): number;
}

let compiled: object | undefined;

/** The compiled module; threads make an instance of it, with a memory of its own, each. */
export function packModule(): object {
  const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi };
  return (compiled ??= new WebAssembly.Module(Buffer.from(PACK_WASM, "base64")));
}
