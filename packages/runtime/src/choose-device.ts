/** @file `auto`: the fastest device of this machine, measured with one product. */
import { input, matmul, slice, weight } from "@emosllm/graph";
import { fastestRun } from "./fastest-run.ts";
import { hostTensor } from "./host-tensor.ts";
import type { Device } from "./program.ts";

/** A device, or `auto` for the fastest there is. */
export type DeviceChoice = Device | "auto";

/** What was chosen, and why in words. */
export interface ChosenDevice {
  readonly device: Device;
  readonly why: string;
}

/** Devices that `auto` tries beside the CPU, the first that opens. */
const TRIED: readonly Device[] = ["cuda", "webgpu"];
const [ROWS, SIZE] = [512, 1024];
/** Floating-point operations of the product that {@link productTime} measures. */
export const PRODUCT_FLOP: number = 2 * ROWS * SIZE * SIZE;

/**
 * A device as it is, or for `auto` the one that multiplies fastest (512x1024x1024, f32): a software device opens as well, and is slower than the CPU.
 */
export async function chooseDevice(choice: DeviceChoice): Promise<ChosenDevice> {
  if (choice !== "auto") return { device: choice, why: "as asked" };
  const cpu = await productTime("cpu");
  for (const device of TRIED) {
    const time = await productTime(device).catch(() => undefined);
    if (time === undefined) continue;
    const compared = `a product of 512x1024x1024 takes ${time.toFixed(1)} ms on ${device} and ${cpu.toFixed(1)} ms on cpu`;
    return { device: time < cpu ? device : "cpu", why: compared };
  }
  return { device: "cpu", why: `neither ${TRIED.join(" nor ")} can be opened here` };
}

/** Milliseconds of the fastest of a few products of 512x1024x1024, little of which comes back. Throws as `compile`. */
export async function productTime(device: Device): Promise<number> {
  const weights = new Map([["w", hostTensor("f32", [SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(0.5))]]);
  const y = matmul(input("x", [ROWS, SIZE]), weight("w", [SIZE, SIZE], "f32"));
  const feeds = { x: hostTensor("f32", [ROWS, SIZE], new Float32Array(ROWS * SIZE).fill(1)) };
  return fastestRun(slice(y, 1, 0, 1), feeds, { device, weights, runs: 4 });
}
