/** @file Activations by transformers' names, as config.json has them. */
import { type Tensor, gelu, relu, silu } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";

const ACTIVATIONS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  silu,
  swish: silu,
  relu,
  gelu: (x) => gelu(x),
  gelu_pytorch_tanh: (x) => gelu(x, { approximate: "tanh" }),
};

/** Throws EmosllmError `model_unsupported` naming config.json's `key`. */
export function activationNamed(name: string, key: string): (x: Tensor) => Tensor {
  const found = ACTIVATIONS[name];
  if (!found)
    throw new EmosllmError(
      "model_unsupported",
      `config.json: ${key} '${name}' is not supported; supported are ${Object.keys(ACTIVATIONS).join(", ")}`,
    );
  return found;
}
