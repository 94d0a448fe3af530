/** @file Reads an adapter's folder and holds it against a base: nothing missing, nothing left over, every shape right, something learned. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type Checkpoint,
  type StoredTensor,
  type TensorSource,
  openCheckpoint,
  readTensor,
} from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { type LoraAdapter, loraAdapter } from "./adapter.ts";
import { type LoraBase, embeddingPath, outputPath } from "./base.ts";
import { type LoraConfig, readLoraConfig } from "./config.ts";
import { firstValues } from "./first-values.ts";
import { type InitialFactors, beginsWithBase, initialFactors } from "./initial-factors.ts";
import { type LoraNames, PREFIX, namesOf } from "./names.ts";
import { plainLora } from "./plain.ts";
import { matchTargets } from "./targets.ts";

/** What does not fit between an adapter's files and a base. All empty and false: everything fits. */
export interface AdapterReport {
  /** Names of `target_modules` that match no linear layer. */
  readonly unmatched: readonly string[];
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly wrongShape: readonly {
    readonly name: string;
    readonly found: readonly number[];
    readonly needed: readonly number[];
  }[];
  /** Tensors with NaN or infinite values. */
  readonly notFinite: readonly string[];
  /** Every B is zero: nothing was learned. */
  readonly allZero: boolean;
}

/** An adapter with its numbers; one that began with a part of the base ("pissa", "olora") as the plain LoRA that it amounts to. */
export interface LoadedAdapter {
  readonly config: LoraConfig;
  readonly adapter: LoraAdapter;
  /** By PEFT's names, in f32. */
  readonly tensors: ReadonlyMap<string, StoredTensor & { readonly dtype: "f32"; readonly data: Float32Array }>;
  readonly report: AdapterReport;
}

/** Options of {@link loadAdapter}. */
export interface LoadAdapterOptions {
  /** Throw for whatever does not fit (the default); otherwise report it, and leave the base as it is where values are missing. */
  readonly strict?: boolean;
}

const FILES = ["adapter_model.safetensors", "adapter_model.bin"] as const;

async function weightsFile(folder: string): Promise<string> {
  for (const name of FILES) {
    const file = join(folder, name);
    if (
      await stat(file).then(
        (s) => s.isFile(),
        () => false,
      )
    )
      return file;
  }
  throw new EmosllmError("adapter_invalid", `${folder}: no weights; looked for ${FILES.join(", ")}`);
}

/**
 * Reads `adapter_config.json` and `adapter_model.safetensors` (or the older `.bin`). Throws EmosllmError `adapter_invalid` naming
 * what is missing, unexpected, of a wrong shape, not finite, or that nothing was learned; `not_supported`; what reading throws.
 *
 * @example
 * const { adapter, tensors } = await loadAdapter("adapters/angry", { linearPaths: model.linearPaths, tensors: model.checkpoint.tensors });
 */
export async function loadAdapter(
  folder: string,
  base: LoraBase,
  { strict = true }: LoadAdapterOptions = {},
): Promise<LoadedAdapter> {
  const config = await readLoraConfig(folder);
  const initial = await knownFactors(config, base);
  const adapter = loraAdapter(config, base, { strict, initial });
  const { unmatched } = matchTargets(config, base.linearPaths, outputPath(base), embeddingPath(base));
  const file = await weightsFile(folder);
  const found = (await openCheckpoint(file)).tensors;
  const tensors = new Map<string, StoredTensor & { dtype: "f32"; data: Float32Array }>();
  const [missing, notFinite, wrongShape]: [string[], string[], AdapterReport["wrongShape"][number][]] = [[], [], []];
  for (const [name, needed] of Object.entries(adapter.parameters)) {
    const source = found.get(name);
    if (!source) missing.push(name);
    else if (source.shape.join() !== needed.join()) wrongShape.push({ name, found: source.shape, needed });
    else {
      const data = await readTensor(source, "f32");
      if (!data.every(Number.isFinite)) notFinite.push(name);
      tensors.set(name, { dtype: "f32", shape: needed, data });
    }
  }
  const isZero = (name: string): boolean => tensors.get(name)?.data.every((v) => v === 0) ?? true;
  // Of embeddings A begins with zeros and B is drawn, in PEFT.
  const changesNothing = ({ a, b, bBias }: LoraNames, embedding: boolean): boolean =>
    (isZero(b) || (embedding && isZero(a))) && isZero(bBias);
  const report: AdapterReport = {
    unmatched,
    missing,
    unexpected: await unexpectedNames(found, adapter, base),
    wrongShape,
    notFinite,
    allZero: adapter.targets.every((t) => changesNothing(namesOf(t), t.embedding ?? false)),
  };
  if (strict) refuse(file, report);
  const absent = [...missing, ...wrongShape.map((w) => w.name)];
  for (const [name, t] of await firstValues(adapter, base, absent))
    tensors.set(name, { dtype: "f32", shape: t.shape, data: t.data as Float32Array });
  if (!initial) return { config, adapter, tensors, report };
  const plain = plainLora(adapter, tensors);
  return { ...plain, adapter: loraAdapter(plain.config, base, { strict }), report };
}

