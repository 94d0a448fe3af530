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
  /** Seconds of sound; 0 for a failed clip. */
  readonly seconds: number;
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
  const caches = await Promise.all(features.map((feature) => openFeatureCache(options.cache, feature)));
  try {
    for (const run of runs) {
      await Promise.all(caches.map((cache) => cache.refresh()));
      const keys: string[] = [];
      for (const clip of run) {
        options.signal?.throwIfAborted();
        const result = await fill(clip, options, caches, sampleRate);
        if (result.key) keys.push(result.key);
        tally.clips++;
        tally[result.type]++;
        tally.seconds += result.seconds;
        const { key: _, ...event } = result;
        options.onEvent?.({ ...event, id: clip.id, done: tally.clips, total });
      }
      for (const cache of caches) await cache.pack(keys);
    }
    for (const cache of caches) await cache.writeIndex();
    return tally;
  } finally {
    await Promise.all(caches.map((cache) => cache[Symbol.asyncDispose]()));
  }
}

async function fill(
  clip: BuildClip,
  { features, load = (audio, rate) => loadSpeech(audio, { sampleRate: rate }) }: BuildOptions,
  caches: readonly FeatureCache[],
  sampleRate: number,
): Promise<Pick<BuildEvent, "type" | "seconds" | "message"> & { key?: string }> {
  let samples: Float32Array;
  try {
    samples = await load(clip.audio, sampleRate);
  } catch (error) {
    if (!(error instanceof EmosllmError)) throw error;
    return { type: "failed", seconds: 0, message: error.message };
  }
  const key = audioKey(samples, sampleRate);
  const seconds = samples.length / sampleRate;
  let computed = false;
  for (const [i, feature] of features.entries()) {
    if (caches[i]!.has(key)) continue;
    let frames: FeatureFrames;
    try {
      frames = await feature.compute(samples, sampleRate);
    } catch (error) {
      return { type: "failed", seconds, message: `${clip.audio.path}: ${feature.kind}: ${(error as Error).message}` };
    }
    await caches[i]!.put(key, frames);
    computed = true;
  }
  return { type: computed ? "computed" : "cached", seconds, key };
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
