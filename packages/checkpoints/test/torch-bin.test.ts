import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { openCheckpoint, readTensor, readTorchBin } from "../src/index.ts";
import { described, fixture, temporaryFolder } from "./helpers.ts";

const bin = (name: string): string => fixture(join("bins", name));

test.each(["views.bin", "protocol4.bin", "deflated.bin"])("%s reads as PyTorch reads it", async (name) => {
  const { tensors } = await readTorchBin(bin(name));
  const wanted = described("views");
  expect([...tensors.keys()]).toEqual(Object.keys(wanted));
  for (const [name, { dtype, shape, f32 }] of Object.entries(wanted)) {
    const source = tensors.get(name)!;
    expect({ name, dtype: source.dtype, shape: source.shape }).toEqual({ name, dtype, shape });
    expect([...(await readTensor(source, "f32"))]).toEqual(f32);
  }
});

test("stored tensors lie in the file as they are, tied ones at the same place", async () => {
  const { tensors, file } = await readTorchBin(bin("views.bin"));
  const bytes = readFileSync(file);
  const { offset, length } = tensors.get("rows")!;
  const values = new Float32Array(Uint8Array.from(bytes.subarray(offset, offset + length)).buffer);
  expect([...values]).toEqual(described("views")["rows"]!.f32);
  const place = (name: string): unknown => ({ ...tensors.get(name), name: "" });
  expect(place("tied")).toEqual(place("same"));
  expect(tensors.get("rows")!.strides).toBeUndefined();
  expect(tensors.get("one_row")!.strides).toBeUndefined();
  expect(tensors.get("transposed")).toMatchObject({ shape: [8, 6], strides: [1, 8], length: 6 * 8 * 4 });
});

test("a sharded folder of .bin files is one list", async () => {
  const { tensors, files } = await openCheckpoint(fixture("sharded-bin"), { weights: "bin" });
  const wanted = described("sharded-bin");
  expect(files.length).toBe(2);
  for (const [name, { f32 }] of Object.entries(wanted))
    expect([...(await readTensor(tensors.get(name)!, "f32"))]).toEqual(f32);
});

test.each([
  ["attack.bin", "the name 'posix.system' is not allowed"],
  ["module.bin", "the name 'torch.nn.modules.linear.Linear' is not allowed"],
  ["complex.bin", "the name 'torch.ComplexFloatStorage' is not allowed"],
  ["sparse.bin", "the name 'torch._utils._rebuild_sparse_tensor' is not allowed"],
  ["legacy.bin", "byte 0: written in torch's format from before 1.6"],
  ["expanded.bin", "a tensor of shape [1000, 1000] expands a storage of 1 elements"],
  ["number.bin", "'epoch' is number 3, not a tensor"],
  ["list.bin", "holds no dictionary of tensors at its top"],
])("%s is refused", async (name, message) => {
  const error = await readTorchBin(bin(name)).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toMatchObject({ code: "checkpoint_invalid", details: { file: bin(name) } });
  expect((error as Error).message).toContain(message);
  expect(existsSync("emosllm_was_here")).toBe(false);
});

interface Member {
  readonly name: string;
  readonly data: Buffer;
}

