/** @file Requests that wait for a model process, in order, and which of them make the next batch. */
import { type GenerateChunk, type ItemResult, type Phase, SINGLE, type TaskKind, type Tasks } from "./tasks.ts";

/** One request that waits. */
export interface Entry {
  readonly model: string;
  readonly kind: TaskKind;
  readonly input: Tasks[TaskKind]["input"];
  /** `performance.now()` of its arrival. */
  readonly arrived: number;
  /** Runs by itself: it was in a batch whose process ended. */
  alone: boolean;
  attempts: number;
  /** Hears text as it comes. */
  readonly onChunk: ((chunk: GenerateChunk) => void) | undefined;
  /** Text was given away: another try could say something else. */
  spoken: boolean;
  /** Nobody waits for it any more. */
  left: boolean;
  settle(result: ItemResult, batch: BatchFacts): void;
  fail(error: Error): void;
}

/** What is told about the batch that an item was in. */
export interface BatchFacts {
  readonly size: number;
  readonly queuedMs: number;
  readonly modelMs: number;
  /** `performance.now()` when it was given to its process. */
  readonly startedAt: number;
  /** What the process did, one after the other. */
  readonly phases: readonly Phase[];
}

/** The waiting line. */
export interface Queue {
  readonly length: number;
  push(entry: Entry): void;
  /** Before all others: an entry whose process ended. */
  pushFront(entry: Entry): void;
  remove(entry: Entry): boolean;
  /** The entries that may run with the first one, at most `most`, without taking them. */
  group(most: number): readonly Entry[];
  take(entries: readonly Entry[]): void;
  drop(): Entry[];
}

/** An empty line. */
export function createQueue(): Queue {
  let entries: Entry[] = [];
  return {
    get length() {
      return entries.length;
    },
    push: (entry) => void entries.push(entry),
    pushFront: (entry) => void entries.unshift(entry),
    remove(entry) {
      const at = entries.indexOf(entry);
      if (at >= 0) entries.splice(at, 1);
      return at >= 0;
    },
    group(most) {
      const [first] = entries;
      if (!first) return [];
      if (first.alone || SINGLE[first.kind]) return [first];
      const group: Entry[] = [];
      for (const entry of entries) {
        if (group.length >= most) break;
        if (!entry.alone && entry.model === first.model && entry.kind === first.kind) group.push(entry);
      }
      return group;
    },
    take(taken) {
      const gone = new Set(taken);
      entries = entries.filter((entry) => !gone.has(entry));
    },
    drop() {
      const all = entries;
      entries = [];
      return all;
    },
  };
}
