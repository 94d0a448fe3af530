/** @file Frames of rows of different lengths without what pads them, and back: projectors compute only what counts. */
import { type Dim, type Tensor, cast, dimMultiply, mul, reshape, takeRows } from "@emosllm/graph";
import { inside } from "./layers.ts";
import type { FramePacking } from "./projector.ts";

/** From the rectangle to the frames that count, and back. */
export interface PackedFrames {
  /** Frames that count, of all rows. */
  readonly own: Dim;
  /** `[rows, time, width]` -> `[own, width]`; `differentiable` where a gradient goes back through it. */
  readonly pack: (x: Tensor, differentiable: boolean) => Tensor;
  /** `[own, width]` -> `[rows, time, width]`; beyond a row's length stands some other frame. */
  readonly spread: (x: Tensor) => Tensor;
}

/** Without `packing` all frames count. */
export function packedFrames(rows: Dim, time: Dim, lengths: Tensor, packing: FramePacking | undefined): PackedFrames {
  const all = dimMultiply(rows, time);
  const flat = (x: Tensor): Tensor => reshape(x, [all, x.shape[2] as Dim]);
  const apart = (x: Tensor): Tensor => reshape(x, [rows, time, x.shape[1] as Dim]);
  if (!packing) return { own: all, pack: flat, spread: apart };
  const { places, owners } = packing;
  const kept = reshape(cast(inside(lengths, time), "f32"), [rows, time, 1]);
  return {
    own: places.shape[0] as Dim,
    // What is left out gets no gradient, but the other gather would give it some.
    pack: (x, differentiable) => takeRows(flat(differentiable ? mul(x, kept) : x), places, owners),
    spread: (x) => apart(takeRows(x, owners, places)),
  };
}
