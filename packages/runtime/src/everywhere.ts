/** @file What the runtime has on Node and in a page alike. */
export type { Evaluate } from "./evaluate-by.ts";
export { feedsOf } from "./feeds.ts";
export {
  bytesPerElement,
  elements,
  f32,
  hostTensor,
  HOST_ARRAYS,
  i64,
  zeros,
  type HostArrays,
  type HostTensor,
} from "./host-tensor.ts";
export { graphWork, type GraphWork } from "./graph-work.ts";
export { liveBytes, type LiveBytes } from "./live-bytes.ts";
export type { CompileOptions, Device, Program, RunOptions, SessionOptions } from "./program.ts";
export type { Port } from "./lower.ts";
export type { FileRanges, FileSource, WeightSource } from "./weight-source.ts";
export type { DeviceTensor, Value } from "./device-tensor.ts";
export type { DeviceMemory } from "./device-memory.ts";
export type { ChosenDevice, DeviceChoice } from "./choose-device.ts";
