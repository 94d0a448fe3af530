import { createHash } from "node:crypto";
import { readdirSync, readFileSync, symlinkSync, writeFileSync, cpSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  bf16ToF32,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  loadSafetensors,
  openCheckpoint,
  readSafetensorsHeader,
  readTensor,
  writeSafetensors,
} from "../src/index.ts";
import { described, expected, fixture, rawSafetensors, temporaryFolder } from "./helpers.ts";

const sha256 = (a: NodeJS.TypedArray): string =>
  createHash("sha256")
    .update(new Uint8Array(a.buffer, a.byteOffset, a.byteLength))
    .digest("hex");

test("every dtype reads as PyTorch wrote it", async () => {
  const { tensors, metadata } = await openCheckpoint(fixture("every_dtype.safetensors"));
  const wanted = described("every_dtype");
  expect(metadata).toEqual({ format: "pt" });
  expect([...tensors.keys()].sort()).toEqual(Object.keys(wanted).sort());
  for (const [name, { dtype, shape, f32 }] of Object.entries(wanted)) {
    const source = tensors.get(name)!;
    expect({ dtype: source.dtype, shape: source.shape }).toEqual({ dtype, shape });
    expect([...(await readTensor(source, "f32"))]).toEqual(f32);
  }
});

test("a file is written byte for byte as Python's safetensors writes it", async () => {
  const file = join(temporaryFolder(), "x.safetensors");
  const loaded = await loadSafetensors(fixture("every_dtype.safetensors"));
  await writeSafetensors(file, new Map([...loaded].toReversed()), { format: "pt" });
  expect(readFileSync(file).equals(readFileSync(fixture("every_dtype.safetensors")))).toBe(true);
  expect(readdirSync(join(file, ".."))).toEqual(["x.safetensors"]);
});

test("all 65,536 patterns of f16 and bf16 convert as in PyTorch", () => {
  const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
  for (const [name, convert] of [
    ["f16", f16ToF32],
    ["bf16", bf16ToF32],
  ] as const) {
    const wide = convert(patterns).map((v) => (v === v ? v : NaN));
    expect(sha256(wide)).toBe(expected[`${name}_to_f32_sha256`]);
  }
});

test("f32 rounds to f16 and bf16 as in PyTorch", () => {
  const bytes = readFileSync(fixture("floats.f32"));
  const floats = new Float32Array(Uint8Array.from(bytes).buffer);
  expect(sha256(f32ToF16(floats))).toBe(expected["f32_to_f16_sha256"]);
  expect(sha256(f32ToBf16(floats))).toBe(expected["f32_to_bf16_sha256"]);
  expect([...f32ToF16([NaN])].map((b) => f16ToF32(Uint16Array.of(b))[0])).toEqual([NaN]);
  expect([...bf16ToF32(f32ToBf16([NaN, Infinity, -Infinity]))]).toEqual([NaN, Infinity, -Infinity]);
});

test("a sharded folder is one list, behind a symbolic link too, with real paths", async () => {
  const folder = temporaryFolder();
  symlinkSync(fixture("sharded"), join(folder, "link"));
  const { tensors, files } = await openCheckpoint(join(folder, "link"));
  const wanted = described("sharded");
  expect([...tensors.keys()]).toEqual(Object.keys(wanted));
  for (const [name, { f32 }] of Object.entries(wanted))
    expect([...(await readTensor(tensors.get(name)!, "f32"))]).toEqual(f32);
  const real = realpathSync(fixture("sharded"));
  expect(files).toEqual([1, 2].map((i) => join(real, `model-0000${i}-of-00002.safetensors`)));
  expect(new Set([...tensors.values()].map((t) => t.file))).toEqual(new Set(files));
});

const U8 = (n: number, begin: number, end: number): string =>
  `{"dtype":"U8","shape":[${n}],"data_offsets":[${begin},${end}]}`;

