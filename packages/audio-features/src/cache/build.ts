/**
 * @file Fills caches for a list of clips. The list is cut into runs of `clipsPerShard`; shard i of n takes every n-th run, so that
 * n jobs on n machines leave the same files as one, whatever n and in whatever order they end.
 */
import { type AudioClip, EmosllmError } from "@emosllm/interfaces";
import { loadSpeech } from "../audio/load-speech.ts";
import type { FeatureFrames } from "../features/feature-frames.ts";
import { openFeatureCache, type FeatureCache } from "./feature-cache.ts";
import { audioKey, type FeatureIdentity } from "./key.ts";

/** A feature that can be cached. */
export interface CacheableFeature extends FeatureIdentity {
  /** `samples` are one channel at 16 kHz (or `BuildOptions.sampleRate`). */
  readonly compute: (samples: Float32Array, sampleRate: number) => FeatureFrames | Promise<FeatureFrames>;
  /** For features that are faster for several clips at once: in order, each clip's the same as alone. */
  readonly computeBatch?: {
    /** Sound that goes through together, in seconds; at least one clip does. */
    readonly seconds: number;
    readonly run: (clips: readonly Float32Array[], sampleRate: number) => Promise<readonly FeatureFrames[]>;
  };
}

/** A clip and what errors call it. */
export interface BuildClip {
  readonly id: string;
  readonly audio: AudioClip;
}

/** Which part of the work this process does: `index` from 0 below `count`. */
export interface WorkShard {
  readonly index: number;
  readonly count: number;
}

/** What happens while caches are filled, one clip at a time. */
export interface BuildEvent {
  readonly type: "computed" | "cached" | "failed";
  readonly id: string;
  /** Of this shard. */
  readonly done: number;
  readonly total: number;
  /** Seconds of sound; 0 for a clip that could not be read. */
  readonly seconds: number;
  /** What the cache has the clip under (`audioKey`); undefined where it failed. */
  readonly key?: string;
  readonly message?: string;
}

/** Settings of {@link buildFeatures}. */
export interface BuildOptions {
  readonly features: readonly CacheableFeature[];
  /** The cache's folder. */
  readonly cache: string;
  readonly shard?: WorkShard;
  /** Clips of one safetensors file. */
  readonly clipsPerShard?: number;
  /** In Hz. */
  readonly sampleRate?: number;
  /** Gives a clip's sound as one channel; `loadSpeech` by default. */
  readonly load?: (clip: AudioClip, sampleRate: number) => Promise<Float32Array>;
  readonly onEvent?: (event: BuildEvent) => void;
  readonly signal?: AbortSignal;
}

/** What {@link buildFeatures} did. */
export interface BuildSummary {
  readonly clips: number;
  readonly computed: number;
  readonly cached: number;
  readonly failed: number;
  /** Seconds of sound gone through. */
  readonly seconds: number;
}

/**
 * Computes what is missing and packs it. A clip that cannot be decoded is reported and passed over; a second run
 * tries it again. Stops between clips when `signal` aborts.
 * @throws EmosllmError `usage`, `disk_full`, `cache_corrupt`; what was computed before stays.
 */
export async function buildFeatures(clips: readonly BuildClip[], options: BuildOptions): Promise<BuildSummary> {
  const { features, shard = { index: 0, count: 1 }, clipsPerShard = 64, sampleRate = 16_000 } = options;
  if (features.length === 0) throw new EmosllmError("usage", "no feature is asked for");
  if (!Number.isInteger(clipsPerShard) || clipsPerShard < 1)
    throw new EmosllmError("usage", `clipsPerShard = ${clipsPerShard} is not a positive whole number`);
  assertShard(shard);
  const runs: (readonly BuildClip[])[] = [];
  for (let at = shard.index * clipsPerShard; at < clips.length; at += shard.count * clipsPerShard)
    runs.push(clips.slice(at, at + clipsPerShard));
  const total = runs.reduce((sum, run) => sum + run.length, 0);
  const tally = { clips: 0, computed: 0, cached: 0, failed: 0, seconds: 0 };
  const batchSeconds = Math.max(0, ...features.map((feature) => feature.computeBatch?.seconds ?? 0));
  const caches = await Promise.all(features.map((feature) => openFeatureCache(options.cache, feature)));
  try {
    for (const run of runs) {
      await Promise.all(caches.map((cache) => cache.refresh()));
      const keys: string[] = [];
      const flush = async (loaded: readonly Loaded[]): Promise<void> => {
        await computeMissing(loaded, features, caches, sampleRate);
        for (const { id, type, key, seconds, message } of loaded) {
          if (type !== "failed") keys.push(key);
          tally.clips++;
          tally[type]++;
          tally.seconds += seconds;
          const known = type === "failed" ? (message === undefined ? {} : { message }) : { key };
          options.onEvent?.({ type, id, seconds, done: tally.clips, total, ...known });
        }
      };
      let waiting: Loaded[] = [];
      for (const clip of run) {
        options.signal?.throwIfAborted();
        waiting.push(await loadClip(clip, options, caches, sampleRate));
        // What waits is what no cache has yet; the others cost nothing.
        if (missingSeconds(waiting) < batchSeconds) continue;
        await flush(waiting);
        waiting = [];
      }
      await flush(waiting);
      for (const cache of caches) await cache.pack(keys);
    }
    for (const cache of caches) await cache.writeIndex();
    return tally;
  } finally {
    await Promise.all(caches.map((cache) => cache[Symbol.asyncDispose]()));
  }
}

