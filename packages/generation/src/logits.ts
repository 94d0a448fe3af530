/**
 * @file From a model's logits to those that a token is chosen by: transformers' logits processors, in its order, in place on `[vocabSize]`.
 * A token that cannot come has -Infinity.
 */
import type { ResolvedOptions } from "./options.ts";

/** `RepetitionPenaltyLogitsProcessor`: what was said before becomes unlikelier. */
export function penaliseRepetition(logits: Float32Array, said: ReadonlySet<number>, penalty: number): void {
  if (penalty === 1) return;
  for (const id of said) {
    const v = logits[id];
    if (v !== undefined) logits[id] = v < 0 ? v * penalty : v / penalty;
  }
}

/** `MinNewTokensLengthLogitsProcessor`: no end yet. */
export function forbid(logits: Float32Array, ids: readonly number[]): void {
  for (const id of ids) if (id < logits.length) logits[id] = -Infinity;
}

/** `TemperatureLogitsWarper`. */
export function applyTemperature(logits: Float32Array, temperature: number): void {
  if (temperature !== 1) for (let i = 0; i < logits.length; i++) logits[i] = (logits[i] as number) / temperature;
}

/** `TopKLogitsWarper`: the k largest stay, and what equals the k-th. */
export function keepTopK(logits: Float32Array, k: number): void {
  if (k === 0 || k >= logits.length) return;
  const least = kthLargest(logits, k);
  for (let i = 0; i < logits.length; i++) if ((logits[i] as number) < least) logits[i] = -Infinity;
}

/** The k-th largest: a heap of the k largest so far, the least of them on top. */
function kthLargest(values: Float32Array, k: number): number {
  const heap = new Float32Array(k).fill(-Infinity);
  for (const v of values) {
    if (!(v > (heap[0] as number))) continue;
    let at = 0;
    for (;;) {
      let least = 2 * at + 1;
      if (least >= k) break;
      if (least + 1 < k && (heap[least + 1] as number) < (heap[least] as number)) least++;
      if ((heap[least] as number) >= v) break;
      heap[at] = heap[least] as number;
      at = least;
    }
    heap[at] = v;
  }
  return heap[0] as number;
}

/**
 * `TopPLogitsWarper` (Holtzman et al. 2020): from the least likely up, tokens go while together they have at most 1 - p. Added up in single
 * precision, as there: with equal tokens the last bit decides. Of equal ones the first stay (which ones PyTorch's sort leaves is not said).
 */
export function keepTopP(logits: Float32Array, p: number): void {
  if (p >= 1) return;
  let top = -Infinity;
  for (const v of logits) if (v > top) top = v;
  let sum = 0;
  for (const v of logits) sum += Math.exp(v - top);
  const budget = Math.fround(1 - p);
  // Below budget / size each, all together stay below the budget: they go without being sorted.
  const floor = top + Math.log(sum) + Math.log(budget / logits.length);
  let gone = 0;
  const rest: number[] = [];
  logits.forEach((v, i) => {
    if (v > floor) rest.push(i);
    else {
      gone += Math.exp(v - top) / sum;
      logits[i] = -Infinity;
    }
  });
  rest.sort((a, b) => (logits[a] as number) - (logits[b] as number) || b - a);
  for (const i of rest.slice(0, -1)) {
    gone = Math.fround(gone + Math.fround(Math.exp((logits[i] as number) - top) / sum));
    if (gone > budget) return;
    logits[i] = -Infinity;
  }
}

/** log of the sum of exp, -Infinity for nothing but -Infinity. */
export function logSumExp(logits: Float32Array): number {
  let top = -Infinity;
  for (const v of logits) if (v > top) top = v;
  if (top === -Infinity) return -Infinity;
  let sum = 0;
  for (const v of logits) sum += Math.exp(v - top);
  return top + Math.log(sum);
}

/** What the row has said, for {@link processLogits}. */
export interface RowState {
  /** Ids of the prompt and of what came since. */
  readonly said: ReadonlySet<number>;
  readonly newTokens: number;
}

/** Everything in transformers' order. Gives a copy where something changes. */
export function processLogits(
  raw: Float32Array,
  options: ResolvedOptions,
  { said, newTokens }: RowState,
): Float32Array {
  const early = newTokens < options.minNewTokens && options.eos.length > 0;
  const penalised = options.repetitionPenalty !== 1;
  if (!early && !penalised && !options.sample) return raw;
  const logits = raw.slice();
  penaliseRepetition(logits, said, options.repetitionPenalty);
  if (early) forbid(logits, options.eos);
  if (options.sample) {
    applyTemperature(logits, options.temperature);
    keepTopK(logits, options.topK);
    keepTopP(logits, options.topP);
  }
  return logits;
}
