/** @file Whether a device is set up: a small training step on it against the CPU, and how fast it multiplies. */
import { type Tensor, add, gelu, gradients, input, matmul, mean, softmaxCrossEntropy } from "@emosllm/graph";
import { PRODUCT_FLOP, productTime } from "./choose-device.ts";
import { evaluate } from "./evaluate.ts";
import { type HostTensor, f32, i64 } from "./host-tensor.ts";
import type { Device } from "./program.ts";

/** What {@link checkDevice} found. */
export interface DeviceCheck {
  readonly device: Device;
  /** The largest difference of the loss and its gradients from the CPU's, relative to the largest value. */
  readonly difference: number;
  /** Whether it is within {@link ALLOWED}. */
  readonly ok: boolean;
  /** 10^9 floating-point operations a second in products of 512x1024x1024, f32, with the way there and back of what is fed. */
  readonly gflops: number;
}

/** f32 in another order of sums, and on cards products of fewer bits: what WebGPU is allowed in our own tests. */
export const ALLOWED = 2e-4;
const [ROWS, SIZE, CLASSES] = [24, 40, 7];

/** Runs the check. Throws EmosllmError `device_unavailable` saying what to install when the device does not open. */
export async function checkDevice(device: Device): Promise<DeviceCheck> {
  const [x, w, v] = [input("x", [ROWS, SIZE]), input("w", [SIZE, SIZE]), input("v", [CLASSES, SIZE])];
  const logits = matmul(gelu(add(matmul(x, w), x)), v, { transB: true });
  const loss = mean(softmaxCrossEntropy(logits, input("target", [ROWS], "i64")));
  const outputs = Object.fromEntries([loss, ...gradients(loss, [x, w, v])].map((t, i) => [`y${i}`, t as Tensor]));
  const feeds = {
    x: wave([ROWS, SIZE], 1.3),
    w: wave([SIZE, SIZE], 0.7),
    v: wave([CLASSES, SIZE], 2.1),
    target: i64(
      Array.from({ length: ROWS }, (_, i) => (i * 5) % CLASSES),
      [ROWS],
    ),
  };
  const there = await evaluate(outputs, feeds, { device });
  const here = await evaluate(outputs, feeds);
  const difference = Math.max(
    ...Object.entries(here).map(([name, { data }]) =>
      relative(there[name]!.data as Float32Array, data as Float32Array),
    ),
  );
  const ms = await productTime(device);
  return { device, difference, ok: difference <= ALLOWED, gflops: PRODUCT_FLOP / ms / 1e6 };
}

const wave = (shape: readonly [number, number], step: number): HostTensor =>
  f32(
    Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i * step)),
    shape,
  );

function relative(got: Float32Array, want: Float32Array): number {
  const [errors, sizes] = [got.map((y, i) => Math.abs(y - want[i]!)), want.map(Math.abs)];
  // NaN is no small error.
  const error = errors.reduce((a, b) => (b <= a ? a : b), 0);
  return (Number.isNaN(error) ? Infinity : error) / sizes.reduce((a, b) => Math.max(a, b), 1e-30);
}
