/**
 * @file Adapters for servers that read only part of PEFT's format: vLLM, and llama.cpp's `convert_lora_to_gguf.py`. Both know A and B
 * of one rank with one factor: llama.cpp ignores rsLoRA and the patterns, vLLM the patterns; neither holds anything else.
 */
import type { StoredTensor } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { loraAdapter } from "./adapter.ts";
import type { LoraBase } from "./base.ts";
import { loraConfig } from "./config.ts";
import type { LoadedAdapter } from "./load.ts";
import { loraNames } from "./names.ts";
import { type SaveAdapterOptions, saveAdapter } from "./save.ts";

/** What each refuses, and why. */
const REFUSED: readonly (readonly [(a: LoadedAdapter) => boolean, string])[] = [
  [({ config }) => config.use_dora, "use_dora: they have no place for lora_magnitude_vector"],
  [({ config }) => config.lora_bias, "lora_bias: they have no place for lora_B.bias"],
  [({ config }) => config.bias !== "none", "bias: they have no place for trained biases"],
  [({ config }) => (config.modules_to_save ?? []).length > 0, "modules_to_save: they have no place for whole modules"],
  [({ adapter }) => adapter.tokens.length > 0, "trainable_token_indices: they have no place for rows of embeddings"],
  [({ adapter }) => adapter.targets.some((t) => t.embedding), "an adapter on the embeddings: vLLM takes none"],
];

/**
 * Writes the adapter so that a reader of `r`, `lora_alpha`, A and B alone computes the same: targets as full paths, and where ranks or
 * factors differ between modules or rsLoRA is on, every rank padded with zeros to the largest, every factor multiplied into B, and
 * `lora_alpha` equal to `r`. PEFT reads the result too. Throws EmosllmError `not_supported` with the reason when they cannot hold it;
 * what {@link saveAdapter} throws.
 */
export async function exportAdapter(
  folder: string,
  loaded: LoadedAdapter,
  base: LoraBase,
  options: SaveAdapterOptions = {},
): Promise<void> {
  const reasons = REFUSED.filter(([hit]) => hit(loaded)).map(([, reason]) => reason);
  if (reasons.length > 0)
    throw new EmosllmError(
      "not_supported",
      `vLLM and llama.cpp cannot hold this adapter (${reasons.join("; ")}); merge it into the weights instead`,
    );
  const { config, adapter, tensors } = loaded;
  const rank = Math.max(...adapter.targets.map((t) => t.rank));
  const uniform = adapter.targets.every(
    (t) => t.rank === rank && t.scaling === (adapter.targets[0]?.scaling as number),
  );
  const bake = config.use_rslora || !uniform;
  const plain = loraConfig({
    ...config,
    r: rank,
    lora_alpha: bake ? rank : (adapter.targets[0]?.scaling as number) * rank,
    use_rslora: false,
    rank_pattern: {},
    alpha_pattern: {},
    target_modules: adapter.targets.map((t) => t.path),
    exclude_modules: null,
    layers_to_transform: null,
    layers_pattern: null,
  });
  const padded = new Map<string, StoredTensor>();
  for (const target of adapter.targets) {
    const { a, b } = loraNames(target.path);
    const [A, B] = [tensors.get(a), tensors.get(b)] as [StoredTensor, StoredTensor];
    const [width, out] = [A.shape[1] as number, B.shape[0] as number];
    const factor = bake ? target.scaling : 1;
    const [newA, newB] = [new Float32Array(rank * width), new Float32Array(out * rank)];
    newA.set(A.data as Float32Array);
    for (let o = 0; o < out; o++)
      for (let k = 0; k < target.rank; k++) newB[o * rank + k] = (B.data[o * target.rank + k] as number) * factor;
    padded.set(a, { dtype: "f32", shape: [rank, width], data: newA });
    padded.set(b, { dtype: "f32", shape: [out, rank], data: newB });
  }
  await saveAdapter(folder, { adapter: loraAdapter(plain, base), tensors: padded }, options);
}
