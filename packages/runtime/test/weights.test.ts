/** @file Frozen weights stay in their safetensors file, by whatever path it is reached; a file that does not fit is refused before it can kill the process. */
import { mkdir, mkdtemp, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { loadSafetensors, openCheckpoint, writeSafetensors } from "@emosllm/checkpoints";
import { cast, input, matmul, weight } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type WeightSource, evaluate, f32, lower, mappedFiles } from "../src/index.ts";
import { runChild } from "./children/run-child.ts";

let folder: string;
const values = Float32Array.from({ length: 12 }, (_, i) => i - 5.5);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm weights ü-"));
  const tensors = new Map([
    ["odd", { dtype: "u8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
    ["w", { dtype: "f32", shape: [3, 4], data: values }],
    ["b", { dtype: "bf16", shape: [4], data: Uint16Array.of(0x3f80, 0x4000, 0xc040, 0) }],
  ] as const);
  await writeSafetensors(join(folder, "model.safetensors"), tensors);
});
const elsewhere: string[] = [];
afterAll(() => Promise.all([folder, ...elsewhere].map((made) => rm(made, { recursive: true }))));

/** The weights of a file, as `compile` takes them. */
async function sources(path: string): Promise<ReadonlyMap<string, WeightSource>> {
  const { tensors } = await openCheckpoint(path);
  return tensors as ReadonlyMap<string, unknown> as ReadonlyMap<string, WeightSource>;
}
const product = { y: matmul(input("x", ["rows", 4]), weight("w", [3, 4]), { transB: true }) };
const feeds = { x: f32([1, 0, 0, 0, 0, 0, 0, 1], [2, 4]) };
const expected = Float32Array.of(-5.5, -1.5, 2.5, -2.5, 1.5, 5.5);

describe("any path", () => {
  const links: readonly [string, () => Promise<string>][] = [
    ["as it is (spaces, not ASCII)", async () => join(folder, "model.safetensors")],
    ["relative", async () => relative(process.cwd(), join(folder, "model.safetensors"))],
    [
      "a symlink to the file, from another folder",
      async () => {
        await mkdir(join(folder, "elsewhere"));
        await symlink(join(folder, "model.safetensors"), join(folder, "elsewhere/link.safetensors"));
        return join(folder, "elsewhere/link.safetensors");
      },
    ],
    [
      "a symlink to the folder",
      async () => {
        const link = await mkdtemp(join(tmpdir(), "emosllm-link-"));
        elsewhere.push(link);
        await symlink(folder, join(link, "模型"));
        return join(link, "模型/model.safetensors");
      },
    ],
    [
      "a Hugging Face cache (relative symlinks from a snapshot into blobs)",
      async () => {
        const repo = join(folder, "hub/models--org--name");
        await mkdir(join(repo, "blobs"), { recursive: true });
        await mkdir(join(repo, "snapshots/0a1b2c"), { recursive: true });
        await writeFile(join(repo, "blobs/9f86d081"), await readFile(join(folder, "model.safetensors")));
        await symlink("../../blobs/9f86d081", join(repo, "snapshots/0a1b2c/model.safetensors"));
        return join(repo, "snapshots/0a1b2c/model.safetensors");
      },
    ],
  ];
  test.each(links)("%s", async (_, make) => {
    const file = await make();
    // As @emosllm/checkpoints resolves it, and by the path itself.
    const resolved = await sources(file);
    const w = resolved.get("w")!;
    expect((await evaluate(product, feeds, { weights: resolved })).y.data).toEqual(expected);
    const direct = (name: string): WeightSource | undefined => (name === "w" ? { ...w, file } : undefined);
    expect((await evaluate(product, feeds, { weights: direct })).y.data).toEqual(expected);
  });
});

test("bytes at odd positions, and half precision read in place", async () => {
  const weights = await sources(join(folder, "model.safetensors"));
  const outputs = { u: cast(weight("odd", [3], "u8"), "f32"), b: cast(weight("b", [4], "bf16"), "f32") };
  const { u, b } = await evaluate(outputs, {}, { weights });
  expect([u.data, b.data]).toEqual([Float32Array.of(1, 2, 3), Float32Array.of(1, 2, -3, 0)]);
});

