/** @file Fixtures of `tools/oracle/models_small.py`: what transformers computed, and how far ours is from it. */
import { fileURLToPath } from "node:url";
import { type StoredTensor, loadSafetensors } from "@emosllm/checkpoints";
import { type HostTensor, i64 } from "@emosllm/runtime";

export const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** transformers in f32 and f64 differ by up to 1e-6 of the largest value on these models; the rest is room for another order of sums. */
export const LIMIT = 2e-5;

export type Golden = (name: string) => StoredTensor & { readonly shape: readonly number[] };

export async function golden(name: string): Promise<Golden> {
  const tensors = await loadSafetensors(`${fixture(name)}/golden.safetensors`);
  return (key) => {
    const t = tensors.get(key);
    if (!t) throw new Error(`${name} has no '${key}'`);
    return t;
  };
}

export const ids = (t: StoredTensor): HostTensor => i64(lengthsOf(t), [...t.shape]);
export const lengthsOf = (t: StoredTensor): number[] => Array.from(t.data as BigInt64Array, Number);

/** max |a - b| / max |b| over the first `lengths[r]` steps of each row r of `[rows, steps, width]`. */
export function apart(ours: HostTensor | undefined, reference: StoredTensor, lengths: readonly number[]): number {
  const [steps, width] = reference.shape.slice(-2) as [number, number];
  const [a, b] = [ours?.data as Float32Array, reference.data as Float32Array];
  if (a.length < lengths.length * steps * width) return Infinity;
  let [difference, largest] = [0, 0];
  lengths.forEach((length, r) => {
    for (let i = r * steps * width; i < (r * steps + length) * width; i++) {
      const d = Math.abs((a[i] as number) - (b[i] as number));
      if (!(d <= difference)) difference = Number.isNaN(d) ? Infinity : d;
      largest = Math.max(largest, Math.abs(b[i] as number));
    }
  });
  return difference / largest;
}