/** What "pissa" and "olora" took out of the base, computed anew; it is random for "pissa_niter_N". */
async function knownFactors(config: LoraConfig, base: LoraBase): Promise<InitialFactors | undefined> {
  if (beginsWithBase(config) && /niter/i.test(String(config.init_lora_weights)))
    throw new EmosllmError(
      "not_supported",
      `adapter_config.json: init_lora_weights '${String(config.init_lora_weights)}' took a random part out of the base that is not stored; save the adapter as a plain LoRA (PEFT: path_initial_model_for_weight_conversion)`,
    );
  return initialFactors(config, base);
}

/**
 * What the adapter has no use for. PEFT also stores the base's own weight of a targeted output layer or embedding (`lm_head.base_layer.weight`): as
 * long as it equals the base's, it is no surprise.
 */
async function unexpectedNames(
  found: Checkpoint["tensors"],
  adapter: LoraAdapter,
  base: LoraBase,
): Promise<readonly string[]> {
  const unexpected: string[] = [];
  for (const [name, source] of found) {
    if (name in adapter.parameters) continue;
    const copied = found.get(adapter.copies.get(name) ?? "");
    if (copied && (await sameValues(copied, source))) continue;
    const target = adapter.targets.find(({ path }) => name === `${PREFIX}${path}.base_layer.weight`);
    const own = target && base.tensors.get(`${target.path}.weight`);
    if (own && (await sameValues(own, source))) continue;
    unexpected.push(name);
  }
  return unexpected;
}

async function sameValues(a: TensorSource, b: TensorSource): Promise<boolean> {
  if (a.shape.join() !== b.shape.join()) return false;
  const [ours, theirs] = await Promise.all([readTensor(a, "f32"), readTensor(b, "f32")]);
  return ours.every((v, i) => v === theirs[i]);
}

/** At most this many names in a message. */
const SHOWN = 5;
const list = (names: readonly string[]): string =>
  `${names.slice(0, SHOWN).join(", ")}${names.length > SHOWN ? `, and ${names.length - SHOWN} more` : ""}`;

function refuse(file: string, report: AdapterReport): void {
  const { missing, unexpected, wrongShape, notFinite, allZero } = report;
  const problems = [
    ...(missing.length > 0 ? [`missing: ${list(missing)}`] : []),
    ...(unexpected.length > 0 ? [`unexpected: ${list(unexpected)}`] : []),
    ...(wrongShape.length > 0
      ? [
          `wrong shape: ${list(wrongShape.map((w) => `${w.name} is [${w.found.join(",")}], needed is [${w.needed.join(",")}]`))}`,
        ]
      : []),
    ...(notFinite.length > 0 ? [`not finite: ${list(notFinite)}`] : []),
  ];
  if (problems.length === 0 && allZero)
    problems.push("every lora_B is zero: this adapter was never trained, it changes nothing");
  if (problems.length > 0)
    throw new EmosllmError("adapter_invalid", `${file}: ${problems.join("; ")}`, { details: { ...report } });
}
