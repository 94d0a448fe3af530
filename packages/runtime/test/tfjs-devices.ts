/** @file The devices of TensorFlow.js that are tested: those of packages that are installed here, and tfjs-node or tfjs-gpu where one was built. */
import type { Device } from "../src/index.ts";

/** `EMOSLLM_TFJS` is set by `tools/tfjs/build-node.sh`. */
const built = process.env["EMOSLLM_TFJS"] as "tfjs-node" | "tfjs-gpu" | undefined;
export const TFJS: readonly Device[] = ["tfjs-wasm", "tfjs-cpu", ...(built ? [built] : [])];
