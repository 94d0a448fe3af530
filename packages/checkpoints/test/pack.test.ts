import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import {
  contentHashes,
  hashTensor,
  openCheckpoint,
  packWeights,
  readTensor,
  writeSafetensors,
  type BlockSize,
  type PackRequest,
  type StoredTensor,
  type TensorSource,
} from "../src/index.ts";
import { fixture, temporaryFolder } from "./helpers.ts";

const wanted = JSON.parse(readFileSync(fixture("packed.json"), "utf8")) as Record<
  string,
  { shape: number[]; packed_sha256: string; scales_sha256: string }
>;
const sha256 = (a: NodeJS.TypedArray): string =>
  createHash("sha256")
    .update(new Uint8Array(a.buffer, a.byteOffset, a.byteLength))
    .digest("hex");

const request = (source: TensorSource, bits: 4 | 8, blockSize: BlockSize, transposed = false): PackRequest => ({
  name: `${source.name} ${bits} ${blockSize}`,
  sources: [source],
  bits,
  blockSize,
  transposed,
});

test("every packing is byte for byte onnxruntime's own", async () => {
  const { tensors } = await openCheckpoint(fixture("weights.safetensors"));
  const requests = [...tensors.values()].flatMap((s) =>
    ([4, 8] as const).flatMap((bits) => ([32, 128] as const).map((block) => request(s, bits, block, true))),
  );
  const progress: number[] = [];
  const { matrices } = await packWeights(requests, {
    cacheFolder: temporaryFolder(),
    threads: 2,
    onProgress: ({ packed, total }) => progress.push(packed / total),
  });
  let compared = 0;
  for (const [name, matrix] of matrices)
    for (const [suffix, blocks] of [
      ["", matrix],
      [" transposed", matrix.transposed!],
    ] as const) {
      const want = wanted[`${name}${suffix}`]!;
      expect({ name, shape: blocks.data.shape }).toEqual({ name, shape: want.shape });
      const scales = (await readTensor(blocks.scales, "f32")).map((v) => v + 0); // -0 and 0 scale alike
      expect({ name, suffix, scales: sha256(scales) }).toEqual({ name, suffix, scales: want.scales_sha256 });
      expect({ name, suffix, packed: sha256(await readTensor(blocks.data)) }).toEqual({
        name,
        suffix,
        packed: want.packed_sha256,
      });
      compared++;
    }
  expect(compared).toBe(Object.keys(wanted).length);
  expect(progress.at(-1)).toBe(1);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
});

/** A matrix in a file of its own. */
async function matrixFile(folder: string, rows: number, columns: number, name = "w"): Promise<TensorSource> {
  const data = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 12.9898) * 0.05);
  const file = join(folder, `${name}.safetensors`);
  await writeSafetensors(file, new Map([[name, { dtype: "f32", shape: [rows, columns], data }]]));
  return (await openCheckpoint(file)).tensors.get(name)!;
}

test("with a scale a row: the nearest integers, turned, however the work is cut", async () => {
  const { tensors } = await openCheckpoint(fixture("weights.safetensors"));
  const requests = [...tensors.values()].map((s): PackRequest => ({
    name: s.name,
    sources: [s],
    bits: 8,
    blockSize: "row",
    transposed: true,
  }));
  for (const unitWeights of [undefined, 100]) {
    const { matrices } = await packWeights(requests, { cacheFolder: temporaryFolder(), threads: 1, unitWeights });
    for (const [name, { rows, columns, transposed, ...own }] of matrices) {
      const values = await readTensor(tensors.get(name)!, "f32");
      for (const [n, k, at, { data, scales }] of [
        [rows, columns, (i: number, j: number): number => values[i * columns + j]!, own],
        [columns, rows, (i: number, j: number): number => values[j * columns + i]!, transposed!],
      ] as const) {
        expect([data.shape, data.dtype, scales.shape]).toEqual([[k, n], "i8", [n]]);
        const [integers, steps] = [(await readTensor(data)) as Int8Array, await readTensor(scales, "f32")];
        for (let i = 0; i < n; i++) {
          const largest = Math.max(...Array.from({ length: k }, (_, j) => Math.abs(at(i, j))));
          expect(steps[i]).toBe(Math.fround(largest / 127));
          for (let j = 0; j < k; j++) {
            const q = integers[j * n + i]!;
            expect(Math.abs(q)).toBeLessThanOrEqual(127);
            // Half a step, and the rounding of the scale to f32.
            if (Math.abs(q * steps[i]! - at(i, j)) > steps[i]! * 0.50002) expect([name, i, j, q]).toBe("nearest");
          }
        }
      }
    }
  }
});

