/** @file One replica under load, simulated: arrivals at random, processes that take what waits, a batch takes a fixed time and one per item. */

/** What is simulated. */
export interface ReplicaLoad {
  /** Requests per second that arrive (Poisson). */
  readonly rate: number;
  readonly processes: number;
  /** Milliseconds of a batch, and of each of its items. */
  readonly fixedMs: number;
  readonly itemMs: number;
  readonly maxBatch: number;
  readonly maxQueue: number;
  /** Seconds that are simulated. Default 600. */
  readonly seconds?: number;
  readonly seed?: number;
}

/** What callers would see. */
export interface ReplicaFigures {
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Share of requests that found the queue full. */
  readonly refused: number;
  /** Share of the time that processes worked. */
  readonly busy: number;
}

/** Runs it. */
export function simulateReplica(load: ReplicaLoad): ReplicaFigures {
  const { rate, processes, fixedMs, itemMs, maxBatch, maxQueue, seconds = 600, seed = 1 } = load;
  let state = seed;
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const arrivals: number[] = [];
  for (let at = 0; at < 1000 * seconds;) arrivals.push((at += (-1000 * Math.log(1 - random())) / rate));
  const free = Array.from({ length: processes }, () => 0);
  const waiting: number[] = [];
  const latencies: number[] = [];
  let [next, refused, worked, now] = [0, 0, 0, 0];
  while (next < arrivals.length || waiting.length > 0) {
    // The next moment at which something may begin: a process is free and somebody waits.
    const soonest = Math.min(...free);
    now = Math.max(soonest, waiting[0] ?? (arrivals[next] as number));
    while (next < arrivals.length && (arrivals[next] as number) <= now) {
      if (waiting.length >= maxQueue) refused++;
      else waiting.push(arrivals[next] as number);
      next++;
    }
    const idle = free.filter((at) => at <= now).length;
    const batch = waiting.splice(0, Math.min(maxBatch, Math.ceil(waiting.length / Math.max(1, idle))));
    const took = fixedMs + itemMs * batch.length;
    free[free.indexOf(soonest)] = now + took;
    worked += took;
    for (const arrived of batch) latencies.push(now + took - arrived);
  }
  latencies.sort((a, b) => a - b);
  const quantile = (q: number): number =>
    Math.round(10 * (latencies[Math.floor(q * (latencies.length - 1))] ?? 0)) / 10;
  return {
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
    refused: Math.round((1e4 * refused) / arrivals.length) / 1e4,
    busy: Math.round((100 * worked) / (processes * Math.max(now, 1000 * seconds))) / 100,
  };
}
