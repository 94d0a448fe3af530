/** @file From a corpus on disk to rows: utterances of a scheme, split by a protocol, with their frames. */
import { loadSpeech, columnStatistics } from "@emosllm/audio-features";
import {
  type Split,
  applyProtocol,
  applyScheme,
  collect,
  corpusProtocol,
  emotionScheme,
  openCorpus,
  parseCorpus,
  readClipBytes,
} from "@emosllm/datasets";
import {
  type AudioClip,
  EmosllmError,
  type EmotionScheme,
  type FrontEndManifest,
  type Utterance,
} from "@emosllm/interfaces";
import { type Frames, normalisedFrames, rawFrames } from "@emosllm/model";
import type { TrainConfig } from "./config.ts";

/** One utterance ready to train or test on. */
export interface Sample {
  readonly utterance: Utterance;
  readonly label: string;
  /** Frames of its audio. */
  readonly length: number;
  /** The frames themselves; read when they are needed, where they are too many to be kept in memory. */
  readonly frames: () => Promise<Frames>;
}

/** A corpus as a run sees it. */
export interface RunData {
  readonly scheme: EmotionScheme;
  readonly split: Split;
  readonly frontEnd: FrontEndManifest;
  readonly train: readonly Sample[];
  readonly validation: readonly Sample[];
  readonly test: readonly Sample[];
}

/** Progress of {@link loadRunData}. */
export interface DataProgress {
  readonly done: number;
  readonly total: number;
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

/** Loads everything into memory. Throws EmosllmError for an unknown corpus, an empty part, sound that cannot be read. */
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

  const settings = {
    kind: config.front_end.kind,
    sample_rate: config.front_end.sample_rate,
    settings: config.front_end.settings,
  };
  const total = split.train.length + split.validation.length + split.test.length;
  let done = 0;
  const compute = async (
    ids: readonly string[],
    part: string,
  ): Promise<{ utterance: Utterance; raw: ReturnType<typeof rawFrames> }[]> => {
    if (ids.length === 0 && part !== "validation")
      throw new EmosllmError("corpus_invalid", `${config.corpus}: the ${part} part of fold ${config.fold} is empty`);
    const out = [];
    for (const id of ids) {
      const utterance = byId.get(id) as Utterance;
      const samples = await clipSpeech(utterance.audio, id, settings.sample_rate);
      out.push({ utterance, raw: rawFrames(samples, settings) });
      onProgress({ done: ++done, total });
    }
    return out;
  };
  const train = await compute(split.train, "training");
  const validation = await compute(split.validation, "validation");
  const test = await compute(split.test, "test");
  const { mean, std } = columnStatistics(train.map((t) => t.raw));
  const frontEnd: FrontEndManifest = { ...settings, mean: Array.from(mean), std: Array.from(std) };
  const finish = (list: typeof train): Sample[] =>
    list.map(({ utterance, raw }) => {
      const frames = normalisedFrames(raw, frontEnd);
      return { utterance, label: utterance.label as string, length: frames.length, frames: async () => frames };
    });
  return { scheme, split, frontEnd, train: finish(train), validation: finish(validation), test: finish(test) };
}