test("with a scale a row, unsigned: the same integers 128 higher", async () => {
  const cacheFolder = temporaryFolder();
  const sources = [await matrixFile(cacheFolder, 45, 70)];
  const packed = async (unsigned: boolean): Promise<ArrayLike<number>[]> => {
    const request = { name: "w", sources, bits: 8, blockSize: "row", transposed: true, unsigned } as const;
    const { data, scales, transposed } = (await packWeights([request], { cacheFolder })).matrices.get("w")!;
    expect([data.dtype, transposed?.data.dtype]).toEqual(unsigned ? ["u8", "u8"] : ["i8", "i8"]);
    return Promise.all([data, scales, transposed!.data, transposed!.scales].map((t) => readTensor(t))) as never;
  };
  const [signed, unsigned] = [await packed(false), await packed(true)];
  unsigned.forEach((values, i) =>
    expect(Array.from(values)).toEqual(Array.from(signed[i]!, (v) => (i % 2 === 0 ? v + 128 : v))),
  );
  const request = { name: "w", sources, bits: 8, blockSize: 32, unsigned: true } as const;
  await expect(packWeights([request], { cacheFolder })).rejects.toThrow(
    `packing 'w': unsigned is for block size "row", not 32`,
  );
});

test("stacked sources and row slices pack as the one matrix that they make", async () => {
  const cacheFolder = temporaryFolder();
  const whole = await matrixFile(cacheFolder, 100, 64);
  const slice = (from: number, to: number): TensorSource => ({
    ...whole,
    shape: [to - from, 64],
    offset: whole.offset + from * 64 * 4,
    length: (to - from) * 64 * 4,
  });
  const common = { bits: 8, blockSize: 32, transposed: true } as const;
  const { matrices } = await packWeights(
    [
      { name: "one", sources: [whole], ...common },
      { name: "three", sources: [slice(0, 7), slice(7, 77), slice(77, 100)], ...common },
    ],
    { cacheFolder },
  );
  const bytes = async (name: string): Promise<unknown[]> => {
    const { data, scales, transposed } = matrices.get(name)!;
    return Promise.all(
      [data, scales, transposed!.data, transposed!.scales].map(async (t) => sha256(await readTensor(t))),
    );
  };
  expect(await bytes("three")).toEqual(await bytes("one"));
});

test("a matrix cut into many units packs to the same bytes", async () => {
  // 500 rows of 130 in units of 32 or 96 rows: the transposed packing is written column by column, the last unit ends in a block.
  const folder = temporaryFolder();
  const matrix = await matrixFile(folder, 500, 130);
  const requests = ([4, 8] as const).flatMap((bits) => [request(matrix, bits, 32, true), request(matrix, bits, 128)]);
  const [whole, cut, fine] = await Promise.all(
    [undefined, 13000, 1].map((unitWeights) =>
      packWeights(requests, { cacheFolder: temporaryFolder(), threads: 2, unitWeights }),
    ),
  );
  const bytes = readFileSync(whole!.file);
  expect(readFileSync(cut!.file).equals(bytes)).toBe(true);
  expect(readFileSync(fine!.file).equals(bytes)).toBe(true);
});

test("a view of a .bin and a deflated member pack as their values", async () => {
  const cacheFolder = temporaryFolder();
  const views = (await openCheckpoint(fixture("bins/views.bin"))).tensors;
  const deflated = (await openCheckpoint(fixture("bins/deflated.bin"))).tensors;
  const common = { bits: 8, blockSize: 32 } as const;
  const { matrices } = await packWeights(
    [
      { name: "turned", sources: [views.get("transposed")!], ...common },
      { name: "straight", sources: [views.get("same")!], ...common, transposed: true },
      { name: "deflated", sources: [deflated.get("same")!], ...common },
    ],
    { cacheFolder },
  );
  const bytes = async (s: TensorSource): Promise<string> => sha256(await readTensor(s));
  expect(await bytes(matrices.get("turned")!.data)).toBe(await bytes(matrices.get("straight")!.transposed!.data));
  expect(await bytes(matrices.get("deflated")!.data)).toBe(await bytes(matrices.get("straight")!.data));
  expect(readdirSync(join(cacheFolder, "packed")).filter((n) => !/^[0-9a-f]{64}\.safetensors$/.test(n))).toEqual([
    "hashes",
  ]);
});

