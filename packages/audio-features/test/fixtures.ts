/** @file Reads the fixtures that `tools/oracle/audio_*.py` made. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "fixtures");

export const fixturePath = (...parts: string[]): string => join(folder, ...parts);

export const readJson = <T>(...parts: string[]): T => JSON.parse(readFileSync(fixturePath(...parts), "utf8")) as T;

/** Little-endian float32. */
export function readFloats(...parts: string[]): Float32Array {
  const bytes = readFileSync(fixturePath(...parts));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Little-endian int16 as full scale ±1. */
export function readInt16(...parts: string[]): Float32Array {
  const bytes = readFileSync(fixturePath(...parts));
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(2 * i) / 32768);
}

/** A seeded uniform generator for tests (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

/** Little-endian int32 that holds `bits`-bit integers, as full scale ±1. */
export function readSteps(bits: number, ...parts: string[]): Float32Array {
  const bytes = readFileSync(fixturePath(...parts));
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readInt32LE(4 * i) / 2 ** (bits - 1));
}
