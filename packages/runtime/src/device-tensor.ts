/** @file Tensors in the memory of a device: state that programs read and write without it passing through this process. */
import type { DType } from "@emosllm/graph";
import type * as ort from "onnxruntime-node";
import type { HostTensor } from "./host-tensor.ts";

/** A value on a device, row-major. Made by {@link deviceMemory}; what it holds is read with that memory's `read`. */
export interface DeviceTensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  /** The buffer, as the executor knows it. */
  readonly buffer: ort.Tensor;
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
