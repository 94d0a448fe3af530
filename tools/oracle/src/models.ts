/** @file Runs directories of models_torch.py: the same checkpoint and input, compared with what transformers computed. */
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { causalLayout, openLanguageModel, openSpeechEncoder } from "@emosllm/backbones";
import { type StoredTensor, type WeightFormat, loadSafetensors } from "@emosllm/checkpoints";
import { input, reshape } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { type HostTensor, compile, evaluate, f32, i64 } from "@emosllm/runtime";

/** Error of one directory, relative to the largest value of each compared tensor. */
export interface ModelsResult {
  readonly dir: string;
  readonly model_type: string;
  /** Largest over all compared tensors. */
  readonly error: number | null;
  readonly ok: boolean;
  /** Why nothing could be compared; then `error` is null. */
  readonly message?: string;
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
    { weights: model.weights, threads: 1 },
  );
  return realError(
    out.logits.data as Float32Array,
    logits.data as Float32Array,
    logits.shape as [number, number, number],
    integers(golden, "lengths"),
  );
}

/** Every hidden state of both rows (of row 0 alone where padding is not for the model), the last one, and row 1 by itself. */
async function encoderError(dir: string, golden: Golden, options: ModelsOptions): Promise<number> {
  const encoder = await openSpeechEncoder(dir, options);
  const { padding } = encoder.config;
  const sound = get(golden, "waveform");
  const lengths = integers(golden, "lengths");
  const [rows, samples] = sound.shape as readonly [number, number];
  const wave = input("wave", ["rows", "samples"]);
  const given = input("lengths", ["rows"], "i64");
  const states = padding ? encoder.build(wave, given) : encoder.build(wave);
  const program = await compile(
    { last: states.last, ...Object.fromEntries(states.hidden.map((h, i) => [`hidden.${i}`, h])) },
    { weights: encoder.weights, threads: 1 },
  );
  try {
    const run = async (row: number, length: number): Promise<Record<string, HostTensor>> => {
      const whole = row < 0;
      const data = sound.data as Float32Array;
      const wave = whole
        ? f32(data, [rows, samples])
        : f32(data.slice(row * samples, row * samples + length), [1, length]);
      return program.run({ wave, ...(padding ? { lengths: i64(whole ? lengths : [length]) } : {}) });
    };
    const errors: number[] = [];
    const together = await run(-1, samples);
    if (encoder.config.modelType === "whisper") {
      const reference = get(golden, "hidden");
      const [, steps, width] = reference.shape as [number, number, number];
      const all = lengths.map(() => steps);
      errors.push(
        realError(together["last"]?.data as Float32Array, reference.data as Float32Array, [rows, steps, width], all),
      );
      return Math.max(...errors);
    }
    const frames = encoder.frameCounts(lengths);
    if (JSON.stringify(frames) !== JSON.stringify(integers(golden, "frames"))) return Infinity;
    for (const [name, ours] of Object.entries(together)) {
      const reference = get(golden, name);
      const shape = reference.shape as [number, number, number];
      const compared = padding ? frames : frames.slice(0, 1);
      const row = shape[1] * shape[2] * compared.length;
      errors.push(
        realError(
          (ours.data as Float32Array).subarray(0, row),
          (reference.data as Float32Array).subarray(0, row),
          [compared.length, shape[1], shape[2]],
          compared,
        ),
      );
    }
    if (states.hidden.length !== [...golden.keys()].filter((k) => k.startsWith("hidden.")).length) return Infinity;
    const alone = get(golden, "alone");
    const [steps, width] = alone.shape as [number, number];
    const own = await run(1, lengths[1] as number);
    errors.push(realError(own["last"]?.data as Float32Array, alone.data as Float32Array, [1, steps, width], [steps]));
    return Math.max(...errors);
  } finally {
    await program.dispose();
  }
}

/** Compares one directory. */
export async function checkModel(dir: string, options: ModelsOptions = {}): Promise<ModelsResult> {
  const config = JSON.parse(await readFile(join(dir, "config.json"), "utf8")) as { model_type: string };
  const golden = (await loadSafetensors(join(dir, "golden.safetensors"))) as Golden;
  const compare = golden.has("logits") ? languageError : encoderError;
  const error = await compare(dir, golden, options);
  return { dir, model_type: config.model_type, error, ok: error <= MODELS_LIMIT };
}

/** One directory that cannot be read does not keep the others from being compared. */
async function checkOrSay(dir: string, options: ModelsOptions): Promise<ModelsResult> {
  try {
    return await checkModel(dir, options);
  } catch (error) {
    if (!(error instanceof EmosllmError)) throw error;
    return { dir, model_type: "", error: null, ok: false, message: error.message };
  }
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
  for (const dir of dirs) for (const model of await modelsIn(dir)) yield await checkOrSay(model, { weights });
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
