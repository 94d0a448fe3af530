import { expect, test } from "vitest";
import { type Tensor, constant, gradients, input, matMulInt8, mul, sum } from "@emosllm/graph";
import { type Device, evaluate, f32 } from "../src/index.ts";
import { TFJS } from "./tfjs-devices.ts";

const [rows, k, n] = [7, 96, 40];
let state = 5;
const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
const integers = Int8Array.from({ length: k * n }, () => Math.round(127 * random()));
const turned = Int8Array.from({ length: k * n }, () => Math.round(127 * random()));
const scales = Float32Array.from({ length: n }, () => 0.01 + 0.005 * random());
const turnedScales = Float32Array.from({ length: k }, () => 0.01 + 0.005 * random());
const feeds = {
  x: f32(
    Float32Array.from({ length: rows * k }, () => random()),
    [rows, k],
  ),
  d: f32(
    Float32Array.from({ length: rows * n }, () => random()),
    [rows, n],
  ),
};

/** A product used twice, as recomputation does, and its gradient; the integers as they are, or 128 higher. */
async function run(isUnsigned: boolean, withTranspose: boolean, device: Device): Promise<Float32Array[]> {
  const stored = (data: Int8Array, shape: readonly number[]): Tensor =>
    isUnsigned
      ? constant(
          Uint8Array.from(data, (v) => v + 128),
          shape,
        )
      : constant(data, shape);
  const x = input("x", [rows, k]);
  const matrix = {
    data: stored(integers, [k, n]),
    scales: constant(scales, [n]),
    n,
    k,
    ...(withTranspose ? { transposed: { data: stored(turned, [n, k]), scales: constant(turnedScales, [k]) } } : {}),
  };
  const y = mul(matMulInt8(x, matrix), matMulInt8(mul(x, x), matrix));
  const [dx] = gradients(sum(mul(y, input("d", [rows, n]))), [x]);
  const out = await evaluate({ y, dx: dx as Tensor }, feeds, { device, threads: 1 });
  return [out.y, out.dx].map((t) => t.data as Float32Array);
}

test.each(["cpu", ...TFJS] as const)(
  "%s: unsigned integers give what signed ones give",
  { timeout: 60_000 },
  async (device) => {
    for (const withTranspose of [false, true]) {
      const unsigned = await run(true, withTranspose, device);
      // onnxruntime itself cannot hold signed ones that two products share where they would overflow: the other executor can.
      const signed = await run(false, withTranspose, device === "cpu" ? "tfjs-wasm" : device);
      unsigned.forEach((values, i) => {
        const largest = signed[i]!.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        // The same integers; sums of 96 in f32, and on the other executor a value at a border between two steps may round to the other.
        const allowed = device === "cpu" ? 2e-3 : 1e-6;
        values.forEach((v, j) => expect(Math.abs(v - signed[i]![j]!)).toBeLessThan(allowed * largest));
      });
    }
  },
);
