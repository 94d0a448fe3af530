/** @file The tensors of the base that an adapter trains whole (`bias`, `modules_to_save`), by PEFT's rules. */
import { EmosllmError } from "@emosllm/interfaces";
import { type LoraBase, OUTPUT_WEIGHT, isOutsideLinear, isTied } from "./base.ts";
import type { LoraConfig } from "./config.ts";
import { PREFIX, loraNames } from "./names.ts";

const BIAS = ".bias";

/** The modules on the way to a tensor: `a.b.weight` lies in `a` and `a.b`. */
function* modulesOf(tensor: string): Generator<string> {
  const parts = tensor.split(".");
  for (let n = 1; n < parts.length; n++) yield parts.slice(0, n).join(".");
}

/**
 * Names in the base -> names in the adapter's file. `linear`: the modules through which a trained tensor can reach the graph, beside
 * embeddings and norms of a language model. A tied output layer is a module of its own here, as in PEFT: trained, it parts from the embeddings.
 * Throws EmosllmError `adapter_invalid` for a module that is not there, `not_supported` for one that the graph does not read.
 */
export function replacedTensors(
  config: LoraConfig,
  base: LoraBase,
  targets: ReadonlySet<string>,
  linear: ReadonlySet<string>,
): Map<string, string> {
  const names = [...base.tensors.keys(), ...(isTied(base) ? [OUTPUT_WEIGHT] : [])];
  const replaced = new Map<string, string>();
  const lost = new Set(config.modules_to_save ?? []);
  for (const tensor of names)
    for (const module of modulesOf(tensor))
      for (const name of config.modules_to_save ?? [])
        // The end of the path, with no regard to dots: PEFT's own rule.
        if (module.endsWith(name)) {
          replaced.set(tensor, PREFIX + tensor);
          lost.delete(name);
        }
  if (lost.size > 0)
    throw new EmosllmError(
      "adapter_invalid",
      `adapter_config.json: modules_to_save ${JSON.stringify([...lost])} matches no module with weights of its own`,
    );
  if (config.bias !== "none")
    for (const tensor of names) {
      if (!tensor.endsWith(BIAS) || replaced.has(tensor)) continue;
      const module = tensor.slice(0, -BIAS.length);
      if (targets.has(module)) replaced.set(tensor, loraNames(module).bias);
      else if (config.bias === "all") replaced.set(tensor, PREFIX + tensor);
    }
  for (const tensor of replaced.keys()) {
    const module = tensor.slice(0, tensor.lastIndexOf("."));
    if (!linear.has(module) && !isOutsideLinear(base, tensor))
      throw new EmosllmError(
        "not_supported",
        `adapter_config.json: training '${tensor}' whole is not supported; linear layers are (${[...new Set([...linear].map((p) => p.split(".").at(-1)))].join(", ")}), and a language model's embeddings and norms`,
      );
  }
  return replaced;
}
