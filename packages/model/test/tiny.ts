/** @file A tiny random model for tests: one Llama layer in memory, a small QPMapper, LoRA. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PrecisionOptions, openLanguageModel } from "@emosllm/backbones";
import { type StoredTensor, writeSafetensors } from "@emosllm/checkpoints";
import { loraAdapter, loraConfig } from "@emosllm/lora";
import { type ProjectorConfig, makeProjector, qpMapperConfig } from "@emosllm/projector";
import { type HostTensor, f32 } from "@emosllm/runtime";
import { afterAll } from "vitest";
import { type EmoSllmParts, trainedShapes } from "../src/index.ts";

const [D, F, V, HEADS, KV, LAYERS] = [16, 24, 40, 4, 2, 2];

export function randoms(seed: number): () => number {
  let s = seed;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 31 - 1;
  };
}

const made: string[] = [];
afterAll(() => Promise.all(made.map((folder) => rm(folder, { recursive: true, force: true }))));

/** An empty folder that is there until the test file has run. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "emosllm-tiny-"));
  made.push(folder);
  return folder;
}

/** Writes a backbone folder and gives it. */
export async function tinyBackbone(seed = 1): Promise<string> {
  const folder = await temporaryFolder();
  const r = randoms(seed);
  const shapes: Record<string, number[]> = { "model.embed_tokens.weight": [V, D], "model.norm.weight": [D] };
  for (let i = 0; i < LAYERS; i++) {
    const at = `model.layers.${i}`;
    const kv = (D / HEADS) * KV;
    Object.assign(shapes, {
      [`${at}.self_attn.q_proj.weight`]: [D, D],
      [`${at}.self_attn.k_proj.weight`]: [kv, D],
      [`${at}.self_attn.v_proj.weight`]: [kv, D],
      [`${at}.self_attn.o_proj.weight`]: [D, D],
      [`${at}.mlp.gate_proj.weight`]: [F, D],
      [`${at}.mlp.up_proj.weight`]: [F, D],
      [`${at}.mlp.down_proj.weight`]: [D, F],
      [`${at}.input_layernorm.weight`]: [D],
      [`${at}.post_attention_layernorm.weight`]: [D],
    });
  }
  const tensors = Object.entries(shapes).map(([name, shape]): [string, StoredTensor] => {
    const n = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: n }, () =>
      shape.length === 1 ? 1 + 0.1 * r() : (2 * r()) / Math.sqrt(shape[1] as number),
    );
    return [name, { dtype: "f32", shape, data }];
  });
  await writeSafetensors(join(folder, "model.safetensors"), new Map(tensors), { format: "pt" });
  await writeFile(
    join(folder, "config.json"),
    JSON.stringify({
      model_type: "llama",
      hidden_size: D,
      intermediate_size: F,
      num_hidden_layers: LAYERS,
      num_attention_heads: HEADS,
      num_key_value_heads: KV,
      vocab_size: V,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      tie_word_embeddings: true,
    }),
  );
  return folder;
}

/** Width of the language model. */
export const WIDTH = D;
export const AUDIO_SIZE = 5;
export const QUERIES = 3;
export const projectorConfig = qpMapperConfig(AUDIO_SIZE, D, { hidden_size: 8, num_heads: 2, num_queries: QUERIES });
export const adapterConfig = loraConfig({ peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: "all-linear" });

export async function tinyModel(
  seed = 1,
  projector: ProjectorConfig = projectorConfig,
  precision: Omit<PrecisionOptions, "packing"> = {},
): Promise<{ folder: string; parts: EmoSllmParts; parameters: Record<string, HostTensor<"f32">> }> {
  const folder = await tinyBackbone(seed);
  const packing = { cacheFolder: join(folder, "cache") };
  const languageModel = await openLanguageModel(folder, { ...precision, packing });
  const adapter = loraAdapter(adapterConfig, {
    linearPaths: languageModel.linearPaths,
    tensors: languageModel.checkpoint.tensors,
  });
  const parts: EmoSllmParts = { languageModel, projector: makeProjector(projector), adapter, audioSize: AUDIO_SIZE };
  const r = randoms(seed + 100);
  const parameters = Object.fromEntries(
    Object.entries(trainedShapes(parts)).map(([name, shape]) => [
      name,
      f32(
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.4 * r()),
        shape,
      ),
    ]),
  );
  return { folder, parts, parameters };
}
