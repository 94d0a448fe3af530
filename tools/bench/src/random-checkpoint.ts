/** @file Checkpoints of random weights at given shapes, written without holding them in memory. */
import { mkdir, open, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { f32ToF16 } from "@emosllm/checkpoints";
import { randomStream } from "@emosllm/training";
import { type ShapeSizes, llamaConfig } from "./shapes.ts";

const BLOCK = 4 * 1024 * 1024;

/** Names and shapes of the tensors of a Llama with tied embeddings. */
function llamaTensors({ hidden, ffn, heads, kvHeads, vocab }: ShapeSizes, layers: number): [string, number[]][] {
  const kv = (hidden / heads) * kvHeads;
  const list: [string, number[]][] = [["model.embed_tokens.weight", [vocab, hidden]]];
  for (let i = 0; i < layers; i++) {
    const at = `model.layers.${i}`;
    for (const [name, out, input] of [
      ["self_attn.q_proj", hidden, hidden],
      ["self_attn.k_proj", kv, hidden],
      ["self_attn.v_proj", kv, hidden],
      ["self_attn.o_proj", hidden, hidden],
      ["mlp.gate_proj", ffn, hidden],
      ["mlp.up_proj", ffn, hidden],
      ["mlp.down_proj", hidden, ffn],
    ] as const)
      list.push([`${at}.${name}.weight`, [out, input]]);
    for (const norm of ["input_layernorm", "post_attention_layernorm"]) list.push([`${at}.${norm}.weight`, [hidden]]);
  }
  list.push(["model.norm.weight", [hidden]]);
  return list;
}

/** Writes `config.json` and `model.safetensors` (once; a second call finds them) and gives the folder. */
export async function randomCheckpoint(
  root: string,
  name: string,
  sizes: ShapeSizes,
  layers: number,
  dtype: "F32" | "BF16" | "F16",
): Promise<string> {
  const folder = join(root, `${name}-${layers}-${dtype}`);
  await writeRandomModel(folder, { "config.json": llamaConfig(sizes, layers) }, llamaTensors(sizes, layers), dtype);
  return folder;
}

/** Noise of deviation 0.02 for matrices, ones for vectors; `files` are JSON beside them. Does nothing where the weights are already. */
export async function writeRandomModel(
  folder: string,
  files: Readonly<Record<string, object>>,
  tensors: readonly (readonly [string, readonly number[]])[],
  dtype: "F32" | "BF16" | "F16",
): Promise<void> {
  const file = join(folder, "model.safetensors");
  if (
    await stat(file).then(
      () => true,
      () => false,
    )
  )
    return;
  await mkdir(folder, { recursive: true });
  const bytes = dtype === "F32" ? 4 : 2;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let at = 0;
  for (const [key, shape] of tensors) {
    const length = shape.reduce((a, b) => a * b, 1) * bytes;
    header[key] = { dtype, shape, data_offsets: [at, at + length] };
    at += length;
  }
  let text = JSON.stringify(header);
  text += " ".repeat((8 - (text.length % 8)) % 8);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(text.length));
  const temporary = `${file}.tmp`;
  const handle = await open(temporary, "w");
  await handle.write(Buffer.concat([start, Buffer.from(text)]));
  const r = randomStream(7, "bench weights").next;
  const noise = Float32Array.from({ length: BLOCK }, () => (r() + r() + r() + r() - 2) * 0.0347);
  const ones = new Float32Array(BLOCK).fill(1);
  const stored = (a: Float32Array): Buffer => {
    const b = Buffer.from(a.buffer);
    if (dtype === "F32") return b;
    if (dtype === "F16") return Buffer.from(f32ToF16(a).buffer);
    const half = Buffer.alloc(a.length * 2);
    for (let i = 0; i < a.length; i++) b.copy(half, i * 2, i * 4 + 2, i * 4 + 4);
    return half;
  };
  const [noiseBytes, oneBytes] = [stored(noise), stored(ones)];
  for (const [i, [, shape]] of tensors.entries()) {
    let left = shape.reduce((a, b) => a * b, 1) * bytes;
    const block = shape.length === 1 ? oneBytes : noiseBytes;
    // Each tensor begins elsewhere in the block, so that no two are equal.
    let from = ((i * 7919 * 64) % BLOCK) * bytes;
    for (; left > 0; from = 0) {
      const part = block.subarray(from, from + left);
      await handle.write(part);
      left -= part.length;
    }
  }
  await handle.close();
  for (const [name, value] of Object.entries(files))
    await writeFile(join(folder, name), JSON.stringify(value, null, 2));
  await rename(temporary, file);
}
