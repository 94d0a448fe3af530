import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSafetensors, safetensorsInMemory, writeSafetensors } from "../src/index.ts";

test("bytes in memory give what the file's reader gives, at any alignment; damaged ones are refused", async () => {
  const folder = await mkdtemp(join(tmpdir(), "emosllm-bytes-"));
  try {
    const file = join(folder, "x.safetensors");
    await writeSafetensors(
      file,
      new Map([
        ["a", { dtype: "f32", shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 4, 5, 6) }],
        ["b", { dtype: "i64", shape: [], data: BigInt64Array.of(-9n) }],
        ["c", { dtype: "f16", shape: [0, 4], data: new Uint16Array(0) }],
        ["d", { dtype: "u8", shape: [3], data: Uint8Array.of(7, 8, 9) }],
      ]),
      { format: "pt" },
    );
    const read = await loadSafetensors(file);
    const bytes = new Uint8Array(await readFile(file));
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    for (const given of [bytes, shifted.subarray(3)]) {
      const found = safetensorsInMemory(given);
      expect([...found.keys()].sort()).toEqual([...read.keys()].sort());
      for (const [name, t] of read) expect(found.get(name)).toMatchObject(t);
    }
    expect(() => safetensorsInMemory(bytes.subarray(0, 5), "x")).toThrow(/x: byte 5/);
    expect(() => safetensorsInMemory(bytes.subarray(0, 40))).toThrow(/a header of/);
    expect(() => safetensorsInMemory(bytes.subarray(0, bytes.length - 1))).toThrow(/tensor 'd'.*does not fit/);
    const broken = bytes.slice();
    broken[8] = 0x5b;
    expect(() => safetensorsInMemory(broken)).toThrow(/no JSON/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
