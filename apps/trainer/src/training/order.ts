/** @file The order in which training samples come: shuffled, each once before any comes again. */
import { type RandomStream, shuffle } from "@emosllm/training";

/** Gives the next samples. */
export interface SampleOrder<T> {
  take(count: number): T[];
}

/** A new shuffle each time the samples run out. */
export function shuffledOrder<T>(samples: readonly T[], random: RandomStream): SampleOrder<T> {
  let queue: T[] = [];
  return {
    take(count) {
      while (queue.length < count) queue = [...queue, ...shuffle(samples, random)];
      return queue.splice(0, count);
    },
  };
}