test("a 64 MB weight stays in its file: the process's own memory hardly grows", async (context) => {
  if (process.platform !== "linux") return context.skip("needs /proc/self/status");
  const file = join(folder, "large.safetensors");
  await writeSafetensors(
    file,
    new Map([["w", { dtype: "f32", shape: [4096, 4096], data: new Float32Array(4096 * 4096).fill(0.5) }]]),
  );
  for (const beside of ["alone", "packed"]) {
    const child = runChild("./mapped.ts", [file, beside]);
    expect(child.code, child.stderr).toBe(0);
    const { anonymousMb, mappedMb, y } = JSON.parse(child.stdout) as Record<string, number>;
    console.log(
      `a 64 MB weight (${beside}): ${anonymousMb} MB more of own memory, ${mappedMb} MB at most with mapped files`,
    );
    expect(y).toBe(2048);
    expect(anonymousMb).toBeLessThan(24);
    expect(mappedMb).toBeGreaterThan(60);
    // A packed copy would double it.
    expect(mappedMb).toBeLessThan(100);
  }
});

describe("refused", () => {
  const fails = async (weights: (name: string) => WeightSource | undefined): Promise<EmosllmError> => {
    const error = await evaluate(product, feeds, { weights }).then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(EmosllmError);
    return error as EmosllmError;
  };

  test("a file that was cut off after it was opened: with file, tensor and byte", async () => {
    const file = join(folder, "cut.safetensors");
    await writeFile(file, await readFile(join(folder, "model.safetensors")));
    const weights = await sources(file);
    const { offset, length } = weights.get("w") as { offset: number; length: number } & WeightSource;
    await truncate(file, offset + length - 1);
    const error = await fails((name) => weights.get(name));
    expect(error.code).toBe("checkpoint_invalid");
    expect(error.message).toContain(
      `'w' lies at bytes ${offset} to ${offset + length} of ${file}, which has only ${(await stat(file)).size} bytes`,
    );
  });

  test("a missing weight, a missing file, a wrong shape or type, odd layouts", async () => {
    const w = (await sources(join(folder, "model.safetensors"))).get("w")!;
    expect((await fails(() => undefined)).message).toBe("The weight 'w' f32[3,4] is not in the checkpoint.");
    const gone = await fails(() => ({ ...w, file: join(folder, "gone.safetensors") }));
    expect([gone.code, gone.message]).toEqual([
      "checkpoint_not_found",
      expect.stringContaining("gone.safetensors") as string,
    ]);
    expect((await fails(() => ({ ...w, shape: [4, 3] }))).message).toContain("f32[4,3] in the checkpoint, but");
    expect((await fails(() => ({ ...w, dtype: "i32" }))).message).toContain("i32[3,4] in the checkpoint");
    expect((await fails(() => ({ ...w, length: 44 }))).message).toContain("has 44 bytes; f32[3,4] takes 48");
    expect((await fails(() => ({ ...w, offset: -4 }))).message).toContain("bytes -4 to 44");
    expect((await fails(() => ({ ...w, strides: [1, 3] }) as unknown as WeightSource)).message).toContain(
      "not stored row by row",
    );
    expect((await fails(() => ({ dtype: "f32", shape: [3, 4], data: new Float32Array(11) }))).message).toContain("44");
  });
});

test("the lowered model names the real file, relative to the root, and no dimension of it", async () => {
  const weights = await sources(join(folder, "model.safetensors"));
  const model = lower(product, (name) => weights.get(name), mappedFiles());
  const text = Buffer.from(model.bytes).toString("latin1");
  const real = (weights.get("w") as { file: string } & WeightSource).file;
  expect(Buffer.from(model.bytes).includes(Buffer.from(relative(model.externalFolder, real)))).toBe(true);
  expect(text).toContain("rows");
  expect(model.bytes.length).toBeLessThan(1000);
  expect((await loadSafetensors(real)).get("w")?.data).toEqual(values);
});