test.each([
  ["an empty file", Buffer.alloc(0), "byte 0: the file ends inside its first 8 bytes"],
  ["a truncated header", rawSafetensors("{}", undefined, 99n), "byte 0: a header of 99 bytes in a file of 10"],
  [
    "a huge header",
    rawSafetensors("{}", undefined, 2n ** 63n),
    "byte 0: a header of 9223372036854775808 bytes; at most",
  ],
  ["no object", rawSafetensors("[]"), "byte 8: the header does not begin with '{'"],
  ["text behind the object", rawSafetensors("{} x"), "byte 11: expected the end, found 'x'"],
  [
    "equal names",
    rawSafetensors(`{"a":${U8(1, 0, 1)},"a":${U8(1, 0, 1)}}`, Buffer.alloc(1)),
    "tensor 'a': byte 61: the name is there twice",
  ],
  [
    "equal names in escapes",
    rawSafetensors(`{"a":${U8(1, 0, 1)},"\\u0061":${U8(1, 0, 1)}}`, Buffer.alloc(1)),
    "the name is there twice",
  ],
  [
    "equal keys",
    rawSafetensors('{"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}}', Buffer.alloc(1)),
    "tensor 'a': byte 27: 'dtype' is there twice",
  ],
  [
    "an unknown dtype",
    rawSafetensors('{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', Buffer.alloc(1)),
    "tensor 'a': byte 14: dtype 'F8_E4M3' is not supported; one of BOOL U8",
  ],
  [
    "a missing field",
    rawSafetensors('{"a":{"dtype":"U8","shape":[1]}}'),
    "tensor 'a': byte 9: 'dtype', 'shape' or 'data_offsets' is missing",
  ],
  [
    "a negative dimension",
    rawSafetensors('{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}'),
    "expected a whole number, found '-'",
  ],
  ["a fraction", rawSafetensors('{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}'), "expected a whole number"],
  [
    "a shape beyond 2^53",
    rawSafetensors('{"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}}'),
    "a number above 2^53 - 1",
  ],
  [
    "a product beyond 2^53",
    rawSafetensors(
      '{"a":{"dtype":"U8","shape":[9007199254740991,9007199254740991],"data_offsets":[0,1]}}',
      Buffer.alloc(1),
    ),
    "takes 8.1",
  ],
  [
    "a shape that disagrees",
    rawSafetensors(`{"a":${U8(2, 0, 1)}}`, Buffer.alloc(1)),
    "shape [2] of U8 takes 2 bytes, but data_offsets [0, 1] hold 1",
  ],
  [
    "backward offsets",
    rawSafetensors(`{"a":${U8(1, 1, 0)}}`, Buffer.alloc(1)),
    "data_offsets [1, 0] are not [begin, end]",
  ],
  [
    "an overlap",
    rawSafetensors(`{"a":${U8(2, 0, 2)},"b":${U8(2, 1, 3)}}`, Buffer.alloc(3)),
    "tensor 'b': byte 114: begins inside another tensor, which ends at byte 115",
  ],
  [
    "a gap",
    rawSafetensors(`{"a":${U8(1, 0, 1)},"b":${U8(1, 2, 3)}}`, Buffer.alloc(3)),
    "tensor 'b': byte 115: begins 1 bytes behind",
  ],
  [
    "an end outside",
    rawSafetensors(`{"a":${U8(9, 0, 9)}}`, Buffer.alloc(3)),
    "tensor 'a': byte 61: ends at byte 70, but the file has only 64",
  ],
  [
    "a rest",
    rawSafetensors(`{"a":${U8(1, 0, 1)}}`, Buffer.alloc(3)),
    "byte 62: the tensors end here, but the file goes on to byte 64",
  ],
  [
    "wrong UTF-8",
    Buffer.concat([rawSafetensors("", undefined, 5n), Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])]),
    "not valid UTF-8",
  ],
  ["metadata that is no text", rawSafetensors('{"__metadata__":{"a":1}}'), "byte 29: expected '\"', found '1'"],
  ["deep nesting", rawSafetensors(`{"a":{"x":${"[".repeat(100000)}`), "nested deeper than 64"],
])("%s is refused with file and byte", async (_, bytes, message) => {
  const file = join(temporaryFolder(), "bad.safetensors");
  writeFileSync(file, bytes);
  const error = await readSafetensorsHeader(file).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toMatchObject({ code: "checkpoint_invalid", details: { file } });
  expect((error as Error).message.startsWith(`${file}: `)).toBe(true);
  expect((error as Error).message).toContain(message);
});

test("an index that disagrees with its files is refused", async () => {
  const folder = join(temporaryFolder(), "m");
  cpSync(fixture("sharded"), folder, { recursive: true });
  const index = join(folder, "model.safetensors.index.json");
  const text = readFileSync(index, "utf8");
  const last = '"layers.3.weight": "model-00002-of-00002.safetensors"';
  for (const [changed, message] of [
    [text.replace(last, last.replace("00002-of", "00001-of")), "tensor 'layers.3.weight': is not in this file, but"],
    [text.replace(`,\n    ${last}`, ""), "tensor 'layers.3.weight': is in this file, but"],
    [
      text.replace(last, last.replace("model-00002", "gone-00002")),
      "gone-00002-of-00002.safetensors: there is no such file (",
    ],
    [text.replace(last, last.replace("model-", "../model-")), "is not the name of a file in the same folder"],
    [text.replace(last, `${last}, ${last}`), "the name is there twice"],
    ["{}", "there is no 'weight_map'"],
  ] as const) {
    writeFileSync(index, changed);
    await expect(openCheckpoint(folder)).rejects.toThrow(message);
  }
});

test("what is not there is said", async () => {
  const folder = temporaryFolder();
  await expect(openCheckpoint(join(folder, "none"))).rejects.toThrow(/none: there is no such file$/);
  await expect(openCheckpoint(folder)).rejects.toThrow(
    "no weights; looked for model.safetensors, model.safetensors.index.json, adapter_model.safetensors, pytorch_model.bin",
  );
});

test("data that does not fit its shape is not written", async () => {
  const file = join(temporaryFolder(), "x.safetensors");
  const write = (dtype: "f32" | "bf16", shape: number[], data: Float32Array): Promise<void> =>
    writeSafetensors(file, new Map([["a", { dtype, shape, data }]]));
  await expect(write("f32", [3], new Float32Array(2))).rejects.toThrow("tensor 'a': shape [3] with 2 values");
  await expect(write("bf16", [2], new Float32Array(2))).rejects.toThrow("bf16 needs a Uint16Array, got Float32Array");
  expect(readdirSync(join(file, ".."))).toEqual([]);
});
