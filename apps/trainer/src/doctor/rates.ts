/** @file How fast this machine computes, from four programs of a few milliseconds each: what a step's work is divided by. */
import { type Tensor, add, input, matmul, matMulInt8, sum, weight } from "@emosllm/graph";
import { type GraphWork, type HostTensor, fastestRun, hostTensor } from "@emosllm/runtime";

/** Per second. */
export interface MachineRates {
  /** Floating-point operations of f32 products. */
  readonly f32: number;
  /** Operations of products by 8-bit rows. */
  readonly int8: number;
  /** Bytes that an element-wise op reads and writes. */
  readonly bytes: number;
  /** Ops on next to nothing. */
  readonly ops: number;
}

const [ROWS, SIZE] = [512, 1024];

/** Measures them; a second or so. */
export async function machineRates(): Promise<MachineRates> {
  const x = input("x", [ROWS, SIZE]);
  const feeds = {
    x: hostTensor(
      "f32",
      [ROWS, SIZE],
      Float32Array.from({ length: ROWS * SIZE }, (_, i) => Math.sin(i)),
    ),
  };
  const w = hostTensor("f32", [SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(0.5));
  const data = hostTensor("i8", [SIZE, SIZE], new Int8Array(SIZE * SIZE).fill(3));
  const scales = hostTensor("f32", [SIZE], new Float32Array(SIZE).fill(0.01));
  const weights = new Map<string, HostTensor>([
    ["w", w],
    ["data", data],
    ["scales", scales],
  ]);
  const time = async (y: Tensor): Promise<number> => (await fastestRun(sum(y), feeds, { weights })) / 1000;
  let chain = x;
  for (let i = 0; i < 20; i++) chain = add(chain, x);
  const nothing = await time(x);
  const product = await time(matmul(x, weight("w", [SIZE, SIZE], "f32"), { transB: true }));
  const rounded = await time(
    matMulInt8(x, {
      data: weight("data", [SIZE, SIZE], "i8"),
      scales: weight("scales", [SIZE], "f32"),
      n: SIZE,
      k: SIZE,
    }),
  );
  const moved = await time(chain);
  const flop = 2 * ROWS * SIZE * SIZE;
  return {
    f32: flop / (product - nothing),
    int8: flop / (rounded - nothing),
    bytes: (20 * 3 * 4 * ROWS * SIZE) / (moved - nothing),
    ops: 1 / OP_SECONDS,
  };
}

/** What onnxruntime takes for an op beside its work, seconds (measured on graphs of small ops). */
const OP_SECONDS = 5e-6;

/** Seconds of a step with that work. Packed blocks run about as fast as f32 where many rows go through at once. */
export const secondsOf = (work: GraphWork, rates: MachineRates): number =>
  (work.f32 + work.blocks) / rates.f32 + work.int8 / rates.int8 + work.bytes / rates.bytes + work.ops / rates.ops;
