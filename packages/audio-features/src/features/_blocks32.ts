/** @file Passes over long single-precision arrays in vectors: blocks go through one small kernel. */
import { createKernel, type Kernel } from "./kernel.ts";

const BLOCK = 16_384;

let made: { readonly run: Kernel["run"]; readonly block: Float32Array } | undefined;

function scratch(): NonNullable<typeof made> {
  if (made === undefined) {
    const { run, f32 } = createKernel(4 * BLOCK + 64);
    made = { run, block: f32(BLOCK) };
  }
  return made;
}

/** Whether every value is finite. */
export function allFinite(values: Float32Array): boolean {
  const { run, block } = scratch();
  for (let from = 0; from < values.length; from += BLOCK) {
    const part = values.subarray(from, from + BLOCK);
    block.set(part);
    const count = (part.length + 3) & ~3;
    block.fill(0, part.length, count);
    if (run.finite32(block.byteOffset, count) === 0) return false;
  }
  return true;
}

/** Whisper's scale, in place: `max(floor, value) / 4 + 1`. */
export function whisperScale(values: Float32Array, floor: number): void {
  const { run, block } = scratch();
  for (let from = 0; from < values.length; from += BLOCK) {
    const part = values.subarray(from, from + BLOCK);
    block.set(part);
    run.scale32(block.byteOffset, (part.length + 3) & ~3, floor);
    values.set(part.length === BLOCK ? block : block.subarray(0, part.length), from);
  }
}
