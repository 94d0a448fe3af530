export { TFJS_BACKENDS, loadTfjs, type Backend, type Tf } from "./backends.ts";
export { TFJS_DEVICES, type TfjsDevice } from "./devices.ts";
export { compile, type TfjsOptions } from "./program.ts";
