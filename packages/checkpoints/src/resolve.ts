/** @file From what a user types after `--model` to a folder with that model: a local folder, the Hugging Face cache, or a download. */
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { readIndex, WEIGHT_FILES, type WeightFormat } from "./checkpoint.ts";
import { downloadModel, type DownloadProgress } from "./download.ts";
import { cachedSnapshot, hubSettings, hubToken, repositoryFolder } from "./hub-cache.ts";

/** Options of {@link resolveModel}. What the environment says applies where an option is left out. */
export interface ResolveOptions {
  /** Branch, tag or commit on the hub; default `main`. A local folder has none. */
  readonly revision?: string | undefined;
  /** Which weights are wanted: the default takes safetensors, else `.bin`; `none` takes only configuration and tokenizer. */
  readonly weights?: WeightFormat | "none" | undefined;
  /** More files, by path in the repository, e.g. `/^onnx\//.test(path)`. */
  readonly also?: ((path: string) => boolean) | undefined;
  /** Default: `HF_HUB_OFFLINE`. */
  readonly offline?: boolean | undefined;
  /** Default: `HF_TOKEN`, else what `hf auth login` stored. */
  readonly token?: string | undefined;
  /** Default: `HF_ENDPOINT`, else the hub. */
  readonly endpoint?: string | undefined;
  /** Default: `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub`. */
  readonly hubCache?: string | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where a model is. */
export interface ResolvedModel {
  /** Holds `config.json`, weights, tokenizer; a snapshot in the cache is read-only by agreement. */
  readonly folder: string;
  readonly from: "folder" | "cache" | "download";
  /** The commit, for a model from the hub. */
  readonly revision?: string;
}

const MODEL_ID = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/;
const REVISION = /^[\w][\w.+-]*(\/[\w][\w.+-]*)*$/;

/**
 * Finds a model: a local folder of that name, else a complete snapshot in the Hugging Face cache, else it is downloaded.
 *
 * @throws `checkpoint_not_found`, saying everything that was looked at; for a gated model, what to do.
 * @example
 * const { folder } = await resolveModel("meta-llama/Llama-3.2-3B-Instruct");
 * const checkpoint = await openCheckpoint(folder);
 */
export async function resolveModel(model: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  const settings = hubSettings();
  const { revision = "main", weights, offline = settings.offline, endpoint = settings.endpoint } = options;
  const cache = options.hubCache ?? settings.cache;
  const local = resolve(model.replace(/^~(?=[/\\]|$)/, homedir()));
  const info = await stat(local).catch(() => undefined);
  if (info?.isDirectory()) return { folder: local, from: "folder" };
  const tried = [info ? `${local} is not a folder` : `there is no folder ${local}`];
  const fail = (): never => {
    throw new EmosllmError("checkpoint_not_found", `model '${model}': ${tried.join("; ")}`, {
      details: { model, tried },
    });
  };
  if (!MODEL_ID.test(model) || model.includes("..") || model.includes("--")) {
    tried.push("it is no name of a model on the hub either (ORG/NAME)");
    return fail();
  }
  if (!REVISION.test(revision) || revision.includes("..")) {
    tried.push(`'${revision}' is no name of a revision`);
    return fail();
  }

  const cached = await cachedSnapshot(cache, model, revision);
  const lacks = cached && (await missing(cached.folder, weights));
  if (cached && lacks!.length === 0) return { folder: cached.folder, from: "cache", revision: cached.commit };
  tried.push(
    cached
      ? `the snapshot ${cached.folder} lacks ${lacks!.join(" and ")}`
      : `the Hugging Face cache has no snapshot of revision '${revision}' in ${repositoryFolder(cache, model)}`,
  );
  if (offline) {
    tried.push("HF_HUB_OFFLINE is set, so nothing was downloaded");
    return fail();
  }
  const choose = (paths: readonly string[]): string[] =>
    paths.filter((p) => wanted(paths, weights)(p) || options.also?.(p));
  try {
    const { commit, folder } = await downloadModel(model, {
      cache,
      endpoint,
      revision,
      choose,
      token: options.token ?? (await hubToken()),
      onProgress: options.onProgress,
      signal: options.signal,
    });
    const stillMissing = await missing(folder, weights);
    if (stillMissing.length === 0) return { folder, from: "download", revision: commit };
    tried.push(`its repository has no ${stillMissing.join(" and ")}`);
  } catch (cause) {
    if (!(cause instanceof EmosllmError && cause.code === "checkpoint_not_found")) throw cause;
    tried.push(cause.message);
    throw new EmosllmError("checkpoint_not_found", `model '${model}': ${tried.join("; ")}`, {
      cause,
      details: { ...cause.details, model, tried },
    });
  }
  return fail();
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false, // a link into blobs whose target is gone counts as missing
  );

/** What a folder lacks to be used as a model. */
async function missing(folder: string, weights: ResolveOptions["weights"]): Promise<string[]> {
  // A bundle's manifest lists its files itself.
  if (await isThere(join(folder, "emosllm.json"))) return [];
  const lacks: string[] = [];
  const isAdapter = await isThere(join(folder, "adapter_config.json"));
  if (!isAdapter && !(await isThere(join(folder, "config.json")))) lacks.push("config.json");
  if (weights === "none") return lacks;
  const names = weights ? WEIGHT_FILES[weights] : [...WEIGHT_FILES.safetensors, ...WEIGHT_FILES.bin];
  for (const name of names) {
    if (!(await isThere(join(folder, name)))) continue;
    if (!name.endsWith(".index.json")) return lacks;
    const shards = new Set((await readIndex(join(folder, name))).values());
    for (const shard of shards) if (!(await isThere(join(folder, shard)))) lacks.push(shard);
    return lacks;
  }
  return [...lacks, `weights (${names.join(", ")})`];
}

/** Files of a model as transformers lays them out: all small text files at the top, and one format of weights. */
function wanted(paths: readonly string[], weights: ResolveOptions["weights"]): (path: string) => boolean {
  const formats: Readonly<Record<WeightFormat, RegExp>> = {
    safetensors: /^(model(-\d+-of-\d+)?|adapter_model)\.safetensors$/,
    bin: /^(pytorch_model(-\d+-of-\d+)?|adapter_model)\.bin$/,
  };
  const format = weights ?? (paths.some((p) => formats.safetensors.test(p)) ? "safetensors" : "bin");
  return (path) =>
    (/^[^/]+\.(json|txt|model|jinja|tiktoken)$/.test(path) && !/\.(bin|safetensors)\.index\.json$/.test(path)) ||
    (format !== "none" &&
      (formats[format].test(path) || path === WEIGHT_FILES[format].find((n) => n.endsWith(".index.json"))));
}
