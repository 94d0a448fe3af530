/** @file First values of trained parameters, as PyTorch and PEFT begin: the projector's own rules, LoRA's A uniform and B zero. */
import { type EmoSllmParts, PROJECTOR_PREFIX } from "@emosllm/model";
import type { Initializer } from "@emosllm/projector";
import { EmosllmError } from "@emosllm/interfaces";
import type { TensorStore } from "./parameters.ts";
import { orthogonalFactor } from "./orthogonal.ts";
import { normal, randomStream } from "./random.ts";

/**
 * Fills a store. Each tensor has a random stream of its own, so a changed shape elsewhere changes nothing here. `fromBase`: values
 * of what begins as the base has it (DoRA's magnitudes, biases, whole modules; A and B of PiSSA and OLoRA), from `firstValues` of `@emosllm/lora`. Throws
 * EmosllmError `not_supported` for such a parameter without a value.
 */
export function initialise(
  store: TensorStore,
  { projector, adapter }: EmoSllmParts,
  seed: number,
  fromBase: ReadonlyMap<string, { readonly data: ArrayLike<number | bigint> }> = new Map(),
): void {
  for (const [name, t] of Object.entries(store.tensors)) {
    const given = fromBase.get(name);
    if (given && (!DRAWN.test(name) || adapter?.initial)) {
      t.data.set(given.data as Float32Array);
      continue;
    }
    const part = adapter?.config.init_lora_weights === "orthogonal" ? ORTHOGONAL.exec(name) : null;
    if (part) {
      t.data.set(orthogonalFactor(part[2] as "A" | "B", t.shape, seed, part[1] as string));
      continue;
    }
    const rule: Initializer | undefined = name.startsWith(PROJECTOR_PREFIX)
      ? projector.initializers[name.slice(PROJECTOR_PREFIX.length)]
      : loraInitializer(name, t.shape, adapter?.config.init_lora_weights);
    if (!rule) throw new RangeError(`internal: no first value for '${name}'`);
    fill(t.data, rule, seed, name);
  }
}

const ORTHOGONAL = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;
/** What is drawn or zero, whatever the base holds. */
const DRAWN = /\.lora_[AB]\.(weight|bias)$|\.lora_embedding_[AB]$/;

/** `init_lora_weights`: true is A uniform in +-1/sqrt(in) (kaiming with a = sqrt 5) and B zero; "gaussian" is A `[r, in]` of deviation 1/r; false draws both as PyTorch's linear layers, so that the adapter is not without effect. Of embeddings A is zero and B of deviation 1. */
function loraInitializer(name: string, shape: readonly number[], kind: unknown): Initializer {
  if (!DRAWN.test(name))
    throw new EmosllmError("not_supported", `'${name}' begins as the base has it; give its value (firstValues)`);
  const isA = name.includes(".lora_A.");
  if (name.includes(".lora_embedding_") && (kind === true || kind === "gaussian" || kind === "orthogonal"))
    return name.endsWith("_A") ? { kind: "zeros" } : { kind: "normal", std: 1 };
  const uniform: Initializer = { kind: "uniform", bound: 1 / Math.sqrt(shape[1] ?? 1) };
  if (kind === false && name.endsWith(".weight")) return uniform;
  if (name.endsWith(".bias")) return { kind: "zeros" };
  if (kind === true) return isA ? uniform : { kind: "zeros" };
  if (kind === "gaussian") return isA ? { kind: "normal", std: 1 / (shape[0] ?? 1) } : { kind: "zeros" };
  throw new EmosllmError(
    "not_supported",
    `init_lora_weights ${JSON.stringify(kind)} is not supported; true, false, "gaussian" and "orthogonal" are`,
  );
}

function fill(data: Float32Array, rule: Initializer, seed: number, name: string): void {
  const r = randomStream(seed, `initialise ${name}`);
  if (rule.kind === "zeros") data.fill(0);
  else if (rule.kind === "ones") data.fill(1);
  else if (rule.kind === "uniform") for (let i = 0; i < data.length; i++) data[i] = (2 * r.next() - 1) * rule.bound;
  else if (rule.kind === "normal") for (let i = 0; i < data.length; i++) data[i] = normal(r) * rule.std;
}
