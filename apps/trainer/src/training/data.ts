/** @file From a corpus on disk to rows: utterances of a scheme, split by a protocol, with their frames. */
import { type Speaker, fitVoiceBins } from "@emosllm/audio-features";
import {
  type Split,
  applyProtocol,
  applyScheme,
  collect,
  corpusProtocol,
  emotionScheme,
  openCorpus,
  parseCorpus,
} from "@emosllm/datasets";
import { EmosllmError, type EmotionScheme, type FrontEndManifest, type Utterance } from "@emosllm/interfaces";
import {
  type Frames,
  type FrontEndSettings,
  type VoiceManifest,
  encoderFrontEnd,
  normalisedFrames,
  openFrontEnd,
  voiceDescriber,
} from "@emosllm/model";
import type { TrainConfig } from "./config.ts";
import { type FrameStore, frameStatistics, storeFrames } from "./frames.ts";

/** One utterance ready to train or test on. */
export interface Sample {
  readonly utterance: Utterance;
  readonly label: string;
  /** Frames of its audio. */
  readonly length: number;
  /** The frames themselves; read when they are needed, where they are too many to be kept in memory. */
  readonly frames: () => Promise<Frames>;
  /** The voice in words, where the config asks for it. */
  readonly voice: string | undefined;
}

/** A corpus as a run sees it. */
export interface RunData {
  readonly scheme: EmotionScheme;
  readonly split: Split;
  readonly frontEnd: FrontEndManifest;
  /** How voices were put into words, by bins of the training part. */
  readonly voice: VoiceManifest | undefined;
  readonly train: readonly Sample[];
  readonly validation: readonly Sample[];
  readonly test: readonly Sample[];
  /** Closes the feature cache. */
  dispose(): Promise<void>;
}

/** Progress of {@link loadRunData}. */
export interface DataProgress {
  readonly done: number;
  readonly total: number;
}

/** Splits the corpus and gets the frames of all its clips. Throws EmosllmError for an unknown corpus, an empty part, sound that cannot be read. */
export async function loadRunData(config: TrainConfig, onProgress: (p: DataProgress) => void): Promise<RunData> {
  const corpus = parseCorpus(config.corpus);
  const scheme = emotionScheme(config.scheme);
  const utterances = await collect(applyScheme(openCorpus(config.corpus), scheme));
  const protocol = await corpusProtocol(corpus, config.protocol);
  const split = applyProtocol({ ...protocol, validation: config.validation ?? protocol.validation }, utterances, {
    fold: config.fold,
    seed: config.seed,
  });
  const byId = new Map(utterances.map((u) => [u.id, u]));
  for (const part of ["train", "test"] as const)
    if (split[part].length === 0)
      throw new EmosllmError("corpus_invalid", `${config.corpus}: the ${part} part of fold ${config.fold} is empty`);
  const used = [...split.train, ...split.validation, ...split.test].map((id) => byId.get(id) as Utterance);

  const frontEnd = await openFrontEnd(await frontEndSettings(config));
  let store: FrameStore;
  try {
    store = await storeFrames(frontEnd, used, {
      cache: config.feature_cache_dir,
      voice: config.voice_description.enabled,
      onProgress,
    });
  } finally {
    // From here on frames come from memory or the cache: the encoder's own is free for training.
    await frontEnd.dispose();
  }
  const manifest: FrontEndManifest = { ...frontEnd.settings, ...(await frameStatistics(store, split.train)) };
  const voice = fitVoice(config, split.train, byId, store);
  const describe = voice && voiceDescriber(voice);
  const samples = (ids: readonly string[]): Sample[] =>
    ids.map((id) => {
      const utterance = byId.get(id) as Utterance;
      const measures = store.measures(id);
      return {
        utterance,
        label: utterance.label as string,
        length: store.length(id),
        frames: async () => normalisedFrames(await store.raw(id), manifest),
        voice: measures && describe?.(measures, speakerOf(utterance)),
      };
    });
  return {
    scheme,
    split,
    frontEnd: manifest,
    voice,
    train: samples(split.train),
    validation: samples(split.validation),
    test: samples(split.test),
    dispose: () => store.dispose(),
  };
}

/** An encoder where one is named, else the front end that needs none. */
async function frontEndSettings({ front_end, ...config }: TrainConfig): Promise<FrontEndSettings> {
  if (config.encoder_name_or_path === undefined) return front_end;
  return encoderFrontEnd({
    nameOrPath: config.encoder_name_or_path,
    revision: config.encoder_revision,
    layers: config.encoder_layers,
    precision: config.encoder_precision,
  });
}

/** Bins of the training part's voices: the other parts must not say what is high or low. */
function fitVoice(
  { voice_description: { enabled, style, language, by } }: TrainConfig,
  train: readonly string[],
  byId: ReadonlyMap<string, Utterance>,
  store: FrameStore,
): VoiceManifest | undefined {
  if (!enabled) return undefined;
  const clips = train.flatMap((id) => {
    const measures = store.measures(id);
    return measures ? [{ measures, ...speakerOf(byId.get(id) as Utterance) }] : [];
  });
  return { style, language, bins: { ...fitVoiceBins(clips, { by }) } };
}

const speakerOf = ({ gender, speaker }: Utterance): Speaker => ({
  ...(gender === undefined ? {} : { gender }),
  ...(speaker === undefined ? {} : { speaker }),
});
