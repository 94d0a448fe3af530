/** @file All random streams of a run: made when first asked for, saved and restored together. */
import { type RandomStream, randomStream } from "./random.ts";

/** States of streams by name: plain data. */
export type StreamStates = Readonly<Record<string, readonly [number, number, number, number]>>;

/** Streams by name. */
export interface StreamSet {
  get(name: string): RandomStream;
  states(): StreamStates;
}

/** Streams of one seed, going on where `saved` says; others begin at their beginning. */
export function streamSet(seed: number, saved: StreamStates = {}): StreamSet {
  const streams = new Map<string, RandomStream>();
  const get = (name: string): RandomStream => {
    let stream = streams.get(name);
    if (!stream) streams.set(name, (stream = randomStream(seed, name, saved[name])));
    return stream;
  };
  for (const name of Object.keys(saved)) get(name);
  return { get, states: () => Object.fromEntries([...streams].map(([name, s]) => [name, s.state()])) };
}
