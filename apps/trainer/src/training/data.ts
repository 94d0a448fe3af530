/** @file From a corpus on disk to rows: utterances of a scheme, split by a protocol, with their frames. */
import { type Corruption, type Speaker, corrupt, fitVoiceBins } from "@emosllm/audio-features";
import {
  type ContextTurn,
  type Split,
  applyProtocol,
  applyScheme,
  collect,
  contextWindows,
  corpusProtocol,
  emotionScheme,
  mapLabel,
  openCorpus,
  parseCorpus,
} from "@emosllm/datasets";
import {
  type BundleManifest,
  EmosllmError,
  type EmotionScheme,
  type FrontEndManifest,
  type Utterance,
} from "@emosllm/interfaces";
import {
  type Frames,
  type FrontEndSettings,
  type VoiceManifest,
  encoderFrontEnd,
  normalisedFrames,
  openFrontEnd,
  voiceDescriber,
} from "@emosllm/model";
import { utteranceSpeech } from "../clip-speech.ts";
import type { TrainConfig } from "./config.ts";
import { type BadAudio, type FrameStore, frameStatistics, storeFrames } from "./frames.ts";

/** One utterance ready to train or test on. */
export interface Sample {
  readonly utterance: Utterance;
  /** A label of the scheme; what a stage reads for other tasks may have none. */
  readonly label: string | undefined;
  /** Turns before it, oldest first. */
  readonly context: readonly ContextTurn[];
  /** Frames of its audio. */
  readonly length: number;
  /** The frames themselves; read when they are needed, where they are too many to be kept in memory. */
  readonly frames: () => Promise<Frames>;
  /** Frames of its sound after corruptions; the seed says which. Only where the config augments. */
  readonly corruptedFrames: (corruptions: readonly Corruption[], seed: number) => Promise<Frames>;
  /** The voice in words, where the config asks for it. */
  readonly voice: string | undefined;
}

/** A corpus as a run sees it. */
export interface RunData {
  readonly scheme: EmotionScheme;
  readonly split: Split;
  readonly frontEnd: FrontEndManifest;
  /** The encoder that trains along; frames are the sound itself then. */
  readonly adaptedEncoder: BundleManifest["adapted_encoder"];
  /** How voices were put into words, by bins of the training part. */
  readonly voice: VoiceManifest | undefined;
  readonly train: readonly Sample[];
  readonly validation: readonly Sample[];
  readonly test: readonly Sample[];
  /** Utterances that were left out. */
  readonly bad: readonly BadAudio[];
  /** How many utterances have a label that the scheme does not take, by that label. */
  readonly outside: Readonly<Record<string, number>>;
  /** Closes the feature cache. */
  dispose(): Promise<void>;
}

/** Progress of {@link loadRunData}. */
export interface DataProgress {
  readonly done: number;
  readonly total: number;
}

/** Throws EmosllmError `corpus_invalid` when more of `total` utterances cannot be read than the config allows. */
export function checkBadShare(bad: readonly BadAudio[], total: number, { max_bad_share: most }: TrainConfig): void {
  if (bad.length <= most * total) return;
  const list = bad.slice(0, 5).map((b) => `\n  ${b.message}`);
  throw new EmosllmError(
    "corpus_invalid",
    `the sound of ${bad.length} of ${total} utterances cannot be read, more than max_bad_share ${most}:${list.join("")}${bad.length > 5 ? `\n  and ${bad.length - 5} more` : ""}`,
    { details: { bad } },
  );
}

type OnProgress = (progress: DataProgress) => void;

