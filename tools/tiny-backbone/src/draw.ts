/** @file Draws from lists, over a stream of uniform numbers (`randomOf` of `@emosllm/prompts`). */

/** A stream of uniform numbers in [0, 1). */
export type Random = () => number;

/** One item, each equally likely. */
export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError("internal: pick from an empty list");
  return item;
}

/** True with probability `p`. */
export const chance = (random: Random, p: number): boolean => random() < p;

/** `n` different items. */
export function some<T>(random: Random, items: readonly T[], n: number): T[] {
  const left = [...items];
  return Array.from(
    { length: Math.min(n, left.length) },
    () => left.splice(Math.floor(random() * left.length), 1)[0] as T,
  );
}

/** One of the keys, with probability proportional to its weight. */
export function weighted<K extends string>(random: Random, weights: Readonly<Record<K, number>>): K {
  const entries = Object.entries<number>(weights) as [K, number][];
  let left = random() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [key, weight] of entries) if ((left -= weight) < 0) return key;
  return (entries[0] as [K, number])[0];
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[], last = "and"): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;
}

/** With a capital first letter. */
export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
