/** @file Random numbers in named streams: one seed, and what one part of a program draws never changes what another does. */
import { createHash } from "node:crypto";

/** Numbers in [0, 1). `state` is all there is to save. */
export interface RandomStream {
  next(): number;
  state(): readonly [number, number, number, number];
}

/** sfc32 (Chris Doty-Humphrey), started from a hash of seed and name, or from a saved state. */
export function randomStream(
  seed: number,
  name: string,
  saved?: readonly [number, number, number, number],
): RandomStream {
  const hash = createHash("sha256").update(`${seed}:${name}`).digest();
  let [a, b, c, d] = saved ?? ([0, 4, 8, 12].map((i) => hash.readUInt32LE(i)) as [number, number, number, number]);
  return {
    next: () => {
      const t = (((a + b) | 0) + d) | 0;
      d = (d + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = ((c << 21) | (c >>> 11)) + t;
      c |= 0;
      return (t >>> 0) / 4294967296;
    },
    state: () => [a, b, c, d],
  };
}

/** A number from the standard normal distribution (Box and Muller). */
export const normal = (r: RandomStream): number =>
  Math.sqrt(-2 * Math.log(1 - r.next())) * Math.cos(2 * Math.PI * r.next());

/** The items in a random order (Fisher and Yates); the input stays. */
export function shuffle<T>(items: readonly T[], r: RandomStream): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(r.next() * (i + 1));
    [out[i], out[j]] = [out[j] as T, out[i] as T];
  }
  return out;
}
