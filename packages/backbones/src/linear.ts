/** @file How a backbone multiplies by its weights: one function it is given, so that adapters and quantisation can step in between. */
import { type Tensor, add, cast, matmul, weight } from "@emosllm/graph";
import type { TensorSource } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { type PackedProduct, matMulPacked } from "./precision.ts";

/**
 * Linear layers by the path of their module (`model.layers.0.self_attn.q_proj`), all of the same input `[tokens, in]`; gives
 * `[tokens, out]` each. Layers that share an input are asked for together, so that an implementation may batch them.
 */
export type Linear = (paths: readonly string[], x: Tensor) => Tensor[];

/** A checkpoint's tensors by name. */
export type TensorTable = ReadonlyMap<string, TensorSource>;

/** The frozen tensor `name` in f32. Throws EmosllmError `checkpoint_invalid` when it is missing. */
export function frozen(tensors: TensorTable, name: string, prefix = ""): Tensor {
  const source = tensors.get(name);
  if (!source) {
    const near = [...tensors.keys()].filter((k) => k.split(".").at(-2) === name.split(".").at(-2)).slice(0, 3);
    throw new EmosllmError(
      "checkpoint_invalid",
      `The checkpoint has no tensor '${name}'${near.length > 0 ? `; similar: ${near.join(", ")}` : ""} (it has ${tensors.size} tensors).`,
    );
  }
  if (source.dtype === "f64" || source.dtype === "i16")
    throw new EmosllmError(
      "model_unsupported",
      `The tensor '${name}' is ${source.dtype}; store it as f32, f16 or bf16.`,
    );
  return cast(weight(prefix + name, source.shape, source.dtype), "f32");
}

/** x W^T, and + b where `PATH.bias` is among `names`. Layers in `packed` are products by integers. */
export const linearOver =
  (
    names: ReadonlySet<string>,
    tensor: (name: string) => Tensor,
    packed: ReadonlyMap<string, PackedProduct> = new Map(),
  ): Linear =>
  (paths, x) =>
    paths.map((path) => {
      const integers = packed.get(path);
      const y = integers ? matMulPacked(x, integers) : matmul(x, tensor(`${path}.weight`), { transB: true });
      return names.has(`${path}.bias`) ? add(y, tensor(`${path}.bias`)) : y;
    });
