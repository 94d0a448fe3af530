import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { fixture, rawSafetensors, temporaryFolder } from "./helpers.ts";

const MiB = 1024 * 1024;
const warmUp = ["every_dtype.safetensors", "bins/views.bin", "bins/deflated.bin"].map(fixture);

/** Opens a file that is made to need memory, in a process of its own: whatever comes of it, at most the file + 64 MiB. */
function withinBounds(file: string): string {
  const child = join(import.meta.dirname, "open-child.ts");
  const args = ["--conditions=@emosllm/source", "--import=tsx", child, file, ...warmUp];
  const out = execFileSync(process.execPath, args, { encoding: "utf8" });
  const { outcome, growth } = JSON.parse(out) as { outcome: string; growth: number };
  expect(growth).toBeLessThan(Math.min(statSync(file).size, 64 * MiB) + 64 * MiB);
  return outcome;
}

test("the header length of a file that says it is huge", async () => {
  const file = join(temporaryFolder(), "x.safetensors");
  await writeFile(file, rawSafetensors("{", undefined, 15n * 1024n * 1024n));
  expect(withinBounds(file)).toContain("the file is truncated");
});

test("as many tensors as a header may hold", async () => {
  const file = join(temporaryFolder(), "x.safetensors");
  const entry = (i: number): string => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`;
  await writeFile(file, rawSafetensors(`{${Array.from({ length: 100_000 }, (_, i) => entry(i)).join(",")}}`));
  expect(withinBounds(file)).toBe("100000 tensors");
});

/** An archive with one member that says what it likes about its size. */
function archive(name: string, data: Buffer, method: 0 | 8, size: number, crc: number): Buffer {
  const local = Buffer.alloc(30 + name.length);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  local.write(name, 30);
  const entry = Buffer.alloc(46 + name.length);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(method, 10);
  entry.writeUInt32LE(crc, 16);
  entry.writeUInt32LE(data.length, 20);
  entry.writeUInt32LE(size, 24);
  entry.writeUInt16LE(name.length, 28);
  entry.write(name, 46);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length, 12);
  end.writeUInt32LE(local.length + data.length, 16);
  return Buffer.concat([local, data, entry, end]);
}

test("a pickle of a million empty containers, deflated to little", async () => {
  const pickle = Buffer.alloc(12 * MiB, "]");
  const deflated = deflateRawSync(pickle);
  const file = join(temporaryFolder(), "x.bin");
  await writeFile(file, archive("x/data.pkl", deflated, 8, pickle.length, crc32(pickle)));
  expect(withinBounds(file)).toContain("more than 250000 tuples, lists and dictionaries");
});

test("a pickle that inflates to more than it says, or says that it is enormous", async () => {
  const deflated = deflateRawSync(Buffer.alloc(200 * MiB));
  const folder = temporaryFolder();
  await writeFile(join(folder, "a.bin"), archive("x/data.pkl", deflated, 8, 100, 0));
  expect(withinBounds(join(folder, "a.bin"))).toContain("'x/data.pkl' is damaged");
  await writeFile(join(folder, "b.bin"), archive("x/data.pkl", deflated, 8, 200 * MiB, 0));
  expect(withinBounds(join(folder, "b.bin"))).toContain("'x/data.pkl' would inflate to 209715200 bytes");
});

test("a sparse file of 5 GiB opens without being read", async () => {
  const file = join(temporaryFolder(), "x.safetensors");
  const size = 5 * 1024 * MiB;
  const header = rawSafetensors(`{"a":{"dtype":"U8","shape":[${size}],"data_offsets":[0,${size}]}}`);
  await writeFile(file, header);
  await truncate(file, header.length + size);
  expect(withinBounds(file)).toBe("1 tensors");
});
