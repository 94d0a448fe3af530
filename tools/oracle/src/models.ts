/** @file Runs directories of models_torch.py: the same checkpoint and input, compared with what transformers computed. */
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { causalLayout, openLanguageModel } from "@emosllm/backbones";
import { type StoredTensor, type WeightFormat, loadSafetensors } from "@emosllm/checkpoints";
import { input, reshape } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { evaluate, i64 } from "@emosllm/runtime";

/** Error of one directory, relative to the largest value of each compared tensor. */
export interface ModelsResult {
  readonly dir: string;
  readonly model_type: string;
  /** Largest over all compared tensors. */
  readonly error: number;
  readonly ok: boolean;
}

/** transformers in f32 and in f64 differ by up to 3e-6 on these models; the rest is room for another order of sums. */
export const MODELS_LIMIT = 2e-5;

type Golden = ReadonlyMap<string, StoredTensor>;

/** Options of {@link checkModel}. */
export interface ModelsOptions {
  /** Which of the directory's weight files is read; safetensors when not given. */
  readonly weights?: WeightFormat | undefined;
}

const get = (golden: Golden, name: string): StoredTensor => {
  const t = golden.get(name);
  if (!t) throw new EmosllmError("checkpoint_invalid", `golden.safetensors has no tensor '${name}'`);
  return t;
};
const integers = (golden: Golden, name: string): number[] =>
  Array.from(get(golden, name).data as BigInt64Array, Number);

/** max |a - b| / max |b| over the first `lengths[r]` of `[rows, steps, width]` of each row r of `rows`. */
export function realError(
  ours: ArrayLike<number>,
  reference: ArrayLike<number>,
  [count, steps, width]: readonly [number, number, number],
  lengths: readonly number[],
  rows: readonly number[] = [...lengths.keys()],
): number {
  if (ours.length !== reference.length || reference.length !== count * steps * width) return Infinity;
  let [apart, largest] = [0, 0];
  for (const r of rows)
    for (let i = r * steps * width; i < (r * steps + (lengths[r] as number)) * width; i++) {
      const d = Math.abs((ours[i] as number) - (reference[i] as number));
      if (!(d <= apart)) apart = Number.isNaN(d) ? Infinity : d;
      largest = Math.max(largest, Math.abs(reference[i] as number));
    }
  return apart / largest;
}

async function languageError(dir: string, golden: Golden, options: ModelsOptions): Promise<number> {
  const model = await openLanguageModel(dir, options);
  const ids = get(golden, "input_ids");
  const logits = get(golden, "logits");
  const [rows, steps] = ids.shape as readonly [number, number];
  const tokens = input("ids", ["rows", "steps"], "i64");
  const hidden = model.layers(
    model.embed(reshape(tokens, ["rows*steps"])),
    causalLayout({ rows: "rows", suffix: "steps" }),
  );
  const out = await evaluate(
    { logits: model.head(hidden) },
    { ids: i64(integers(golden, "input_ids"), [rows, steps]) },
    { weights: model.checkpoint.tensors, threads: 1 },
  );
  return realError(
    out.logits.data as Float32Array,
    logits.data as Float32Array,
    logits.shape as [number, number, number],
    integers(golden, "lengths"),
  );
}

/** Compares one directory. */
export async function checkModel(dir: string, options: ModelsOptions = {}): Promise<ModelsResult> {
  const config = JSON.parse(await readFile(join(dir, "config.json"), "utf8")) as { model_type: string };
  const golden = (await loadSafetensors(join(dir, "golden.safetensors"))) as Golden;
  const error = await languageError(dir, golden, options);
  return { dir, model_type: config.model_type, error, ok: error <= MODELS_LIMIT };
}

/** `DIR... [--weights safetensors|bin]`; a DIR of directories stands for those in it. */
export async function* checkModels(args: readonly string[]): AsyncIterable<ModelsResult> {
  const dirs: string[] = [];
  let weights: WeightFormat | undefined;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg !== "--weights") dirs.push(arg);
    else {
      const value = args[++i];
      if (value !== "bin" && value !== "safetensors")
        throw new EmosllmError("usage", `--weights takes safetensors or bin, not '${value}'`);
      weights = value;
    }
  }
  for (const dir of dirs) for (const model of await modelsIn(dir)) yield await checkModel(model, { weights });
}

async function modelsIn(dir: string): Promise<string[]> {
  const has = (folder: string): Promise<boolean> =>
    stat(join(folder, "golden.safetensors")).then(
      () => true,
      () => false,
    );
  if (await has(dir)) return [dir];
  const inside = (await readdir(dir)).sort().map((name) => join(dir, name));
  const found = await Promise.all(inside.map(has));
  const models = inside.filter((_, i) => found[i]);
  if (models.length === 0)
    throw new EmosllmError("checkpoint_not_found", `${dir}: no golden.safetensors here or one folder below`);
  return models;
}
