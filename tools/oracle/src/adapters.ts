/**
 * @file Replays what `peft_torch.py make` wrote: adapters of every kind over small language models. The same logits with the
 * adapter, without it, and after merging it into the weights.
 */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LanguageModel, type ModelFunctions, causalLayout, openLanguageModel } from "@emosllm/backbones";
import { type StoredTensor, loadSafetensors } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { input, reshape } from "@emosllm/graph";
import { exportAdapter, loadAdapter, mergeAdapter, saveAdapter } from "@emosllm/lora";
import { type HostTensor, compile, hostTensor } from "@emosllm/runtime";
import { type MergeBits, bitsEqual, hasMerged, replayMerge } from "./adapter-merge.ts";
import { type AdapterTraining, TRAINING_LIMITS, replayTraining } from "./adapter-training.ts";
import { relativeError } from "./compare.ts";

/** Largest differences of the logits, relative to the largest logit; `ok`: none above {@link LIMIT}. */
export interface AdapterResult {
  readonly variant: string;
  readonly error: number | string;
  readonly base_error?: number;
  readonly merged_error?: number;
  /** Of goldens with training: losses, first gradients and final values. */
  readonly training?: AdapterTraining;
  /** Of bases in bf16 or f16: bits of merged weights, in place of logits. */
  readonly merged_bits?: MergeBits;
  readonly ok: boolean;
}

/** f32 sums in another order: 1e-6 is usual. */
export const LIMIT = 1e-5;

/** Logits `[rows * length, vocabulary]` of padded-free rows of ids. */
async function logits(
  { weights }: LanguageModel,
  ids: StoredTensor,
  model: ModelFunctions,
  values: ReadonlyMap<string, StoredTensor>,
): Promise<Float32Array> {
  const [rows, length] = ids.shape as readonly [number, number];
  const fed = input("ids", [rows, length], "i64");
  const hidden = model.layers(model.embed(reshape(fed, [rows * length])), causalLayout({ rows, suffix: length }));
  const program = await compile({ logits: model.head(hidden) }, { weights, threads: 1 });
  try {
    const feeds: Record<string, HostTensor> = { ids: hostTensor("i64", ids.shape, ids.data as BigInt64Array) };
    for (const { name } of program.inputs)
      if (name !== "ids") {
        const t = values.get(name) as StoredTensor;
        feeds[name] = hostTensor("f32", t.shape, t.data as Float32Array);
      }
    return (await program.run(feeds))["logits"]?.data as Float32Array;
  } finally {
    await program.dispose();
  }
}

/** Folders for `VARIANT/` as our own writer, and our export for servers, write it. */
export interface Outputs {
  resave?: string;
  export?: string;
}

/** Replays one variant's folder; the adapter is also written to the folders of `out`. */
export async function replayAdapter(folder: string, variant: string, out: Outputs = {}): Promise<AdapterResult> {
  const golden = await loadSafetensors(join(folder, "golden.safetensors"));
  const wanted = (name: string): Float32Array => golden.get(name)?.data as Float32Array;
  const ids = golden.get("input_ids") as StoredTensor;
  const backbone = join(folder, "backbone");
  const model = await openLanguageModel(backbone);
  const base = { linearPaths: model.linearPaths, tensors: model.checkpoint.tensors };
  const loaded = await loadAdapter(join(folder, "adapter"), base);
  const adapted = loaded.adapter.adapt(model, (name, shape) => input(name, shape));
  const error = relativeError(await logits(model, ids, adapted, loaded.tensors), wanted("logits"));
  const none = new Map<string, StoredTensor>();
  const base_error = relativeError(await logits(model, ids, model, none), wanted("base_logits"));

  const scratch = await mkdtemp(join(tmpdir(), "emosllm-merge-"));
  try {
    const merge = join(scratch, "merged");
    // Small shards, so that the index is exercised too.
    await mergeAdapter({ base: backbone, adapter: join(folder, "adapter"), out: merge, maxShardBytes: 100_000 });
    const merged = await openLanguageModel(merge);
    const merged_error = relativeError(await logits(merged, ids, merged, none), wanted("merged_logits"));
    if (out.resave !== undefined) await saveAdapter(join(out.resave, variant), loaded);
    if (out.export !== undefined)
      await exportAdapter(join(out.export, variant), loaded, base).catch((refused: unknown) => {
        if (!(refused instanceof EmosllmError && refused.code === "not_supported")) throw refused;
      });
    return { variant, error, base_error, merged_error, ok: Math.max(error, base_error, merged_error) <= LIMIT };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Everything that a variant's golden has. */
async function replayVariant(folder: string, variant: string, out: Outputs): Promise<AdapterResult> {
  const golden = await loadSafetensors(join(folder, "golden.safetensors"));
  if (hasMerged(golden)) {
    const merged_bits = await replayMerge(folder);
    return { variant, error: 0, merged_bits, ok: bitsEqual(merged_bits) };
  }
  const result = await replayAdapter(folder, variant, out);
  const begins = [...golden.keys()].some((name) => name.startsWith("first."));
  if (!golden.has("losses") || begins) return result;
  const training = await replayTraining(folder);
  const trained = (Object.keys(TRAINING_LIMITS) as (keyof AdapterTraining)[]).every(
    (key) => training[key] <= TRAINING_LIMITS[key],
  );
  return { ...result, training, ok: result.ok && trained };
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** `DIR... [--resave OUT] [--export OUT]`: each `DIR/VARIANT`, in the order of their names. */
export async function* checkAdapters(args: readonly string[]): AsyncIterable<AdapterResult> {
  const dirs: string[] = [];
  const out: Outputs = {};
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg !== "--resave" && arg !== "--export") dirs.push(arg);
    else {
      const folder = args[++i];
      if (folder === undefined) throw new Error(`${arg} needs a folder`);
      out[arg === "--resave" ? "resave" : "export"] = folder;
    }
  }
  for (const dir of dirs) {
    const variants: string[] = [];
    for (const name of (await readdir(dir)).sort()) if (await exists(join(dir, name, "adapter"))) variants.push(name);
    if (variants.length === 0) throw new Error(`${dir}: no VARIANT/adapter in it`);
    for (const variant of variants)
      try {
        yield await replayVariant(join(dir, variant), variant, out);
      } catch (error) {
        yield { variant, error: error instanceof Error ? error.message : String(error), ok: false };
      }
  }
}
