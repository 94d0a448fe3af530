import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { checkModel, checkModels } from "../src/models.ts";

const fixtures = fileURLToPath(new URL("../../../packages/backbones/test/fixtures", import.meta.url));

test("a folder of models stands for those in it, and each is as transformers has it", async () => {
  const results = [];
  for await (const result of checkModels([fixtures])) results.push(result);
  expect(results.filter((r) => !r.ok)).toEqual([]);
  expect(new Set(results.map((r) => r.model_type)).size).toBe(12);
});

test.each(["gemma3", "wavlm-large", "wav2vec2-base", "whisper"])("a changed weight of %s is noticed", async (name) => {
  const folder = await mkdtemp(join(tmpdir(), "emosllm-models-"));
  try {
    await cp(join(fixtures, name), folder, { recursive: true });
    const file = join(folder, "model.safetensors");
    const bytes = await readFile(file);
    // The first norm of the first layer: its first number's sign.
    const size = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + size)) as Record<
      string,
      { data_offsets: [number, number] }
    >;
    const key = Object.keys(header).find((k) => /(?<!decoder\.)layers\.0\..*norm\.weight$/.test(k)) as string;
    const at = 8 + size + (header[key]?.data_offsets[0] as number) + 3;
    bytes[at] = (bytes[at] as number) ^ 0x80;
    await writeFile(file, bytes);
    expect((await checkModel(folder)).ok).toBe(false);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a directory that cannot be read is said, the others are compared", async () => {
  const results = [];
  // The fixtures have no pytorch_model.bin.
  for await (const result of checkModels([join(fixtures, "llama"), join(fixtures, "phi3"), "--weights", "bin"]))
    results.push(result);
  expect(results.map((r) => [r.ok, r.error])).toEqual([
    [false, null],
    [false, null],
  ]);
  expect(results[1]?.message).toMatch(/phi3: no weights; looked for pytorch_model.bin/);
});

test("wrong use is named", async () => {
  const drain = async (args: string[]): Promise<void> => {
    for await (const _ of checkModels(args));
  };
  await expect(drain([fixtures, "--weights", "onnx"])).rejects.toThrow(
    /--weights takes safetensors or bin, not 'onnx'/,
  );
  await expect(drain([join(fixtures, "llama", "..", "..")])).rejects.toThrow(
    /no golden.safetensors here or one folder below/,
  );
});
