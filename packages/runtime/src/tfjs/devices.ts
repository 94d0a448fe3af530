/** @file The devices that run on TensorFlow.js, told apart from onnxruntime's by their beginning. Nothing is loaded here. */

/** Pure JavaScript, WebAssembly, TensorFlow's own library on the CPU or on CUDA, and WebGPU. */
export const TFJS_DEVICES = ["tfjs-cpu", "tfjs-wasm", "tfjs-node", "tfjs-gpu", "tfjs-webgpu"] as const;
/** One of {@link TFJS_DEVICES}. */
export type TfjsDevice = (typeof TFJS_DEVICES)[number];

/** Whether TensorFlow.js runs it. */
export const isTfjsDevice = (device: string): device is TfjsDevice =>
  (TFJS_DEVICES as readonly string[]).includes(device);