/** Splits the corpus and gets the frames of all its clips. Throws EmosllmError for an unknown corpus, an empty part, too much sound that cannot be read. */
export async function loadRunData(config: TrainConfig, onProgress: OnProgress): Promise<RunData> {
  const corpus = parseCorpus(config.corpus);
  const scheme = emotionScheme(config.scheme);
  const everything = await collect(openCorpus(config.corpus));
  const utterances = await collect(applyScheme(everything, scheme));
  const outside = labelsOutside(everything, utterances);
  if (utterances.length === 0)
    throw new EmosllmError(
      "label_unknown",
      `${config.corpus}: no utterance has a label of scheme '${scheme.name}' (${scheme.labels.join(", ")}); it has ${Object.keys(outside).join(", ") || "no utterances"}`,
    );
  const protocol = await corpusProtocol(corpus, config.protocol);
  const split = applyProtocol({ ...protocol, validation: config.validation ?? protocol.validation }, utterances, {
    fold: config.fold,
    seed: config.seed,
  });
  const byId = new Map(utterances.map((u) => [u.id, u]));
  const of = (ids: readonly string[]): Utterance[] => ids.map((id) => byId.get(id) as Utterance);

  const used = of([...split.train, ...split.validation, ...split.test]);
  const settings = await frontEndSettings(config);
  const store = await openStore(config, settings, used, onProgress);
  const read = (ids: readonly string[]): string[] => ids.filter((id) => store.has(id));
  for (const part of ["train", "test"] as const)
    if (read(split[part]).length === 0)
      throw new EmosllmError("corpus_invalid", `${config.corpus}: the ${part} part of fold ${config.fold} is empty`);
  const measured: FrontEndManifest = { ...settings, ...(await frameStatistics(store, read(split.train))) };
  const adaptedEncoder = config.encoder_lora &&
    measured.encoder && { encoder: measured.encoder, ...statisticsOf(measured) };
  const frontEnd = adaptedEncoder ? waveformFrontEnd(measured) : measured;
  const voice = fitVoice(config, of(read(split.train)), store);
  const samples = (ids: readonly string[]): Sample[] =>
    samplesOf(of(read(ids)), { store, frontEnd, voice, config, pool: everything });
  return {
    scheme,
    split,
    frontEnd,
    adaptedEncoder,
    voice,
    train: samples(split.train),
    validation: samples(split.validation),
    test: samples(split.test),
    bad: store.bad,
    outside,
    dispose: () => store.dispose(),
  };
}

/** A stage's own training samples. Dispose them. */
export interface StageSamples {
  readonly samples: readonly Sample[];
  readonly bad: readonly BadAudio[];
  dispose(): Promise<void>;
}

/** All of the corpus that a stage names, labelled where the scheme knows the label. Throws EmosllmError where it holds what is validated or tested on. */
export async function loadStageSamples(
  config: TrainConfig,
  { scheme, frontEnd, voice, validation, test }: RunData,
  onProgress: OnProgress,
): Promise<StageSamples> {
  const everything = await collect(openCorpus(config.corpus, { keepUnlabelled: true }));
  const clip = ({ audio }: Utterance): string => [audio.path, audio.member, audio.byteOffset, audio.start].join(" ");
  const held = new Map([...validation, ...test].map((s) => [clip(s.utterance), s.utterance.id]));
  const leaked = everything.filter((u) => held.has(clip(u)));
  if (leaked.length > 0)
    throw new EmosllmError(
      "corpus_invalid",
      `a stage trains on ${config.corpus}, which holds ${leaked.length} utterances of the validation or test part (${leaked[0]?.id}); leave its corpus out to train on the training part`,
    );
  const mapped = everything.map((utterance): Utterance => {
    const { label: _, ...unlabelled } = utterance;
    return mapLabel(utterance, scheme) ?? unlabelled;
  });
  const { mean: _, std: __, ...settings } = frontEnd;
  const store = await openStore(config, settings, mapped, onProgress);
  const read = mapped.filter((u) => store.has(u.id));
  const samples = samplesOf(read, { store, frontEnd, voice, config, pool: everything });
  return { samples, bad: store.bad, dispose: () => store.dispose() };
}