test("the cache is found again, also for a copy elsewhere, and never for other content or settings", async () => {
  const cacheFolder = temporaryFolder();
  const source = await matrixFile(cacheFolder, 64, 64);
  let packings = 0;
  const pack = (s: TensorSource, bits: 4 | 8 = 8): Promise<{ file: string }> =>
    packWeights([{ ...request(s, bits, 32), name: "w" }], { cacheFolder, onProgress: () => packings++ });
  const { file } = await pack(source);
  expect((await pack(source)).file).toBe(file);
  expect(packings).toBe(1);

  const copy = join(temporaryFolder(), "other.safetensors");
  copyFileSync(source.file, copy);
  const copied = (await openCheckpoint(copy)).tensors.get("w")!;
  expect((await pack(copied)).file).toBe(file);
  expect(packings).toBe(1);

  expect((await pack(source, 4)).file).not.toBe(file);
  expect(packings).toBe(2);

  // One value changed in place; size and modification time as before.
  const { atime, mtime, size } = statSync(source.file);
  const bytes = readFileSync(source.file);
  bytes[source.offset + 4003]! ^= 0x40;
  writeFileSync(source.file, bytes);
  utimesSync(source.file, atime, mtime);
  expect(statSync(source.file).size).toBe(size);
  expect((await pack(source)).file).not.toBe(file);
  expect(packings).toBe(3);
});

test("a remembered hash is used only while nothing about the file has changed", async () => {
  const memory = temporaryFolder();
  const file = join(temporaryFolder(), "f");
  writeFileSync(file, "one");
  const hash = async (): Promise<string> => (await contentHashes([file], { memory })).get(file)!;
  const sha = (text: string): string => createHash("sha256").update(text).digest("hex");
  expect(await hash()).toBe(sha("one"));
  expect(readdirSync(memory)).toEqual([]); // too young to be remembered
  writeFileSync(file, "two");
  expect(await hash()).toBe(sha("two"));
  await new Promise((resolve) => setTimeout(resolve, 2100));
  expect(await hash()).toBe(sha("two"));
  const [entry] = readdirSync(memory);
  const path = join(memory, entry!);
  // Prove that the memory is read: a planted hash comes back.
  writeFileSync(path, readFileSync(path, "utf8").replace(sha("two"), "planted"));
  expect(await hash()).toBe("planted");
  const { atime, mtime } = statSync(file);
  writeFileSync(file, "six");
  utimesSync(file, atime, mtime);
  expect(await hash()).toBe(sha("six"));
});