/** A stored zip archive; with `zip64` every 32-bit size and offset is full and the real ones stand in the wide fields. */
function zip(members: readonly Member[], zip64 = false): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, data } of members) {
    const local = Buffer.alloc(30 + name.length);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    local.write(name, 30);
    const extra = Buffer.alloc(zip64 ? 28 : 0);
    const entry = Buffer.alloc(46 + name.length);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt32LE(crc32(data), 16);
    for (const [at, value] of [
      [24, data.length],
      [20, data.length],
      [42, offset],
    ] as const)
      entry.writeUInt32LE(zip64 ? 0xffffffff : value, at);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt16LE(extra.length, 30);
    entry.write(name, 46);
    if (zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      [data.length, data.length, offset].forEach((value, i) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
    }
    locals.push(local, data);
    central.push(entry, extra);
    offset += local.length + data.length;
  }
  const directory = Buffer.concat(central);
  const record = Buffer.alloc(zip64 ? 76 : 0);
  if (zip64) {
    record.writeUInt32LE(0x06064b50, 0);
    record.writeBigUInt64LE(BigInt(members.length), 32);
    record.writeBigUInt64LE(BigInt(directory.length), 40);
    record.writeBigUInt64LE(BigInt(offset), 48);
    record.writeUInt32LE(0x07064b50, 56);
    record.writeBigUInt64LE(BigInt(offset + directory.length), 64);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(zip64 ? 0xffff : members.length, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : directory.length, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : offset, 16);
  return Buffer.concat([...locals, directory, record, end]);
}

/** Pickles `{"a": <one f32 tensor>}`; each part may be replaced. */
function pickled({
  elements = "K\x02",
  start = "K\x00",
  size = "K\x02\x85",
  stride = "K\x01\x85",
  names = ["a"],
} = {}): Buffer {
  const text = (s: string): string => `X${String.fromCharCode(s.length)}\0\0\0${s}`;
  const storage = `(${text("storage")}ctorch\nFloatStorage\n${text("0")}${text("cpu")}${elements}tQ`;
  const hooks = "ccollections\nOrderedDict\n)R";
  const tensor = `ctorch._utils\n_rebuild_tensor_v2\n(${storage}${start}${size}${stride}\x89${hooks}tR`;
  return Buffer.from(`\x80\x02}(${names.map((n) => text(n) + tensor).join("")}u.`, "latin1");
}
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const data = { name: "x/data/0", data: Buffer.from(Float32Array.of(1.5, -2).buffer) };
const archive = (pickle: Buffer, ...more: Member[]): Buffer =>
  zip([{ name: "x/data.pkl", data: pickle }, data, ...more]);

test.each([false, true])("a hand-made archive is read (zip64: %s)", async (zip64) => {
  const file = join(temporaryFolder(), "x.bin");
  writeFileSync(file, zip([{ name: "x/data.pkl", data: pickled() }, data], zip64));
  const { tensors } = await readTorchBin(file);
  expect([...(await readTensor(tensors.get("a")!))]).toEqual([1.5, -2]);
});

test.each([
  ["a truncated archive", archive(pickled()).subarray(0, -30), "no zip directory at the end"],
  ["a member twice", archive(pickled(), data), "the archive holds 'x/data/0' twice"],
  ["two pickles", archive(pickled(), { name: "y/data.pkl", data: pickled() }), "holds 2 data.pkl instead of one"],
  ["big-endian values", archive(pickled(), { name: "x/byteorder", data: latin1("big") }), "not little-endian"],
  ["a storage that is not there", zip([{ name: "x/data.pkl", data: pickled() }]), "storage '0' is not in the archive"],
  [
    "a storage of another size",
    archive(pickled({ elements: "K\x03" })),
    "storage '0' has 8 bytes; 3 elements of f32 take 12",
  ],
  ["a tensor behind its storage", archive(pickled({ start: "K\x01" })), "ends at element 3 of a storage of 2"],
  ["a stride behind the storage", archive(pickled({ stride: "K\x02\x85" })), "ends at element 3 of a storage of 2"],
  ["a negative offset", archive(pickled({ start: "J\xff\xff\xff\xff" })), "are not what torch writes"],
  ["a shape without strides", archive(pickled({ stride: ")" })), "are not what torch writes"],
  ["a name twice", archive(pickled({ names: ["a", "a"] })), "the name 'a' is there twice"],
  [
    "a huge whole number",
    archive(pickled({ start: "\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01" })),
    "a whole number of 9 bytes",
  ],
  ["an opcode outside the list", archive(latin1("\x80\x02i.")), "opcode 0x69 is not allowed"],
  ["a pickle without end", archive(latin1("\x80\x02}")), "the pickle ends without STOP"],
  ["a memo from nowhere", archive(latin1("\x80\x02h\x05.")), "memo 5 is not set"],
  ["a call of something else", archive(latin1("\x80\x02})R.")), "only names are called"],
])("%s is refused", async (_, bytes, message) => {
  const file = join(temporaryFolder(), "x.bin");
  writeFileSync(file, bytes);
  await expect(readTorchBin(file)).rejects.toThrow(message);
  await expect(readTorchBin(file)).rejects.toMatchObject({ code: "checkpoint_invalid" });
});

test("an error in the pickle names the byte of the file", async () => {
  const file = join(temporaryFolder(), "x.bin");
  writeFileSync(file, archive(latin1("\x80\x02}cos\nsystem\n.")));
  const at = readFileSync(file).indexOf("cos\nsystem");
  await expect(readTorchBin(file)).rejects.toMatchObject({
    message: `${file}: byte ${at}: data.pkl: the name 'os.system' is not allowed; a state dictionary needs only collections.OrderedDict, torch._utils._rebuild_tensor_v2, torch._utils._rebuild_parameter and torch's storages`,
    details: { byte: at },
  });
});
