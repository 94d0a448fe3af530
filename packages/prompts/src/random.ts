/** @file Seeded randomness: the same seed and key give the same draw on every machine, in whatever order draws are made. */

/** Uniform numbers in [0, 1): mulberry32 (2^32 period) from a hash of the key. For draws and shuffles, not for cryptography. */
export function randomOf(...key: readonly (string | number)[]): () => number {
  let state = 0x811c9dc5;
  for (const unit of new TextEncoder().encode(key.join("\u0000"))) state = Math.imul(state ^ unit, 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A shuffled copy (Fisher-Yates). */
export function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j] as T, out[i] as T];
  }
  return out;
}
