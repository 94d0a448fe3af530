import { execFileSync } from "node:child_process";
import { statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { fixture, rawSafetensors, temporaryFolder } from "./helpers.ts";

const MiB = 1024 * 1024;
const warmUp = ["every_dtype.safetensors", "bins/views.bin", "bins/deflated.bin"].map(fixture);

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

const pickle = Buffer.alloc(12 * MiB, "]");
const bomb = deflateRawSync(Buffer.alloc(200 * MiB));
const sparse = 5 * 1024 * MiB;
const tensor = (i: number): string => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`;
const list = (length: number, entry: (i: number) => string): string =>
  Array.from({ length }, (_, i) => entry(i)).join();

/** Files that are made to need memory, smallest first: name, content, what must come of it, and the size of a sparse one. */
const FILES: readonly (readonly [string, Buffer, string, number?])[] = [
  [
    "header that says it is huge.safetensors",
    rawSafetensors("{", undefined, 15n * 1024n * 1024n),
    "the file is truncated",
  ],
  [
    "pickle of a million lists.bin",
    archive("x/data.pkl", deflateRawSync(pickle), 8, pickle.length, crc32(pickle)),
    "more than 250000 tuples, lists and dictionaries",
  ],
  ["inflates to more than it says.bin", archive("x/data.pkl", bomb, 8, 100, 0), "'x/data.pkl' is damaged"],
  [
    "says that it is enormous.bin",
    archive("x/data.pkl", bomb, 8, 200 * MiB, 0),
    "'x/data.pkl' would inflate to 209715200 bytes",
  ],
  ["most tensors.safetensors", rawSafetensors(`{${list(50_000, tensor)}}`), "50000 tensors"],
  ["too many tensors.safetensors", rawSafetensors(`{${list(200_000, tensor)}}`), "more than 50000 tensors"],
  [
    "metadata of a million keys.safetensors",
    rawSafetensors(`{"__metadata__":{${list(2 ** 20, (i) => `"${i}":""`)}}}`),
    "'__metadata__' has more than 10000 keys",
  ],
  [
    "metadata of one text.safetensors",
    rawSafetensors(`{"__metadata__":{"a":"\\n\u6f22${"x".repeat(8 * MiB)}"}}`),
    "at most 4194304 are accepted",
  ],
  [
    "5 GiB of nothing.safetensors",
    rawSafetensors(`{"a":{"dtype":"U8","shape":[${sparse}],"data_offsets":[0,${sparse}]}}`),
    "1 tensors",
    sparse,
  ],
];

test("files that are made to need memory take no more than their size + 64 MiB, all in one process", () => {
  const folder = temporaryFolder();
  const paths = FILES.map(([name, content, , extra]) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    if (extra !== undefined) truncateSync(path, content.length + extra);
    return path;
  });
  const child = join(import.meta.dirname, "open-child.ts");
  const args = [
    "--expose-gc",
    "--conditions=@emosllm/source",
    "--import=tsx",
    child,
    String(paths.length),
    ...paths,
    ...warmUp,
  ];
  const results = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as {
    outcome: string;
    growth: number;
  }[];
  let largest = 0;
  for (const [i, [name, , outcome, extra]] of FILES.entries()) {
    if (extra === undefined) largest = Math.max(largest, statSync(paths[i]!).size);
    expect({ name, outcome: results[i]!.outcome }).toEqual({
      name,
      outcome: expect.stringContaining(outcome) as string,
    });
    expect({ name, over: Math.max(0, results[i]!.growth - largest - 64 * MiB) }).toEqual({ name, over: 0 });
  }
});
