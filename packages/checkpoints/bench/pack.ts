/**
 * @file How fast matrices are packed, and how much memory that takes: writes a bf16 checkpoint of random weights in the shapes of
 * Llama-3.2-3B's layers, packs it, and prints one JSON object.
 *
 *   node tools/setup/run.mjs packages/checkpoints/bench/pack.ts [--millions 300] [--bits 4] [--block 32] [--transposed] [--threads 2]
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openCheckpoint, packWeights, type BlockSize } from "../src/index.ts";
import { writeFully } from "../src/file.ts";
import { layoutSafetensors } from "../src/safetensors-write.ts";

const { values } = parseArgs({
  options: {
    millions: { type: "string", default: "300" },
    bits: { type: "string", default: "4" },
    block: { type: "string", default: "32" },
    threads: { type: "string", default: "2" },
    transposed: { type: "boolean", default: false },
    keep: { type: "string" },
  },
});

/** Query, key, value, output, gate, up, down of one layer. */
const LAYER = [[3072, 3072], [1024, 3072], [1024, 3072], [3072, 3072], [8192, 3072], [8192, 3072], [3072, 8192]] as const; // prettier-ignore

const folder = values.keep ?? mkdtempSync(join(tmpdir(), "emosllm-pack-"));
try {
  const plan = new Map<string, { dtype: "bf16"; shape: readonly number[] }>();
  for (let i = 0, weights = 0; weights < Number(values.millions) * 1e6; i++)
    for (const [j, shape] of LAYER.entries()) {
      plan.set(`layers.${i}.${j}`, { dtype: "bf16", shape });
      weights += shape[0] * shape[1];
    }
  const layout = layoutSafetensors(plan, { format: "pt" });
  const file = join(folder, "model.safetensors");
  const handle = await open(file, "w");
  await writeFully(handle, layout.header, 0);
  // Values of about a layer's size: exponents from 2^-10 to 2^-4, either sign, all mantissas.
  const chunk = new Uint16Array(4 << 20);
  let state = 1;
  for (let at = layout.header.length; at < layout.fileSize; at += chunk.byteLength) {
    if (at === layout.header.length)
      for (let i = 0; i < chunk.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        chunk[i] = ((state >>> 16) & 0x807f) | ((117 + ((state >>> 8) % 7)) << 7);
      }
    await writeFully(handle, new Uint8Array(chunk.buffer, 0, Math.min(chunk.byteLength, layout.fileSize - at)), at);
  }
  await handle.sync();
  await handle.close();

  const { tensors } = await openCheckpoint(folder);
  const requests = [...tensors.values()].map((source) => ({
    name: source.name,
    sources: [source],
    bits: Number(values.bits) as 4 | 8,
    blockSize: Number(values.block) as BlockSize,
    transposed: values.transposed,
  }));
  const millions = [...tensors.values()].reduce((n, t) => n + t.shape[0]! * t.shape[1]!, 0) / 1e6;
  const options = { cacheFolder: folder, threads: Number(values.threads) };
  const timed = async (): Promise<number> => {
    const start = performance.now();
    await packWeights(requests, options);
    return (performance.now() - start) / 1000;
  };
  const before = process.cpuUsage();
  const pack_s = await timed();
  const { user, system } = process.cpuUsage(before);
  const again_s = await timed();
  const { maxRSS } = process.resourceUsage();
  console.log(
    JSON.stringify({
      millions: Math.round(millions),
      bits: Number(values.bits),
      block: Number(values.block),
      transposed: values.transposed,
      threads: Number(values.threads),
      pack_s: Number(pack_s.toFixed(2)),
      cpu_s: Number(((user + system) / 1e6).toFixed(2)),
      million_per_s: Math.round(millions / pack_s),
      for_3000_million_s: Math.round((3000 / millions) * pack_s),
      from_cache_s: Number(again_s.toFixed(3)),
      peak_rss_mib: Math.round(maxRSS / 1024),
      load: Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]),
    }),
  );
} finally {
  if (!values.keep) rmSync(folder, { recursive: true, force: true });
}
