/**
 * @file Named tensors that stay on a device. They are outputs of a program that copies its inputs; onnxruntime keeps such outputs where they
 * are, and later programs are handed them as inputs and, in place, as outputs.
 */
import { type Shape, type Tensor, input, reshape } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import type { DeviceTensor } from "./device-tensor.ts";
import { type HostTensor, zeros } from "./host-tensor.ts";
import { type Device, type Program, compile, compileKept } from "./program.ts";

/** f32 tensors on a device. Dispose it when no program uses them any more. */
export interface DeviceMemory {
  readonly tensors: Readonly<Record<string, DeviceTensor<"f32">>>;
  /** Copies values to the device; those that are not named stay. */
  write(values: Readonly<Record<string, HostTensor<"f32">>>): Promise<void>;
  /** Copies from the device into memory of this process, by name. */
  read(into: Readonly<Record<string, HostTensor<"f32">>>): Promise<void>;
  dispose(): Promise<void>;
}

/** Whether programs of a device can keep state there. */
export const keepsState = (device: Device | undefined): boolean => device === "webgpu";

/** Zeros of the given shapes on a device. Throws EmosllmError `device_unavailable`. */
export async function deviceMemory(
  shapes: Readonly<Record<string, readonly number[]>>,
  device: Device,
): Promise<DeviceMemory> {
  if (!keepsState(device))
    throw new EmosllmError("device_unavailable", `'${device}' keeps no state between programs; 'webgpu' does`);
  const names = Object.keys(shapes);
  const copies = new Map<string, Promise<Program>>();
  /** A program that copies these tensors; kinds of copy are few (all parameters, all state). */
  const copyOf = (which: readonly string[]): Promise<Program> => {
    const key = which.join("\n");
    let program = copies.get(key);
    if (!program) copies.set(key, (program = compile(identities(which, shapes), { device })));
    return program;
  };
  const maker = await compileKept(identities(names, shapes), device);
  const tensors = (await maker.make(
    Object.fromEntries(names.map((n) => [n, zeros("f32", shapes[n] as readonly number[])])),
  )) as Record<string, DeviceTensor<"f32">>;
  const pick = (which: readonly string[]): Record<string, DeviceTensor<"f32">> =>
    Object.fromEntries(which.map((n) => [n, tensors[n] as DeviceTensor<"f32">]));
  return {
    tensors,
    async write(values) {
      const which = Object.keys(values);
      await (await copyOf(which)).run(values, { into: pick(which) });
    },
    async read(into) {
      const which = Object.keys(into);
      await (await copyOf(which)).run(pick(which), { into });
    },
    async dispose() {
      for (const program of copies.values()) await (await program).dispose();
      for (const { buffer } of Object.values(tensors)) buffer.dispose();
      // Buffers do not outlive the device, and the device not its last session.
      await maker.dispose();
    },
  };
}

const identities = (
  names: readonly string[],
  shapes: Readonly<Record<string, readonly number[]>>,
): Record<string, Tensor> =>
  Object.fromEntries(names.map((n) => [n, reshape(input(n, shapes[n] as Shape), shapes[n] as Shape)]));
