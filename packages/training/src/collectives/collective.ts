/** @file What several processes do together while they train one model: sums, copies from the first, waiting for each other. */

/** The processes of one job. Every rank makes the same calls in the same order. */
export interface Collective {
  /** Which of them this is, from 0. */
  readonly rank: number;
  readonly size: number;
  /** What carries it, for the log. */
  readonly carrier: string;
  /** Replaces `data` on every rank by the sum over the ranks: the same bits on all of them. */
  sum(data: Float32Array): Promise<void>;
  /** Replaces `data` on every rank by what rank 0 has. */
  broadcast(data: Float32Array): Promise<void>;
  /** Resolves when every rank has come here. */
  barrier(): Promise<void>;
  /** Ends the job for all ranks at once, with this exit code. Returns only where there is one process. */
  abort(code: number): void;
  /** To be called once, at the end; a process that ends without has failed, and ends the job. */
  close(): Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();

/** The job of one process. */
export const oneProcess: Collective = {
  rank: 0,
  size: 1,
  carrier: "one process",
  sum: nothing,
  broadcast: nothing,
  barrier: nothing,
  abort: () => undefined,
  close: nothing,
};

/** Whether all ranks hold the same bits. Called by all of them. */
export async function agree(collective: Collective, data: Float32Array): Promise<boolean> {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  let hash = 2166136261;
  for (const word of bits) hash = Math.imul(hash ^ word, 16777619);
  // In 16-bit parts, whose sums are exact in f32.
  const own = [hash & 0xffff, hash >>> 16];
  const total = Float32Array.from(own);
  await collective.sum(total);
  // One rank that differs from the mean is one of two: it tells the others.
  const same = own.every((v, i) => total[i] === v * collective.size);
  const verdict = Float32Array.of(same ? 0 : 1);
  await collective.sum(verdict);
  return verdict[0] === 0;
}
