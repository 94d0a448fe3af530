import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { EmosllmError } from "@emosllm/interfaces";
import { expect, test } from "vitest";
import { elementCount, openCheckpoint, readTensor } from "../src/index.ts";
import { fixture, temporaryFolder } from "./helpers.ts";

/** 10,000 files with EMOSLLM_FULL=1; a tenth of them otherwise. */
const FILES = process.env["EMOSLLM_FULL"] ? 10_000 : 1_000;
const SEEDS = ["every_dtype.safetensors", "bins/views.bin", "bins/protocol4.bin", "bins/deflated.bin"];
const MAX_EXTRA_BYTES = 64 * 1024 * 1024;

/** mulberry32: the same files in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

type Mutation = (bytes: Buffer, below: (n: number) => number) => Buffer;
const EXTREMES = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** Ways in which files break or are broken. Places are drawn towards the ends, where the structure lies. */
const place = (bytes: Buffer, below: (n: number) => number): number =>
  below(3) === 0
    ? below(bytes.length)
    : below(2) === 0
      ? below(Math.min(1400, bytes.length))
      : bytes.length - 1 - below(Math.min(3000, bytes.length));
const MUTATIONS: readonly Mutation[] = [
  (b, below) => b.subarray(0, below(b.length)),
  (b, below) => b.fill(below(256), place(b, below)),
  (b, below) => {
    const at = place(b, below);
    b[at]! ^= 1 << below(8);
    return b;
  },
  (b, below) => {
    b[place(b, below)] = below(256);
    return b;
  },
  (b, below) => {
    const width = [1, 2, 4, 8][below(4)]!;
    const at = Math.min(place(b, below), b.length - width);
    const value = EXTREMES[below(EXTREMES.length)]!;
    for (let i = 0; i < width; i++) b[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    return b;
  },
  (b, below) => {
    const from = place(b, below);
    const length = below(40);
    return Buffer.concat([b.subarray(0, from), b.subarray(from + length)]);
  },
  (b, below) => {
    const from = place(b, below);
    const part = b.subarray(from, from + below(200));
    const to = place(b, below);
    return Buffer.concat([b.subarray(0, to), part, b.subarray(to)]);
  },
  (b, below) => {
    const from = place(b, below);
    b.copy(b, place(b, below), from, from + below(60));
    return b;
  },
  // A number in the header's text, replaced by one of the same width, so that the text stays well-formed.
  (b, below) => {
    const digits = [...b.toString("latin1").matchAll(/[0-9]+/g)];
    const found = digits[below(digits.length)];
    if (!found) return b;
    const text = String(below(2) ? below(10 ** Math.min(9, found[0].length)) : "9".repeat(found[0].length));
    b.write(text.padStart(found[0].length, "1"), found.index, "latin1");
    return b;
  },
];

/** Makes the checksum of data.pkl right again, so that mutations reach the pickle machine; whatever else is wrong stays wrong. */
function repairChecksum(b: Buffer): Buffer {
  const name = b.lastIndexOf("data.pkl");
  const entry = b.lastIndexOf("PK\x01\x02", name);
  if (name < 0 || entry < 0) return b;
  const size = b.readUInt32LE(entry + 20);
  const local = b.readUInt32LE(entry + 42);
  if (local + 30 > b.length) return b;
  const from = local + 30 + b.readUInt16LE(local + 26) + b.readUInt16LE(local + 28);
  b.writeUInt32LE(crc32(b.subarray(from, from + size)), entry + 16);
  return b;
}

test(
  `${FILES} mutated files: an error that says where, or a read of the shape that the file says`,
  { timeout: 300_000 },
  async () => {
    const folder = temporaryFolder();
    const seeds = SEEDS.map((name) => ({
      bytes: readFileSync(fixture(name)),
      suffix: name.slice(name.lastIndexOf(".")),
    }));
    const below = random(20251122);
    const outcomes = { read: 0, refused: 0 };
    const before = process.resourceUsage().maxRSS;
    for (let i = 0; i < FILES; i++) {
      const { bytes, suffix } = seeds[i % seeds.length]!;
      let mutated: Buffer = Buffer.from(bytes);
      for (let n = 1 + below(3); n > 0 && mutated.length > 0; n--)
        mutated = MUTATIONS[below(MUTATIONS.length)]!(mutated, below);
      if (suffix === ".bin" && below(4) > 0) mutated = repairChecksum(mutated);
      const file = join(folder, `x${suffix}`);
      writeFileSync(file, mutated);
      try {
        const { tensors } = await openCheckpoint(file);
        for (const source of tensors.values()) {
          const values = await readTensor(source);
          if (values.length !== elementCount(source.shape)) throw new Error(`${source.name}: ${values.length} values`);
        }
        outcomes.read++;
      } catch (error) {
        if (!(error instanceof EmosllmError && error.code === "checkpoint_invalid" && error.details["file"] === file)) {
          throw new Error(`file ${i}`, { cause: error });
        }
        outcomes.refused++;
      }
    }
    // Both sides must be there, or the mutations are too weak or too strong to show anything.
    expect(outcomes.read).toBeGreaterThan(FILES / 20);
    expect(outcomes.refused).toBeGreaterThan(FILES / 4);
    expect((process.resourceUsage().maxRSS - before) * 1024).toBeLessThan(MAX_EXTRA_BYTES + 16384);
  },
);
