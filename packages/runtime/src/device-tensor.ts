/** @file Tensors in the memory of a device: state that programs read and write without it passing through this process. */
import type { DType } from "@emosllm/graph";
import type { HostTensor } from "./host-tensor.ts";

/** Memory of a device, as the executor knows it. (A type of our own: onnxruntime's speak of web pages, which no program of Node.js has types for.) */
export interface DeviceBuffer {
  dispose(): void;
}

/** A value on a device, row-major. Made by {@link deviceMemory}; what it holds is read with that memory's `read`. */
export interface DeviceTensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly buffer: DeviceBuffer;
}

/** What a program is fed, and where outputs may go. */
export type Value<D extends DType = DType> = HostTensor<D> | DeviceTensor<D>;

/** Whether a value lies on a device. */
export const isOnDevice = (value: Value): value is DeviceTensor => "buffer" in value;

/** The same values, known to lie in this process' memory. Throws RangeError naming one that does not. */
export function inThisProcess(values: Readonly<Record<string, Value>>): Readonly<Record<string, HostTensor>> {
  for (const [name, value] of Object.entries(values))
    if (isOnDevice(value)) throw new RangeError(`'${name}' lies on a device, where this program cannot reach it.`);
  return values as Readonly<Record<string, HostTensor>>;
}
