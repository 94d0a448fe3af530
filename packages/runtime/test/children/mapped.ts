/** @file Multiplies with a large weight and prints how much memory of its own, and of mapped files, this took (MB); with `packed` beside a product by integers. */
import { readFileSync } from "node:fs";
import { openCheckpoint } from "@emosllm/checkpoints";
import { type Tensor, constant, input, matMulNBits, matmul, slice, weight } from "@emosllm/graph";
import { type WeightSource, evaluate, f32, zeros } from "../../src/index.ts";

const memory = (field: string): number =>
  Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;

const { tensors } = await openCheckpoint(process.argv[2] as string);
const x = input("x", ["rows", 4096]);
// A first program brings onnxruntime's own memory.
await evaluate({ y: matmul(x, input("v", [4096, 1])) }, { x: zeros("f32", [1, 4096]), v: zeros("f32", [4096, 1]) });
const small = {
  data: constant(new Uint8Array(32), [1, 1, 32]),
  scales: constant([1], [1, 1]),
  bits: 8,
  blockSize: 32,
  n: 1,
  k: 32,
} as const;
const beside: Record<string, Tensor> =
  process.argv[3] === "packed" ? { z: matMulNBits(slice(x, 1, 0, 32), small) } : {};
const before = [memory("RssAnon"), memory("RssFile")] as const;
const { y } = await evaluate(
  { y: matmul(x, weight("w", [4096, 4096]), { transB: true }), ...beside },
  { x: f32(new Float32Array(4096).fill(1), [1, 4096]) },
  { weights: (name) => tensors.get(name) as WeightSource | undefined },
);
const peakFile = memory("VmHWM") - before[0] - before[1];
console.log(
  JSON.stringify({
    y: y.data[4095],
    anonymousMb: Math.round(memory("RssAnon") - before[0]),
    mappedMb: Math.round(peakFile),
  }),
);