/** A clip on its way; `type` and `message` change when it is computed. */
interface Loaded {
  readonly id: string;
  readonly path: string;
  /** Dropped once it is computed. */
  samples: Float32Array;
  readonly key: string;
  readonly seconds: number;
  type: BuildEvent["type"];
  message?: string;
  /** Some cache lacks it. */
  readonly missing: boolean;
}

async function loadClip(
  { id, audio }: BuildClip,
  { load = (clip, rate) => loadSpeech(clip, { sampleRate: rate }) }: BuildOptions,
  caches: readonly FeatureCache[],
  sampleRate: number,
): Promise<Loaded> {
  const { path } = audio;
  let samples: Float32Array;
  try {
    samples = await load(audio, sampleRate);
  } catch (error) {
    if (!(error instanceof EmosllmError)) throw error;
    const nothing = { samples: new Float32Array(), key: "", seconds: 0, missing: false };
    return { id, path, ...nothing, type: "failed", message: error.message };
  }
  const key = audioKey(samples, sampleRate);
  const missing = caches.some((cache) => !cache.has(key));
  const seconds = samples.length / sampleRate;
  return { id, path, samples: missing ? samples : new Float32Array(), key, seconds, type: "cached", missing };
}

const missingSeconds = (clips: readonly Loaded[]): number =>
  clips.reduce((sum, clip) => sum + (clip.missing ? clip.seconds : 0), 0);

/** Computes and publishes, feature after feature, what caches lack of `clips`. */
async function computeMissing(
  clips: readonly Loaded[],
  features: readonly CacheableFeature[],
  caches: readonly FeatureCache[],
  sampleRate: number,
): Promise<void> {
  for (const [i, feature] of features.entries()) {
    const cache = caches[i]!;
    const wanted = clips.filter((clip) => clip.missing && clip.type !== "failed" && !cache.has(clip.key));
    const together = await computeTogether(wanted, feature, sampleRate);
    for (const [k, clip] of wanted.entries()) {
      if (cache.has(clip.key)) continue; // the same sound twice
      let frames: FeatureFrames;
      try {
        frames = together?.[k] ?? (await feature.compute(clip.samples, sampleRate));
      } catch (error) {
        clip.type = "failed";
        clip.message = `${clip.path}: ${feature.kind}: ${(error as Error).message}`;
        continue;
      }
      await cache.put(clip.key, frames);
      clip.type = "computed";
    }
  }
  for (const clip of clips) clip.samples = new Float32Array();
}

/** undefined where the feature takes one clip at a time, or refuses one of these: then it will say which. */
async function computeTogether(
  clips: readonly Loaded[],
  { computeBatch }: CacheableFeature,
  sampleRate: number,
): Promise<readonly FeatureFrames[] | undefined> {
  if (!computeBatch || clips.length < 2) return undefined;
  return computeBatch
    .run(
      clips.map(({ samples }) => samples),
      sampleRate,
    )
    .catch(() => undefined);
}

function assertShard({ index, count }: WorkShard): void {
  if (!Number.isInteger(index) || !Number.isInteger(count) || count < 1 || index < 0 || index >= count)
    throw new EmosllmError(
      "usage",
      `shard ${index}/${count}: the index counts from 0 and stays below the number of shards`,
    );
}

/**
 * The shard that `text` (`i/n`, i from 0) names; without it the one of the job's environment: Kubernetes' Indexed Job
 * (`JOB_COMPLETION_INDEX`, the number in `EMOSLLM_SHARDS`) or Slurm's array (`SLURM_ARRAY_TASK_ID` between
 * `SLURM_ARRAY_TASK_MIN` and `_MAX`); without either, all of the work.
 * @throws EmosllmError `usage`
 */
export function workShard(
  text: string | undefined,
  environment: Readonly<Record<string, string | undefined>> = {},
): WorkShard {
  const shard = text === undefined ? fromEnvironment(environment) : parseShard(text);
  assertShard(shard);
  return shard;
}

function parseShard(text: string): WorkShard {
  const match = /^(\d+)\/(\d+)$/.exec(text.trim());
  if (!match) throw new EmosllmError("usage", `shard '${text}' is not of the form i/n, e.g. 0/8`);
  return { index: Number(match[1]), count: Number(match[2]) };
}

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): WorkShard {
  const number = (name: string): number | undefined => {
    const value = environment[name];
    if (value === undefined || value === "") return undefined;
    if (!/^\d+$/.test(value)) throw new EmosllmError("usage", `${name}='${value}' is not a whole number`);
    return Number(value);
  };
  const kubernetes = number("JOB_COMPLETION_INDEX");
  const slurm = number("SLURM_ARRAY_TASK_ID");
  const given = number("EMOSLLM_SHARDS");
  if (kubernetes !== undefined) {
    if (given === undefined)
      throw new EmosllmError("usage", "JOB_COMPLETION_INDEX is set, but not EMOSLLM_SHARDS (the job's completions)");
    return { index: kubernetes, count: given };
  }
  if (slurm !== undefined) {
    const first = number("SLURM_ARRAY_TASK_MIN") ?? 0;
    const count = given ?? (number("SLURM_ARRAY_TASK_MAX") ?? slurm) - first + 1;
    return { index: slurm - first, count };
  }
  return { index: 0, count: 1 };
}
