/** @file Chooses a token by its logits, and says what the likeliest ones were. */
import { EmosllmError } from "@emosllm/interfaces";
import { logSumExp } from "./logits.ts";

/** Uniform in [0, 1). */
export type Random = () => number;

/** A stream of its own for each seed and row (SplitMix32's mixing over a Weyl sequence). */
export function randomStream(seed: number, row: number): Random {
  const mix = (x: number): number => {
    let z = x | 0;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let state = mix(mix((seed % 2 ** 32) | 0) ^ mix(Math.floor(seed / 2 ** 32)) ^ mix(row + 0x9e3779b9));
  const next = (): number => mix((state = (state + 0x9e3779b9) | 0));
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
}

/** The first of the largest. Throws EmosllmError `runtime_failed` where there is no number at all. */
export function likeliest(logits: Float32Array): number {
  let best = -1;
  let top = -Infinity;
  logits.forEach((v, i) => {
    if (v > top) [best, top] = [i, v];
  });
  if (best < 0) throw noNumbers();
  return best;
}

/** Draws by softmax(logits). Throws EmosllmError `runtime_failed` where there is no number at all. */
export function draw(logits: Float32Array, random: Random): number {
  const total = logSumExp(logits);
  if (!Number.isFinite(total)) throw noNumbers();
  let left = random();
  let last = -1;
  for (let i = 0; i < logits.length; i++) {
    const v = logits[i] as number;
    if (v === -Infinity) continue;
    last = i;
    left -= Math.exp(v - total);
    if (left < 0) return i;
  }
  return last;
}

const noNumbers = (): EmosllmError =>
  new EmosllmError("runtime_failed", "the model's logits are not numbers; its weights or its parameters are damaged");

/** A token and its log-probability. */
export interface TokenLogprob {
  readonly id: number;
  readonly logprob: number;
}

/** Log-probability of `id`, and the `count` likeliest tokens, likeliest first. */
export function logprobsOf(
  logits: Float32Array,
  id: number,
  count: number,
): { readonly logprob: number; readonly top: readonly TokenLogprob[] } {
  const total = logSumExp(logits);
  const top: number[] = [];
  if (count > 0)
    logits.forEach((v, i) => {
      if (top.length === count && v <= (logits[top[count - 1] as number] as number)) return;
      let at = top.length;
      while (at > 0 && (logits[top[at - 1] as number] as number) < v) at--;
      top.splice(at, 0, i);
      if (top.length > count) top.pop();
    });
  return {
    logprob: (logits[id] as number) - total,
    top: top.map((i) => ({ id: i, logprob: (logits[i] as number) - total })),
  };
}