test("two processes that ask at once get the same file, packed once", async () => {
  const cacheFolder = temporaryFolder();
  const source = await matrixFile(cacheFolder, 1000, 800);
  const child = (): Promise<{ file: string; progress: number }> =>
    new Promise((resolve, reject) => {
      const process_ = spawn(
        process.execPath,
        [
          "--conditions=@emosllm/source",
          "--import=tsx",
          join(import.meta.dirname, "pack-child.ts"),
          source.file,
          cacheFolder,
        ],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      let out = "";
      process_.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
      process_.on("close", () => {
        try {
          resolve(JSON.parse(out) as { file: string; progress: number });
        } catch (cause) {
          reject(cause as Error);
        }
      });
    });
  const [a, b] = await Promise.all([child(), child()]);
  expect(a.file).toBe(b.file);
  expect([a.progress, b.progress].filter((n) => n > 0).length).toBe(1);
  expect(readdirSync(join(cacheFolder, "packed")).filter((n) => n !== "hashes")).toEqual([basename(a.file)]);
});

test("a tensor's hash is that of its values, whatever file holds it", async () => {
  const bin = (await openCheckpoint(fixture("bins/views.bin"))).tensors;
  const deflated = (await openCheckpoint(fixture("bins/deflated.bin"))).tensors;
  const one = await hashTensor(bin.get("transposed")!);
  expect(one).toMatch(/^[0-9a-f]{64}$/);
  expect(await hashTensor(deflated.get("transposed")!)).toBe(one);
  expect(await hashTensor(bin.get("same")!)).not.toBe(one);
});

test("a damaged cache file is made again", async () => {
  const cacheFolder = temporaryFolder();
  const source = await matrixFile(cacheFolder, 64, 64);
  const { file, matrices } = await packWeights([request(source, 8, 32)], { cacheFolder });
  const whole = readFileSync(file);
  writeFileSync(file, whole.subarray(0, 500));
  const again = await packWeights([request(source, 8, 32)], { cacheFolder });
  expect(again.file).toBe(file);
  expect(readFileSync(file).equals(whole)).toBe(true);
  expect(again.matrices).toEqual(matrices);
});

test("what a killed process left is removed after an hour, what another is writing stays", async () => {
  const cacheFolder = temporaryFolder();
  const source = await matrixFile(cacheFolder, 4, 40);
  const folder = join(cacheFolder, "packed");
  mkdirSync(folder);
  const hourAgo = new Date(Date.now() - 3_700_000);
  for (const name of ["a.safetensors.1.00.tmp", "b.safetensors.2.00.tmp", "c.safetensors.3.00.tmp.safetensors"])
    writeFileSync(join(folder, name), "");
  for (const name of ["a.safetensors.1.00.tmp", "c.safetensors.3.00.tmp.safetensors"])
    utimesSync(join(folder, name), hourAgo, hourAgo);
  const { file } = await packWeights([request(source, 8, 32)], { cacheFolder });
  expect(readdirSync(folder).sort()).toEqual([basename(file), "b.safetensors.2.00.tmp"].toSorted());
});

test("a cache folder that cannot be made is named, with the way out", async () => {
  const folder = temporaryFolder();
  const source = await matrixFile(folder, 4, 40);
  const failed = packWeights([request(source, 8, 32)], { cacheFolder: source.file });
  await expect(failed).rejects.toMatchObject({ code: "config_invalid" });
  await expect(failed).rejects.toThrow(
    /^.*packed: the cache of packed weights cannot be written \(ENOTDIR.*set EMOSLLM_CACHE/,
  );
});

test("what cannot be packed is refused, and nothing is left behind", async () => {
  const cacheFolder = temporaryFolder();
  const good = await matrixFile(cacheFolder, 4, 40);
  const bad = join(cacheFolder, "bad.safetensors");
  const values = new Map<string, StoredTensor>(
    [NaN, Infinity, -Infinity].map((v, i) => [
      `w${i}`,
      { dtype: "f32", shape: [2, 40], data: Float32Array.from({ length: 80 }, (_, j) => (j === 75 ? v : 1)) },
    ]),
  );
  const bytes: StoredTensor = { dtype: "i8", shape: [2, 2], data: new Int8Array(4) };
  await writeSafetensors(bad, new Map([...values, ["i", bytes]]));
  const { tensors } = await openCheckpoint(bad);
  const pack = (...requests: PackRequest[]): Promise<unknown> => packWeights(requests, { cacheFolder });
  for (const name of values.keys())
    await expect(pack(request(tensors.get(name)!, 8, 32))).rejects.toThrow(
      `${bad}: tensor '${name}': holds a value that is not finite`,
    );
  await expect(pack(request(tensors.get("i")!, 8, 32))).rejects.toThrow(
    "tensor 'i': i8 cannot be packed; f32, f16 and bf16 can",
  );
  await expect(pack(request({ ...good, shape: [160] }, 8, 32))).rejects.toThrow("shape [160] cannot be packed");
  await expect(pack(request(good, 8, 48 as BlockSize))).rejects.toThrow("block size 48; one of 32, 64, 128, 256");
  await expect(pack(request(good, 3 as 4, 32))).rejects.toThrow("bits 3; 4 and 8 can be packed");
  await expect(pack(request(good, 8, 32), request(good, 8, 32))).rejects.toThrow("two requests have this name");
  await expect(pack({ ...request(good, 8, 32), sources: [good, { ...good, shape: [8, 20] }] })).rejects.toThrow(
    "has 20 columns, 'w' before it 40",
  );
  await expect(
    packWeights([request(good, 8, 32)], { cacheFolder, signal: AbortSignal.abort(new Error("enough")) }),
  ).rejects.toThrow("enough");
  expect(readdirSync(join(cacheFolder, "packed")).filter((n) => n !== "hashes")).toEqual([]);
});
