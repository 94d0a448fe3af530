/** @file The frames of a corpus: in memory where they need no encoder, else through the feature cache and read back when needed. */
import { join } from "node:path";
import {
  type CacheableFeature,
  type VoiceMeasures,
  buildFeatures,
  columnAccumulator,
  loadSpeech,
  openFeatureCache,
} from "@emosllm/audio-features";
import { cacheFolder } from "@emosllm/checkpoints";
import { readClipBytes } from "@emosllm/datasets";
import { type AudioClip, EmosllmError, type FrontEndManifest, type Utterance } from "@emosllm/interfaces";
import { type FrontEnd, type RawFrames, measureClip } from "@emosllm/model";

/** Frames by utterance id. Dispose it. */
export interface FrameStore {
  /** Frames of a clip. */
  length(id: string): number;
  /** Its raw frames, a copy that may be written into. */
  raw(id: string): Promise<RawFrames>;
  /** What its voice measures, where that was asked for. */
  measures(id: string): VoiceMeasures | undefined;
  dispose(): Promise<void>;
}

/** Options of {@link storeFrames}. */
export interface StoreOptions {
  /** Folder of the feature cache. */
  readonly cache?: string | undefined;
  /** Measure voices too. */
  readonly voice?: boolean;
  readonly onProgress: (progress: { readonly done: number; readonly total: number }) => void;
}

/** The clip as mono speech, wherever its bytes lie: a file, an archive, a table's cell. */
async function clipSpeech(clip: AudioClip, id: string, sampleRate: number): Promise<Float32Array> {
  if (clip.container === undefined) return loadSpeech(clip, { sampleRate });
  const { start, end, channel } = clip;
  const range = {
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(channel === undefined ? {} : { channel }),
  };
  return loadSpeech(await readClipBytes(clip), { sampleRate, name: `${clip.path} (${id})`, ...range });
}

/** Computes what is not there yet. Throws EmosllmError naming the first clips that give no frames. */
export async function storeFrames(
  frontEnd: FrontEnd,
  utterances: readonly Utterance[],
  options: StoreOptions,
): Promise<FrameStore> {
  const { sample_rate: sampleRate } = frontEnd.settings;
  const measured = new Map<string, VoiceMeasures>();
  const load = async ({ audio, id }: Utterance): Promise<Float32Array> => {
    const samples = await clipSpeech(audio, id, sampleRate);
    if (options.voice) measured.set(id, measureClip(samples, sampleRate));
    return samples;
  };
  const measures = (id: string): VoiceMeasures | undefined => measured.get(id);
  const { cacheable } = frontEnd;
  return cacheable
    ? cached(cacheable, frontEnd, utterances, load, measures, options)
    : inMemory(frontEnd, utterances, load, measures, options);
}

type Load = (utterance: Utterance) => Promise<Float32Array>;

async function inMemory(
  frontEnd: FrontEnd,
  utterances: readonly Utterance[],
  load: Load,
  measures: FrameStore["measures"],
  { onProgress }: StoreOptions,
): Promise<FrameStore> {
  const frames = new Map<string, RawFrames>();
  for (const utterance of utterances) {
    const [raw] = await frontEnd.frames([await load(utterance)]);
    frames.set(utterance.id, raw as RawFrames);
    onProgress({ done: frames.size, total: utterances.length });
  }
  const of = (id: string): RawFrames => frames.get(id) as RawFrames;
  return {
    length: (id) => of(id).frames,
    raw: async (id) => ({ ...of(id), data: of(id).data.slice() }),
    measures,
    dispose: async () => {},
  };
}

async function cached(
  feature: CacheableFeature,
  frontEnd: FrontEnd,
  utterances: readonly Utterance[],
  load: Load,
  measures: FrameStore["measures"],
  { cache: folder = join(cacheFolder(), "features"), onProgress }: StoreOptions,
): Promise<FrameStore> {
  const byClip = new Map(utterances.map((u) => [u.audio, u]));
  const keys = new Map<string, string>();
  const failed: string[] = [];
  await buildFeatures(utterances, {
    features: [feature],
    cache: folder,
    sampleRate: frontEnd.settings.sample_rate,
    load: (clip) => load(byClip.get(clip) as Utterance),
    onEvent: ({ id, key, message, done, total }) => {
      if (key === undefined) failed.push(`${id}: ${message}`);
      else keys.set(id, key);
      onProgress({ done, total });
    },
  });
  if (failed.length > 0)
    throw new EmosllmError(
      "corpus_invalid",
      `${failed.length} of ${utterances.length} clips give no frames:\n${failed.slice(0, 5).join("\n")}${failed.length > 5 ? "\n..." : ""}`,
    );
  const cache = await openFeatureCache(folder, feature);
  const read = async (id: string): Promise<RawFrames> => {
    const frames = await cache.get(keys.get(id) as string);
    if (!frames) throw new EmosllmError("cache_corrupt", `${cache.folder}: the frames of ${id} are gone`);
    return frames;
  };
  const lengths = new Map<string, number>();
  for (const { id } of utterances) lengths.set(id, (await read(id)).frames);
  return {
    length: (id) => lengths.get(id) as number,
    raw: read,
    measures,
    dispose: async () => cache[Symbol.asyncDispose](),
  };
}

/** Mean and deviation of each column over the frames of `ids`: the training split's. */
export async function frameStatistics(
  store: FrameStore,
  ids: readonly string[],
): Promise<Pick<FrontEndManifest, "mean" | "std">> {
  const columns = columnAccumulator();
  for (const id of ids) columns.add(await store.raw(id));
  const { mean, std } = columns.result();
  return { mean: Array.from(mean), std: Array.from(std) };
}
