/** @file Reads the fixtures, which are safetensors files of float32, float64 and int16 tensors. */
import { readFileSync } from "node:fs";

export interface Fixture {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Int16Array;
}

const TYPES = { F32: Float32Array, F64: Float64Array, I16: Int16Array } as const;

export function readFixtures(name: string): (tensor: string) => Fixture {
  const bytes = readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
  const headerLength = Number(bytes.readBigUInt64LE(0));
  type Entry = { dtype: keyof typeof TYPES; shape: number[]; data_offsets: [number, number] };
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerLength)) as Record<string, Entry>;
  return (tensor) => {
    const entry = header[tensor];
    if (entry === undefined) throw new Error(`${name} has no ${tensor}; it has ${Object.keys(header).join(", ")}`);
    const [from, to] = entry.data_offsets;
    const copy = new Uint8Array(bytes.subarray(8 + headerLength + from, 8 + headerLength + to));
    return { shape: entry.shape, data: new TYPES[entry.dtype](copy.buffer) };
  };
}