/** The frames of utterances; the front end stays open only where training corrupts sound. */
async function openStore(
  config: TrainConfig,
  settings: FrontEndSettings,
  utterances: readonly Utterance[],
  onProgress: OnProgress,
): Promise<FrameStore> {
  return storeFrames(await openFrontEnd(settings), utterances, {
    cache: config.feature_cache_dir,
    voice: config.voice_description.enabled,
    augmented: config.augment.share > 0,
    onBad: (bad) => checkBadShare(bad, utterances.length, config),
    onProgress,
  });
}

interface SampleParts {
  readonly store: FrameStore;
  readonly frontEnd: FrontEndManifest;
  readonly voice: VoiceManifest | undefined;
  readonly config: TrainConfig;
  /** Where the turns before an utterance are looked for. */
  readonly pool: readonly Utterance[];
}

function samplesOf(
  utterances: readonly Utterance[],
  { store, frontEnd, voice, config: { context_turns: turns }, pool }: SampleParts,
): Sample[] {
  const describe = voice && voiceDescriber(voice);
  const windows = turns > 0 ? contextWindows(utterances, { turns }, pool) : [];
  return utterances.map((utterance, i) => {
    const { id, label } = utterance;
    const measures = store.measures(id);
    return {
      utterance,
      label,
      context: windows[i]?.context ?? [],
      length: store.length(id),
      ...(frontEnd.kind === "waveform"
        ? soundOf(utterance, frontEnd.sample_rate)
        : {
            frames: async () => normalisedFrames(await store.raw(id), frontEnd),
            corruptedFrames: async (corruptions, seed) =>
              normalisedFrames(await store.corrupted(utterance, corruptions, seed), frontEnd),
          }),
      voice: measures && describe?.(measures, speakerOf(utterance)),
    };
  });
}

const statisticsOf = ({ mean, std }: FrontEndManifest): Pick<FrontEndManifest, "mean" | "std"> => ({ mean, std });

/** Sound as it is, for an encoder that is a part of the model. */
export const waveformFrontEnd = ({ sample_rate, settings }: FrontEndManifest): FrontEndManifest => ({
  kind: "waveform",
  sample_rate,
  settings,
  mean: [0],
  std: [1],
});

/** An utterance's samples in place of frames. */
function soundOf(utterance: Utterance, sampleRate: number): Pick<Sample, "frames" | "corruptedFrames"> {
  const load = (): Promise<Float32Array> => utteranceSpeech(utterance, sampleRate);
  const asFrames = (data: Float32Array): Frames => ({ data, length: data.length });
  return {
    frames: async () => asFrames(await load()),
    corruptedFrames: async (corruptions, seed) =>
      asFrames(await corrupt(await load(), sampleRate, corruptions, { seed })),
  };
}

function labelsOutside(everything: readonly Utterance[], kept: readonly Utterance[]): Record<string, number> {
  const ids = new Set(kept.map((u) => u.id));
  const counts: Record<string, number> = {};
  for (const { id, label = "(no label)" } of everything) if (!ids.has(id)) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

/** An encoder where one is named, else the front end that needs none. */
export async function frontEndSettings({ front_end, ...config }: TrainConfig): Promise<FrontEndSettings> {
  if (config.encoder_name_or_path === undefined) return front_end;
  return encoderFrontEnd({
    nameOrPath: config.encoder_name_or_path,
    revision: config.encoder_revision,
    layers: config.encoder_layers,
    precision: config.encoder_precision,
    blockSize: config.encoder_block_size,
  });
}

/** Bins of the training part's voices: the other parts must not say what is high or low. */
function fitVoice(
  { voice_description: { enabled, style, language, by } }: TrainConfig,
  train: readonly Utterance[],
  store: FrameStore,
): VoiceManifest | undefined {
  if (!enabled) return undefined;
  const clips = train.flatMap((utterance) => {
    const measures = store.measures(utterance.id);
    return measures ? [{ measures, ...speakerOf(utterance) }] : [];
  });
  return { style, language, bins: { ...fitVoiceBins(clips, { by }) } };
}

const speakerOf = ({ gender, speaker }: Utterance): Speaker => ({
  ...(gender === undefined ? {} : { gender }),
  ...(speaker === undefined ? {} : { speaker }),
});
