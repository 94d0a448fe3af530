export { evaluate } from "./evaluate.ts";
export { elements, f32, hostTensor, HOST_ARRAYS, i64, zeros, type HostArrays, type HostTensor } from "./host-tensor.ts";
export { lower, type LoweredModel, type Port, type WeightSource } from "./lower.ts";
export {
  compile,
  DEVICES,
  feedsOf,
  type CompileOptions,
  type Device,
  type Program,
  type RunOptions,
  type SessionOptions,
} from "./program.ts";
export { openHost, type HostedProgram, type HostedRunOptions, type ProgramHost } from "./worker-host.ts";
