/**
 * @file The inner loop of the resampler as a WebAssembly module of one function, assembled here: four products at a time where
 * JavaScript does one, and the same bits on every machine (no fused multiply-add, a fixed order of additions).
 */

/** Runs `count` outputs; all places and sizes are in bytes. Returns nothing: the caller keeps the position. */
type Polyphase = (
  x: number,
  table: number,
  out: number,
  count: number,
  rowBytes: number,
  phase: number,
  phases: number,
  wholeBytes: number,
  fraction: number,
) => void;

/** One kernel and the memory it works in. */
export interface PolyphaseKernel {
  readonly run: Polyphase;
  /** All of the memory as floats. */
  readonly floats: Float32Array;
}

// Locals: the nine parameters, then row, at, end (i32), low, high (v128).
const [X, TABLE, OUT, COUNT, ROW_BYTES, PHASE, PHASES, WHOLE, FRACTION, ROW, AT, END, LOW, HIGH] = Array.from(
  { length: 14 },
  (_, i) => i,
) as [number, number, number, number, number, number, number, number, number, number, number, number, number, number];

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const i32 = (value: number): number[] => [0x41, value];
const ADD = [0x6a];
const SUB = [0x6b];
const MUL = [0x6c];
const BELOW = [0x49];
const AT_LEAST = [0x4f];
const END_BLOCK = [0x0b];
const add = (local: number, value: number[]): number[] => [...get(local), ...value, ...ADD, ...set(local)];
const load4 = (address: number, offset: number): number[] => [...get(address), 0xfd, 0x00, 2, offset];
const add4 = [0xfd, 0xe4, 0x01];
const mul4 = [0xfd, 0xe6, 0x01];
const zero4 = [0xfd, 0x0c, ...Array.from<number>({ length: 16 }).fill(0)];
const lane = (local: number, index: number): number[] => [...get(local), 0xfd, 0x1f, index];
const addF32 = [0x92];

/** `sum += x[at .. at+4] * table[row .. row+4]` at a byte offset. */
const accumulate = (sum: number, offset: number): number[] => [
  ...get(sum),
  ...load4(AT, offset),
  ...load4(ROW, offset),
  ...mul4,
  ...add4,
  ...set(sum),
];

// do { out = dot(x, table[phase]); x += whole; phase += fraction, with carry } while (--count > 0)
const BODY: number[] = [
  [0x03, 0x40],
  [get(TABLE), get(PHASE), get(ROW_BYTES), MUL, ADD, set(ROW)],
  [get(ROW), get(ROW_BYTES), ADD, set(END)],
  [get(X), set(AT), zero4, set(LOW), zero4, set(HIGH)],
  [0x03, 0x40],
  [accumulate(LOW, 0), accumulate(HIGH, 16)],
  [add(AT, i32(32)), add(ROW, i32(32))],
  [get(ROW), get(END), BELOW, 0x0d, 0],
  END_BLOCK,
  [get(LOW), get(HIGH), add4, set(LOW)],
  [get(OUT), lane(LOW, 0), lane(LOW, 1), addF32, lane(LOW, 2), lane(LOW, 3), addF32, addF32, 0x38, 2, 0],
  [add(OUT, i32(4)), add(X, get(WHOLE)), add(PHASE, get(FRACTION))],
  [get(PHASE), get(PHASES), AT_LEAST, 0x04, 0x40],
  [get(PHASE), get(PHASES), SUB, set(PHASE), add(X, i32(4))],
  END_BLOCK,
  [get(COUNT), i32(1), SUB, set(COUNT), get(COUNT), 0x0d, 0],
  END_BLOCK,
  END_BLOCK,
].flat(2);

const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)]);
const section = (id: number, body: number[]): number[] => [id, ...leb(body.length), ...body];
const name = (text: string): number[] => [text.length, ...Buffer.from(text, "latin1")];
const I32 = 0x7f;
const V128 = 0x7b;
const CODE = [2, 3, I32, 2, V128, ...BODY];

const MODULE_BYTES: Uint8Array = Uint8Array.from(
  [
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, [1, 0x60, 9, ...Array.from<number>({ length: 9 }).fill(I32), 0]),
    section(2, [1, ...name("m"), ...name("m"), 2, 0, 0]),
    section(3, [1, 0]),
    section(7, [1, ...name("run"), 0, 0]),
    section(10, [1, ...leb(CODE.length), ...CODE]),
  ].flat(),
);

/** The part of the WebAssembly API used here; its types come with the DOM's, which this package does not ask for. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

let compiled: object | undefined;
const PAGE_BYTES = 65536;

/** A kernel with room for `floats` floats. */
export function createPolyphaseKernel(floats: number): PolyphaseKernel {
  compiled ??= new WebAssembly.Module(MODULE_BYTES);
  const memory = new WebAssembly.Memory({ initial: Math.ceil((floats * 4) / PAGE_BYTES) });
  const instance = new WebAssembly.Instance(compiled, { m: { m: memory } });
  return { run: instance.exports["run"] as Polyphase, floats: new Float32Array(memory.buffer) };
}
