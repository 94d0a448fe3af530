/** @file The trained part of a LoRA adapter: names and shapes as PEFT's files have them, and how it enters a backbone's linear layers. */
import type { Linear, TensorTable } from "@emosllm/backbones";
import { type Shape, type Tensor, add, matmul } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import type { LoraConfig } from "./config.ts";
import { type LoraTarget, loraTargets } from "./targets.ts";

const PREFIX = "base_model.model.";

/** Names of the two matrices of a module, as in `adapter_model.safetensors`. */
export const loraNames = (path: string): { readonly a: string; readonly b: string } => ({
  a: `${PREFIX}${path}.lora_A.weight`,
  b: `${PREFIX}${path}.lora_B.weight`,
});

/** An adapter without its numbers. */
export interface LoraAdapter {
  readonly config: LoraConfig;
  readonly targets: readonly LoraTarget[];
  /** Shapes by PEFT's names: A `[r, in]`, B `[out, r]`. */
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  /** The backbone's linear layers with the adapter: W x + scaling * B(A x). */
  readonly apply: (linear: Linear, parameter: (name: string, shape: Shape) => Tensor) => Linear;
}

/** The base's linear layers: paths and `[out, in]`. */
export interface LoraBase {
  readonly linearPaths: readonly string[];
  readonly tensors: TensorTable;
}

/** Lays an adapter out over a base. Throws EmosllmError `adapter_invalid`, `not_supported`. */
export function loraAdapter(config: LoraConfig, base: LoraBase): LoraAdapter {
  for (const key of ["use_dora", "lora_bias"] as const)
    if (config[key]) throw new EmosllmError("not_supported", `adapter_config.json: ${key} is not supported yet`);
  if (config.bias !== "none" || config.modules_to_save !== null)
    throw new EmosllmError("not_supported", "adapter_config.json: bias and modules_to_save are not supported yet");
  const targets = loraTargets(config, base.linearPaths);
  const parameters: Record<string, readonly number[]> = {};
  for (const { path, rank } of targets) {
    const [out, input] = (base.tensors.get(`${path}.weight`)?.shape ?? []) as readonly [number, number];
    const { a, b } = loraNames(path);
    parameters[a] = [rank, input];
    parameters[b] = [out, rank];
  }
  const byPath = new Map(targets.map((t) => [t.path, t]));
  const apply: LoraAdapter["apply"] = (linear, parameter) => (paths, x) =>
    linear(paths, x).map((y, i) => {
      const target = byPath.get(paths[i] as string);
      if (!target) return y;
      const { a, b } = loraNames(target.path);
      const [A, B] = [parameter(a, parameters[a] as Shape), parameter(b, parameters[b] as Shape)];
      return add(y, matmul(matmul(x, A, { transB: true }), B, { transB: true, alpha: target.scaling }));
    });
  return { config, targets, parameters, apply };
}
