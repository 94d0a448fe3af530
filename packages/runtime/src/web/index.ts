/** @file The runtime in a page: what `@emosllm/runtime` is where a bundler builds for browsers. */
export * from "../everywhere.ts";
export { chooseDevice, readsHalf } from "./choose-device.ts";
export { deviceMemory, keepsState } from "./device-memory.ts";
export { evaluate } from "./evaluate.ts";
export { int8Overflows } from "./int8-overflow.ts";
export { compile, setUpWeb, type WebSettings } from "./program.ts";
