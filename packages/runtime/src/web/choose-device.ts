/** @file `auto` in a page: the browser's graphics card where it has one, else WebAssembly. */
import type { ChosenDevice, DeviceChoice } from "../choose-device.ts";
import type { Device } from "../program.ts";

interface Adapter {
  readonly features?: ReadonlySet<string>;
  readonly isFallbackAdapter?: boolean;
  readonly info?: { readonly vendor: string; readonly architecture: string; readonly isFallbackAdapter?: boolean };
}
interface Gpu {
  requestAdapter(): Promise<Adapter | null>;
}

const gpuOf = (): Gpu | undefined => (globalThis as { navigator?: { gpu?: Gpu } }).navigator?.gpu;

const adapterOf = async (gpu: Gpu | undefined): Promise<Adapter | null> =>
  (await gpu?.requestAdapter().catch(() => null)) ?? null;

/** Whether programs on `device` can read f16: WebAssembly always, a graphics card where the browser says so. */
export async function readsHalf(device: Device): Promise<boolean> {
  if (device !== "webgpu") return true;
  return (await adapterOf(gpuOf()))?.features?.has("shader-f16") ?? false;
}

/** Software that plays a graphics card: slower than WebAssembly. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;

/** A device as it is; for `auto`, what to use in this browser, and why. */
export async function chooseDevice(choice: DeviceChoice): Promise<ChosenDevice> {
  if (choice !== "auto") return { device: choice, why: "as asked" };
  const gpu = gpuOf();
  if (!gpu) return { device: "cpu", why: "this browser has no WebGPU (pages need HTTPS or localhost for it)" };
  const adapter = await adapterOf(gpu);
  if (!adapter) return { device: "cpu", why: "this browser's WebGPU finds no graphics card" };
  const name = [adapter.info?.vendor, adapter.info?.architecture].filter(Boolean).join(" ") || "a graphics card";
  const isSoftware = adapter.isFallbackAdapter ?? adapter.info?.isFallbackAdapter ?? false;
  if (isSoftware || SOFTWARE.test(name)) return { device: "cpu", why: `WebGPU is ${name}, software, here` };
  return { device: "webgpu", why: `WebGPU on ${name}` };
}
