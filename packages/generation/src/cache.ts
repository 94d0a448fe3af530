/**
 * @file Keys and values of the tokens that were run, kept in JavaScript's memory: it is fed to a program without a copy, and only what
 * is new comes back. Each head's slots lie in a row, so that attention reads a cache as it lies.
 */
import { EMPTY_SLOT } from "@emosllm/backbones";
import { type HostTensor, f32, hostTensor } from "@emosllm/runtime";

/** Sizes of a model's cache. */
export interface CacheShape {
  readonly layers: number;
  readonly heads: number;
  readonly headDim: number;
}

/** Keys and values of some rows. Only the functions of this file change it. */
export interface KvCache {
  readonly shape: CacheShape;
  /** Slots of each row; empty ones are masked. */
  capacity: number;
  /** Tokens of each row. */
  lengths: number[];
  /** By layer, `[rows, heads, capacity, headDim]`; the arrays may be longer. */
  layers: { key: Float32Array; value: Float32Array }[];
}

/** Slots are added in blocks: an empty one costs a little arithmetic, room that is too small a copy of everything. */
const blocks = (slots: number): number => {
  const block = slots <= 512 ? 64 : slots <= 2048 ? 128 : 256;
  return Math.ceil(slots / block) * block;
};

/** A cache of `rows` rows without tokens, with room for at least `slots`. */
export function emptyCache(shape: CacheShape, rows: number, slots = 1): KvCache {
  // One slot, empty for good, stands for no cache at all: a program has no room for less.
  const capacity = slots === 0 ? 1 : blocks(slots);
  const size = rows * shape.heads * capacity * shape.headDim;
  return {
    shape,
    capacity,
    lengths: Array.from({ length: rows }, () => 0),
    layers: Array.from({ length: shape.layers }, () => ({
      key: new Float32Array(size),
      value: new Float32Array(size),
    })),
  };
}

const PARTS = ["key", "value"] as const;

/** Copies the first `tokens` tokens of a row into another cache's row, and says so in its length. */
function copyRow(from: KvCache, row: number, to: KvCache, target: number, tokens: number): void {
  const { heads, headDim } = from.shape;
  from.layers.forEach((layer, i) => {
    for (const part of PARTS)
      for (let h = 0; h < heads; h++) {
        const start = (row * heads + h) * from.capacity * headDim;
        to.layers[i]?.[part].set(
          layer[part].subarray(start, start + tokens * headDim),
          (target * heads + h) * to.capacity * headDim,
        );
      }
  });
  to.lengths[target] = tokens;
}

/** Makes room for `slots` tokens in each row. */
export function growCache(cache: KvCache, slots: number): void {
  if (slots <= cache.capacity) return;
  const wider = emptyCache(cache.shape, cache.lengths.length, slots);
  cache.lengths.forEach((length, row) => copyRow(cache, row, wider, row, length));
  Object.assign(cache, wider);
}

/** A cache with `rows` copies of the only row of `cache`, its first `length` tokens, and room for more. */
export function repeatCache(cache: KvCache, rows: number, length: number, slots: number): KvCache {
  const repeated = emptyCache(cache.shape, rows, Math.max(slots, length));
  for (let row = 0; row < rows; row++) copyRow(cache, 0, repeated, row, length);
  return repeated;
}

/** One cache with the rows of several. */
export function stackCaches(caches: readonly KvCache[], slots = 0): KvCache {
  const [first] = caches;
  if (!first) throw new RangeError("stackCaches: no caches");
  const rows = caches.reduce((n, c) => n + c.lengths.length, 0);
  const needed = Math.max(slots, ...caches.flatMap((c) => c.lengths), 1);
  if (caches.length === 1 && needed <= first.capacity) return first;
  const stacked = emptyCache(first.shape, rows, needed);
  let target = 0;
  for (const cache of caches) cache.lengths.forEach((length, row) => copyRow(cache, row, stacked, target++, length));
  return stacked;
}

/** Leaves only the given rows, which are in ascending order. */
export function keepRows(cache: KvCache, rows: readonly number[]): void {
  if (rows.length === cache.lengths.length) return;
  const size = cache.shape.heads * cache.capacity * cache.shape.headDim;
  for (const layer of cache.layers)
    for (const part of PARTS)
      rows.forEach((row, target) => layer[part].copyWithin(target * size, row * size, (row + 1) * size));
  cache.lengths = rows.map((row) => cache.lengths[row] as number);
}

/** Puts the only row of `from` in place of a row. */
export function replaceRow(cache: KvCache, row: number, from: KvCache): void {
  growCache(cache, from.lengths[0] as number);
  copyRow(from, 0, cache, row, from.lengths[0] as number);
}

/** Adds what a program gave (`key.N`, `value.N`: `[rows, heads, 1, suffix, headDim]`): of each row its first `counts` tokens. */
export function addTokens(
  cache: KvCache,
  given: Readonly<Record<string, HostTensor>>,
  suffix: number,
  counts: readonly number[],
): void {
  const { heads, headDim } = cache.shape;
  growCache(cache, Math.max(...counts.map((count, row) => (cache.lengths[row] as number) + count)));
  cache.layers.forEach((layer, i) => {
    for (const part of PARTS) {
      const data = given[`${part}.${i}`]?.data as Float32Array;
      counts.forEach((count, row) => {
        for (let h = 0; h < heads; h++) {
          const at = row * heads + h;
          layer[part].set(
            data.subarray(at * suffix * headDim, (at * suffix + count) * headDim),
            (at * cache.capacity + (cache.lengths[row] as number)) * headDim,
          );
        }
      });
    }
  });
  cache.lengths = cache.lengths.map((length, row) => length + (counts[row] as number));
}

/** The feeds of a cache; of each row only the first `visible` tokens where that is fewer. */
export function cacheFeeds(
  { shape: { heads, headDim }, capacity, lengths, layers }: KvCache,
  visible: number = Infinity,
): Record<string, HostTensor> {
  const rows = lengths.length;
  const shape = [rows, heads, capacity, headDim];
  const size = rows * heads * capacity * headDim;
  const positions = new BigInt64Array(rows * capacity).fill(BigInt(EMPTY_SLOT));
  lengths.forEach((length, row) => {
    for (let s = 0; s < Math.min(length, visible); s++) positions[row * capacity + s] = BigInt(s);
  });
  return {
    past_positions: hostTensor("i64", [rows, capacity], positions),
    ...Object.fromEntries(
      layers.flatMap((layer, i) =>
        PARTS.map((part): [string, HostTensor] => [`past_${part}.${i}`, f32(layer[part].subarray(0, size), shape)]),
      ),
    ),
  };
}

/** Bytes of a cache. */
export const cacheBytes = ({ layers }: KvCache): number =>
  layers.reduce((n, { key, value }) => n + key.byteLength + value.byteLength, 0);
