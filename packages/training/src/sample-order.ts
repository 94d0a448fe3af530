/** @file An endless order of items: shuffled, each once before any comes again, and able to go on where it was left. */
import { randomStream, shuffle } from "./random.ts";

/** Where an order stands: its random stream before the current shuffle, and how many of that shuffle were taken. */
export interface OrderState {
  readonly stream: readonly [number, number, number, number];
  readonly taken: number;
}

/** Gives the next items. */
export interface SampleOrder<T> {
  take(count: number): T[];
  state(): OrderState;
}

/** Options of {@link shuffledOrder}. */
export interface OrderOptions {
  readonly seed: number;
  /** Name of its random stream. */
  readonly name: string;
  readonly saved?: OrderState | undefined;
}

/** A new shuffle each time the items run out. Throws RangeError for no items. */
export function shuffledOrder<T>(items: readonly T[], { seed, name, saved }: OrderOptions): SampleOrder<T> {
  if (items.length === 0) throw new RangeError(`shuffledOrder: '${name}' has no items`);
  const stream = randomStream(seed, name, saved?.stream);
  let before = stream.state();
  let queue = shuffle(items, stream);
  let taken = saved?.taken ?? 0;
  return {
    take(count) {
      const out: T[] = [];
      while (out.length < count) {
        if (taken === queue.length) {
          before = stream.state();
          queue = shuffle(items, stream);
          taken = 0;
        }
        out.push(queue[taken++] as T);
      }
      return out;
    },
    state: () => ({ stream: before, taken }),
  };
}
