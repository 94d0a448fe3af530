/** @file Adapters that begin with a part of the base (PiSSA, OLoRA): first values, training and the plain LoRA they become, against `peft_torch.py begin`. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type StoredTensor, loadSafetensors } from "@emosllm/checkpoints";
import {
  type LoraAdapter,
  firstValues,
  initialFactors,
  loraAdapter,
  loraConfig,
  loraNames,
  plainLora,
  readLoraConfig,
} from "@emosllm/lora";
import { type AdapterTraining, trainAgain } from "./adapter-training.ts";
import { relativeError } from "./compare.ts";

/** Largest differences relative to the largest reference value of a tensor: of first values, and of what B A - B0 A0 is after training. */
export interface BeginningResult extends AdapterTraining {
  readonly first: number;
  readonly change: number;
}

/** f32 against f32: LAPACK's singular vectors have an error of 1e-7 over the gap to the next value. */
export const BEGINNING_LIMITS = { first: 2e-4, change: 2e-3 } as const;

/** B A of a plain LoRA, `[out, in]`. */
function product(values: ReadonlyMap<string, StoredTensor>, path: string): Float32Array {
  const { a, b } = loraNames(path);
  const [A, B] = [values.get(a), values.get(b)] as [StoredTensor, StoredTensor];
  const [rank, input] = A.shape as [number, number];
  const out = B.shape[0] as number;
  return Float32Array.from({ length: out * input }, (_, at) => {
    const [o, i] = [Math.floor(at / input), at % input];
    let s = 0;
    for (let k = 0; k < rank; k++) s += Number(B.data[o * rank + k]) * Number(A.data[k * input + i]);
    return s;
  });
}

/** +-1 for every element of A and B: whether our row of A points as PEFT's does. */
function signsOf(adapter: LoraAdapter, golden: ReadonlyMap<string, StoredTensor>): Map<string, Float32Array> {
  const signs = new Map<string, Float32Array>();
  for (const { path, rank } of adapter.targets) {
    const names = loraNames(path);
    const ours = adapter.initial?.get(path)?.a as Float32Array;
    const theirs = golden.get(`first.${names.a}`)?.data as Float32Array;
    const input = ours.length / rank;
    const row = Array.from({ length: rank }, (_, k) => {
      let s = 0;
      for (let i = k * input; i < (k + 1) * input; i++) s += (ours[i] as number) * (theirs[i] as number);
      return s < 0 ? -1 : 1;
    });
    signs.set(
      names.a,
      ours.map((_, i) => row[Math.floor(i / input)] as number),
    );
    const size = (adapter.parameters[names.b] as readonly number[]).reduce((x, y) => x * y, 1);
    signs.set(
      names.b,
      Float32Array.from({ length: size }, (_, i) => row[i % rank] as number),
    );
  }
  return signs;
}

/** Replays one variant's folder; `kind` is its `init_lora_weights`. */
export async function replayBeginning(folder: string, kind: string): Promise<BeginningResult> {
  const golden = await loadSafetensors(join(folder, "golden.safetensors"));
  const dora = !(await readdir(folder)).includes("plain");
  const stored = await readLoraConfig(join(folder, dora ? "adapter" : "plain"));
  // PEFT's plain config has everything doubled; this is what it was made from. Of DoRA it can make none.
  const halved = (t: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(t).map(([k, v]) => [k, v / 2]));
  const doubled = {
    ...stored,
    init_lora_weights: kind,
    r: stored.r / 2,
    lora_alpha: stored.lora_alpha / (stored.use_rslora ? Math.SQRT2 : 2),
    rank_pattern: halved(stored.rank_pattern),
    alpha_pattern: halved(stored.alpha_pattern),
  };
  const config = loraConfig(dora ? stored : doubled);
  let adapter!: LoraAdapter;
  let first = 0;
  const { errors, trained } = await trainAgain(folder, async (base) => {
    adapter = loraAdapter(config, base, { initial: await initialFactors(config, base) });
    const signs = signsOf(adapter, golden);
    const values = new Map<string, Float32Array>();
    for (const [name, t] of await firstValues(adapter, base)) {
      const data = t.data as Float32Array;
      values.set(name, data);
      const sign = signs.get(name);
      const theirs = golden.get(`first.${name}`)?.data as Float32Array;
      first = Math.max(
        first,
        relativeError(
          data.map((v, i) => v * (sign?.[i] ?? 1)),
          theirs,
        ),
      );
    }
    return { adapter, values, signs };
  });
  const plain = plainLora(adapter, trained);
  const theirs = await loadSafetensors(join(folder, dora ? "adapter" : "plain", "adapter_model.safetensors"));
  const began = new Map([...golden].map(([name, t]) => [name.replace(/^first\./, ""), t]));
  const theirChange = (path: string): Float32Array => {
    if (!dora) return product(theirs, path);
    const before = product(began, path);
    return product(theirs, path).map((v, i) => v - (before[i] as number));
  };
  const change = Math.max(
    ...adapter.targets.map(({ path }) => relativeError(product(plain.tensors, path), theirChange(path))),
  );
  if (dora) return { ...errors, first, change };
  if (
    JSON.stringify(plain.config.r) !== JSON.stringify(stored.r) ||
    Math.abs(plain.config.lora_alpha - stored.lora_alpha) > 1e-9
  )
    throw new Error(`${folder}: our plain config has r ${plain.config.r}, lora_alpha ${plain.config.lora_alpha}`);
  return { ...errors, first, change };
}
