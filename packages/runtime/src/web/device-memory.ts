/** @file State of programs in a page: it lies in the page's memory and is fed with each run. */
import { EmosllmError } from "@emosllm/interfaces";
import type { DeviceMemory } from "../device-memory.ts";
import type { Device } from "../program.ts";

/** Whether programs of a device can keep state there: in a page none does. */
export const keepsState = (_device: Device | undefined): boolean => false;

/** Throws EmosllmError `device_unavailable`: see {@link keepsState}. */
export async function deviceMemory(
  _shapes: Readonly<Record<string, readonly number[]>>,
  device: Device,
): Promise<DeviceMemory> {
  throw new EmosllmError("device_unavailable", `'${device}' keeps no state between programs in a page`);
}
