export { evaluate } from "./evaluate.ts";
export { fastestRun, type FastestRunOptions } from "./fastest-run.ts";
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
export { int8Overflows } from "./int8-overflow.ts";
export { liveBytes, type LiveBytes } from "./live-bytes.ts";
export { lower, type LoweredModel, type Port } from "./lower.ts";
export { mappedFiles } from "./mapped-files.ts";
export {
  compile,
  DEVICES,
  type CompileOptions,
  type Device,
  type Program,
  type RunOptions,
  type SessionOptions,
} from "./program.ts";
export type { FileRanges, FileSource, WeightSource } from "./weight-source.ts";
export { openHost, type HostedProgram, type HostedRunOptions, type ProgramHost } from "./worker-host.ts";
export { deviceMemory, keepsState, type DeviceMemory } from "./device-memory.ts";
export type { DeviceTensor, Value } from "./device-tensor.ts";
export { checkDevice, type DeviceCheck } from "./check-device.ts";
export { chooseDevice, type ChosenDevice, type DeviceChoice } from "./choose-device.ts";
