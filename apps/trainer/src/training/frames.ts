/** @file The frames of a corpus: in memory where they need no encoder, else through the feature cache and read back when needed. */
import { join } from "node:path";
import {
  type CacheableFeature,
  type Corruption,
  type VoiceMeasures,
  buildFeatures,
  columnAccumulator,
  corrupt,
  openFeatureCache,
} from "@emosllm/audio-features";
import { cacheFolder } from "@emosllm/checkpoints";
import { EmosllmError, type FrontEndManifest, type Utterance } from "@emosllm/interfaces";
import { type FrontEnd, type RawFrames, measureClip } from "@emosllm/model";
import { utteranceSpeech } from "../clip-speech.ts";

/** Sound that cannot be read. */
export interface BadAudio {
  readonly id: string;
  readonly path: string;
  readonly message: string;
}

/** Frames by utterance id. Dispose it. */
export interface FrameStore {
  /** Whether the sound could be read. */
  has(id: string): boolean;
  /** What could not. */
  readonly bad: readonly BadAudio[];
  /** Raw frames of its sound after corruptions; only where `augmented` was asked for. */
  corrupted(utterance: Utterance, corruptions: readonly Corruption[], seed: number): Promise<RawFrames>;
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
  /** Keep the front end open, to compute frames of corrupted sound. */
  readonly augmented?: boolean;
  /** Told all that cannot be read so far, each time it grows; may throw. */
  readonly onBad: (bad: readonly BadAudio[]) => void;
  readonly onProgress: (progress: { readonly done: number; readonly total: number }) => void;
}

/** Computes what is not there yet, and disposes the front end when it is no longer needed. Throws what `onBad` throws. */
export async function storeFrames(
  frontEnd: FrontEnd,
  utterances: readonly Utterance[],
  options: StoreOptions,
): Promise<FrameStore> {
  const { sample_rate: sampleRate } = frontEnd.settings;
  const measured = new Map<string, VoiceMeasures>();
  const load = async ({ audio, id }: Utterance): Promise<Float32Array> => {
    const samples = await utteranceSpeech({ audio, id }, sampleRate);
    if (options.voice) measured.set(id, measureClip(samples, sampleRate));
    return samples;
  };
  const bad: BadAudio[] = [];
  const onBad = ({ id, audio }: Utterance, message: string): void => {
    bad.push({ id, path: audio.path, message });
    options.onBad(bad);
  };
  const { cacheable } = frontEnd;
  let kept = false;
  try {
    const store = cacheable
      ? await cached(cacheable, frontEnd, utterances, load, onBad, options)
      : await inMemory(frontEnd, utterances, load, onBad, options);
    kept = options.augmented === true;
    return {
      ...store,
      bad,
      measures: (id) => measured.get(id),
      corrupted: async (utterance, corruptions, seed) => {
        const samples = await corrupt(await load(utterance), sampleRate, corruptions, { seed });
        return (await frontEnd.frames([samples]))[0] as RawFrames;
      },
      dispose: async () => {
        await store.dispose();
        if (kept) await frontEnd.dispose();
      },
    };
  } finally {
    // From here on frames come from memory or the cache: the encoder's own is free for training.
    if (!kept) await frontEnd.dispose();
  }
}

type Load = (utterance: Utterance) => Promise<Float32Array>;
type OnBad = (utterance: Utterance, message: string) => void;
type Frames = Pick<FrameStore, "has" | "length" | "raw" | "dispose">;

async function inMemory(
  frontEnd: FrontEnd,
  utterances: readonly Utterance[],
  load: Load,
  onBad: OnBad,
  { onProgress }: StoreOptions,
): Promise<Frames> {
  const frames = new Map<string, RawFrames>();
  for (const [i, utterance] of utterances.entries()) {
    try {
      const [raw] = await frontEnd.frames([await load(utterance)]);
      frames.set(utterance.id, raw as RawFrames);
    } catch (error) {
      if (!(error instanceof EmosllmError) || !error.code.startsWith("audio_")) throw error;
      onBad(utterance, error.message);
    }
    onProgress({ done: i + 1, total: utterances.length });
  }
  const of = (id: string): RawFrames => frames.get(id) as RawFrames;
  return {
    has: (id) => frames.has(id),
    length: (id) => of(id).frames,
    raw: async (id) => ({ ...of(id), data: of(id).data.slice() }),
    dispose: async () => {},
  };
}

async function cached(
  feature: CacheableFeature,
  frontEnd: FrontEnd,
  utterances: readonly Utterance[],
  load: Load,
  onBad: OnBad,
  { cache: folder = join(cacheFolder(), "features"), onProgress }: StoreOptions,
): Promise<Frames> {
  const byClip = new Map(utterances.map((u) => [u.audio, u]));
  const byId = new Map(utterances.map((u) => [u.id, u]));
  const keys = new Map<string, string>();
  const failed: [Utterance, string][] = [];
  await buildFeatures(utterances, {
    features: [feature],
    cache: folder,
    sampleRate: frontEnd.settings.sample_rate,
    load: (clip) => load(byClip.get(clip) as Utterance),
    onEvent: ({ id, key, message, done, total }) => {
      if (key === undefined) failed.push([byId.get(id) as Utterance, message ?? "no frames"]);
      else keys.set(id, key);
      onProgress({ done, total });
    },
  });
  for (const [utterance, message] of failed) onBad(utterance, message);
  const cache = await openFeatureCache(folder, feature);
  const read = async (id: string): Promise<RawFrames> => {
    const frames = await cache.get(keys.get(id) as string);
    if (!frames) throw new EmosllmError("cache_corrupt", `${cache.folder}: the frames of ${id} are gone`);
    return frames;
  };
  const lengths = new Map<string, number>();
  for (const id of keys.keys()) lengths.set(id, (await read(id)).frames);
  return {
    has: (id) => keys.has(id),
    length: (id) => lengths.get(id) as number,
    raw: read,
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
