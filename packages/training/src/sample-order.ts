/**
 * @file An endless order of items: shuffled, each once before any comes again, and able to go on where it was left. Grouped by length,
 * items that are taken together are about as long, so that little is padded.
 */
import { type RandomStream, randomStream, shuffle } from "./random.ts";

/** Where an order stands: its random stream before the current shuffle, and how many of that shuffle were taken. */
export interface OrderState {
  readonly stream: readonly [number, number, number, number];
  readonly taken: number;
  /** Items at the beginning of the current shuffle that complete a batch begun in the one before; only where items are grouped. */
  readonly lead?: number;
}

/** Items of about the same length next to one another. */
export interface LengthGroups<T> {
  /** Items that are taken together. */
  readonly size: number;
  readonly length: (item: T) => number;
  /**
   * Batches among which items are sorted by length: more pad less, fewer mix more. (transformers' `group_by_length` has 50, and leaves
   * its batches in the order of their lengths; here they are shuffled.)
   */
  readonly window?: number;
}

/** Gives the next items. */
export interface SampleOrder<T> {
  /** Items of a round. */
  readonly size: number;
  take(count: number): T[];
  state(): OrderState;
}

/** Options of {@link shuffledOrder}. */
export interface OrderOptions<T = never> {
  readonly seed: number;
  /** Name of its random stream. */
  readonly name: string;
  readonly saved?: OrderState | undefined;
  readonly groups?: LengthGroups<T> | undefined;
}

/** A new shuffle each time the items run out. Throws RangeError for no items. */
export function shuffledOrder<T>(items: readonly T[], { seed, name, saved, groups }: OrderOptions<T>): SampleOrder<T> {
  if (items.length === 0) throw new RangeError(`shuffledOrder: '${name}' has no items`);
  const stream = randomStream(seed, name, saved?.stream);
  let before = stream.state();
  let lead = saved?.lead ?? 0;
  let queue = arranged(items, stream, groups, lead);
  let taken = saved?.taken ?? 0;
  return {
    size: items.length,
    take(count) {
      const out: T[] = [];
      while (out.length < count) {
        if (taken === queue.length) {
          before = stream.state();
          if (groups) lead = modulo(lead - items.length, groups.size);
          queue = arranged(items, stream, groups, lead);
          taken = 0;
        }
        out.push(queue[taken++] as T);
      }
      return out;
    },
    state: () => ({ stream: before, taken, ...(groups ? { lead } : {}) }),
  };
}

const modulo = (a: number, n: number): number => ((a % n) + n) % n;

/** One shuffle; grouped: the items that complete a batch, then whole batches in any order, then what begins the next one. */
function arranged<T>(
  items: readonly T[],
  stream: RandomStream,
  groups: LengthGroups<T> | undefined,
  lead: number,
): readonly T[] {
  const mixed = shuffle(items, stream);
  if (!groups) return mixed;
  const { size, length, window = 50 } = groups;
  const rest = mixed.slice(lead);
  const batches: T[][] = [];
  for (let from = 0; from < rest.length; from += size * window) {
    const near = rest.slice(from, from + size * window).toSorted((a, b) => length(b) - length(a));
    for (let at = 0; at < near.length; at += size) batches.push(near.slice(at, at + size));
  }
  const last = batches.at(-1);
  const open = last && last.length < size ? (batches.pop() as T[]) : [];
  return [...mixed.slice(0, lead), ...shuffle(batches, stream).flat(), ...open];
}
