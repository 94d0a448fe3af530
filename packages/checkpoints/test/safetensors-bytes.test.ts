import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  type TensorInMemory,
  loadSafetensors,
  safetensorsInMemory,
  widenedInMemory,
  writeSafetensors,
} from "../src/index.ts";

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

test("half-precision tensors widened are exact, the others as they were", () => {
  const tensor = (dtype: "f16" | "bf16" | "i64", data: Uint16Array | BigInt64Array): TensorInMemory =>
    ({
      name: dtype,
      dtype,
      shape: [data.length],
      file: "x",
      offset: 0,
      length: data.byteLength,
      data,
    }) as TensorInMemory;
  const wide = widenedInMemory(
    new Map([
      // 1, -2.5, the smallest subnormal, infinity
      ["a", tensor("f16", Uint16Array.of(0x3c00, 0xc100, 0x0001, 0x7c00))],
      ["b", tensor("bf16", Uint16Array.of(0x3f80, 0xc020, 0x0001))],
      ["c", tensor("i64", BigInt64Array.of(7n))],
    ]),
  );
  expect(wide.get("a")).toMatchObject({ dtype: "f32", shape: [4], length: 16 });
  expect([...(wide.get("a")!.data as Float32Array)]).toEqual([1, -2.5, 2 ** -24, Infinity]);
  expect([...(wide.get("b")!.data as Float32Array)]).toEqual([1, -2.5, 2 ** -133]);
  expect(wide.get("c")).toMatchObject({ dtype: "i64", data: BigInt64Array.of(7n) });
});
