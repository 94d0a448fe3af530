/** @file A bucket of tokens for each caller that fills at a steady rate. */

/** Whether a caller may go on, and what it may know about its bucket. */
export interface RateDecision {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until a token is there. */
  readonly retryAfter: number;
}

/** Most callers that are remembered; full buckets are forgotten first. */
const MOST_CALLERS = 10_000;

/** A limiter for `perMinute` requests, in bursts of up to that many; 0: no limit. `now` in milliseconds. */
export function rateLimiter(
  perMinute: number,
  now: () => number = () => performance.now(),
): (caller: string) => RateDecision | undefined {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const perMs = perMinute / 60_000;
  return (caller) => {
    if (perMinute <= 0) return undefined;
    const at = now();
    if (buckets.size >= MOST_CALLERS && !buckets.has(caller))
      forget(buckets, (b) => b.tokens + (at - b.at) * perMs >= perMinute);
    const bucket = buckets.get(caller) ?? { tokens: perMinute, at };
    bucket.tokens = Math.min(perMinute, bucket.tokens + (at - bucket.at) * perMs);
    bucket.at = at;
    const allowed = bucket.tokens >= 1;
    if (allowed) bucket.tokens--;
    buckets.set(caller, bucket);
    return {
      allowed,
      limit: perMinute,
      remaining: Math.floor(bucket.tokens),
      retryAfter: allowed ? 0 : Math.max(1, Math.ceil((1 - bucket.tokens) / perMs / 1000)),
    };
  };
}

function forget<T>(buckets: Map<string, T>, isFull: (bucket: T) => boolean): void {
  for (const [caller, bucket] of buckets) if (isFull(bucket)) buckets.delete(caller);
  // Nobody has a full bucket: the oldest must go.
  for (const caller of buckets.keys()) {
    if (buckets.size < MOST_CALLERS) return;
    buckets.delete(caller);
  }
}
