/** @file First values of trained parameters, as PyTorch and PEFT begin: the projector's own rules, LoRA's A uniform and B zero. */
import { type EmoSllmParts, PROJECTOR_PREFIX } from "@emosllm/model";
import type { Initializer } from "@emosllm/projector";
import { EmosllmError } from "@emosllm/interfaces";
import type { TensorStore } from "./parameters.ts";
import { normal, randomStream } from "./random.ts";

/** Fills a store. Each tensor has a random stream of its own, so a changed shape elsewhere changes nothing here. */
export function initialise(store: TensorStore, { projector, adapter }: EmoSllmParts, seed: number): void {
  for (const [name, t] of Object.entries(store.tensors)) {
    const rule: Initializer | undefined = name.startsWith(PROJECTOR_PREFIX)
      ? projector.initializers[name.slice(PROJECTOR_PREFIX.length)]
      : loraInitializer(name, t.shape, adapter?.config.init_lora_weights, adapter?.config.r ?? 1);
    if (!rule) throw new RangeError(`internal: no first value for '${name}'`);
    fill(t.data, rule, seed, name);
  }
}

/** `init_lora_weights`: true is A uniform in +-1/sqrt(in) (kaiming with a = sqrt 5) and B zero; "gaussian" is A of deviation 1/r. */
function loraInitializer(name: string, shape: readonly number[], kind: unknown, r: number): Initializer {
  const isA = name.includes(".lora_A.");
  if (kind === true) return isA ? { kind: "uniform", bound: 1 / Math.sqrt(shape[1] ?? 1) } : { kind: "zeros" };
  if (kind === "gaussian") return isA ? { kind: "normal", std: 1 / r } : { kind: "zeros" };
  throw new EmosllmError(
    "not_supported",
    `init_lora_weights ${JSON.stringify(kind)} is not supported; true and "gaussian" are`,
  );
}

function fill(data: Float32Array, rule: Initializer, seed: number, name: string): void {
  const r = randomStream(seed, `initialise ${name}`);
  if (rule.kind === "zeros") data.fill(0);
  else if (rule.kind === "ones") data.fill(1);
  else if (rule.kind === "uniform") for (let i = 0; i < data.length; i++) data[i] = (2 * r.next() - 1) * rule.bound;
  else if (rule.kind === "normal") for (let i = 0; i < data.length; i++) data[i] = normal(r) * rule.std;
}
