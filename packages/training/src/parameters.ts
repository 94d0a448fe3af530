/** @file Trained parameters in one flat array, so that gradients can be summed over machines and saved in one go; tensors are views into it. */
import { type HostTensor, elements, hostTensor } from "@emosllm/runtime";

/** Named tensors of f32 that lie one after the other in `flat`. */
export interface TensorStore {
  readonly flat: Float32Array;
  readonly tensors: Readonly<Record<string, HostTensor<"f32">>>;
}

/** Zeros of the given shapes. */
export function tensorStore(shapes: Readonly<Record<string, readonly number[]>>): TensorStore {
  const total = Object.values(shapes).reduce((n, s) => n + elements(s), 0);
  const flat = new Float32Array(total);
  let at = 0;
  const tensors = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const n = elements(shape);
      const view = flat.subarray(at, at + n);
      at += n;
      return [name, hostTensor("f32", shape, view)];
    }),
  );
  return { flat, tensors };
}
