/** @file Matrices in 16-bit floats, for devices that multiply these: used where they lie when they are stored so, else rounded once into a cache. */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";
import { contentHashes } from "./content-hash.ts";
import { DTYPES } from "./dtype.ts";
import { invalid } from "./errors.ts";
import { publish, writeFully } from "./file.ts";
import { f32ToF16 } from "./float16.ts";
import { withLock } from "./lock.ts";
import type { PackOptions } from "./pack.ts";
import { readTensor } from "./read.ts";
import { readSafetensorsHeader, type SafetensorsHeader } from "./safetensors-header.ts";
import { layoutSafetensors } from "./safetensors-write.ts";
import type { TensorSource } from "./source.ts";

const VERSION = 1;
/** The largest f16. */
const LARGEST = 65504;

/**
 * Tensors as f16 by their names. Those that are stored so, in row order, are given as they are; the others are rounded to nearest even into a file
 * of the cache, keyed by the content (SHA-256) of their files.
 *
 * @throws `checkpoint_invalid` for a value that f16 cannot hold, `disk_full`, the signal's reason when aborted.
 */
export async function halfTensors(
  sources: readonly TensorSource[],
  { cacheFolder: folder = cacheFolder(), threads, signal, onProgress }: PackOptions = {},
): Promise<ReadonlyMap<string, TensorSource>> {
  const stored = sources.filter((s) => s.dtype === "f16" && !s.strides && !s.compressed);
  const others = sources.filter((s) => !stored.includes(s));
  const found = new Map(stored.map((s) => [s.name, s]));
  if (others.length === 0) return found;
  const cache = join(folder, "packed");
  await mkdir(cache, { recursive: true });
  const hashes = await contentHashes(
    others.map((s) => s.file),
    { memory: join(cache, "hashes"), signal, ...(threads === undefined ? {} : { threads }) },
  );
  const key = JSON.stringify({
    version: VERSION,
    half: others.map((s) => [s.name, hashes.get(s.file), s.offset, s.dtype, s.shape, s.strides ?? null]),
  });
  const file = join(cache, `${createHash("sha256").update(key).digest("hex")}.safetensors`);
  const open = async (): Promise<SafetensorsHeader | undefined> => {
    const header = await readSafetensorsHeader(file).catch(() => undefined);
    return header?.metadata["key"] === key ? header : undefined;
  };
  const { tensors } = await withLock(
    `${file}.lock`,
    open,
    async () => {
      await writeHalf(file, key, others, { signal, onProgress });
      return (await open())!;
    },
    signal,
  );
  for (const { name } of others) found.set(name, tensors.get(name)!);
  return found;
}

async function writeHalf(
  file: string,
  key: string,
  sources: readonly TensorSource[],
  { signal, onProgress }: Pick<PackOptions, "signal" | "onProgress">,
): Promise<void> {
  const plan = new Map(sources.map((s) => [s.name, { dtype: "f16" as const, shape: s.shape }]));
  const { header, offsets, fileSize } = layoutSafetensors(plan, { key });
  const total = (fileSize - header.length) / DTYPES.f16.bytes;
  let packed = 0;
  await publish(file, async (handle) => {
    await writeFully(handle, header, 0);
    for (const source of sources) {
      signal?.throwIfAborted();
      const values = await readTensor(source, "f32");
      for (const v of values)
        if (!(Math.abs(v) < LARGEST + 16))
          throw invalid({ file: source.file, tensor: source.name }, `holds ${v}, which a 16-bit float cannot`);
      const half = f32ToF16(values);
      await writeFully(
        handle,
        new Uint8Array(half.buffer, half.byteOffset, half.byteLength),
        offsets.get(source.name)!,
      );
      onProgress?.({ packed: (packed += half.length), total });
    }
  });
}
