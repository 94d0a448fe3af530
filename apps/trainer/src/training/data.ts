/** @file From a corpus on disk to rows: utterances of a scheme, split by a protocol, with their frames. */
import { loadSpeech, columnStatistics } from "@emosllm/audio-features";
import {
  type Split,
  applyProtocol,
  applyScheme,
  collect,
  emotionScheme,
  iemocap,
  splitProtocol,
} from "@emosllm/datasets";
import { EmosllmError, type EmotionScheme, type FrontEndManifest, type Utterance } from "@emosllm/interfaces";
import { type Frames, normalisedFrames, rawFrames } from "@emosllm/model";
import type { TrainConfig } from "./config.ts";

/** One utterance ready to train or test on. */
export interface Sample {
  readonly utterance: Utterance;
  readonly label: string;
  readonly frames: Frames;
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

const CORPORA: Readonly<Record<string, (root: string) => AsyncIterable<Utterance>>> = {
  iemocap: (root) => iemocap(root),
};

/** Loads everything into memory. Throws EmosllmError for an unknown corpus, an empty part, sound that cannot be read. */
export async function loadRunData(config: TrainConfig, onProgress: (p: DataProgress) => void): Promise<RunData> {
  const at = config.corpus.indexOf(":");
  const [name, root] = [config.corpus.slice(0, at), config.corpus.slice(at + 1)];
  const open = CORPORA[name];
  if (!open)
    throw new EmosllmError("config_invalid", `corpus '${name}' is not one of ${Object.keys(CORPORA).join(", ")}`);
  const scheme = emotionScheme(config.scheme);
  const utterances = await collect(applyScheme(open(root), scheme));
  const protocol = splitProtocol(config.protocol);
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
      const samples = await loadSpeech(utterance.audio, { sampleRate: settings.sample_rate });
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
    list.map(({ utterance, raw }) => ({
      utterance,
      label: utterance.label as string,
      frames: normalisedFrames(raw, frontEnd),
    }));
  return { scheme, split, frontEnd, train: finish(train), validation: finish(validation), test: finish(test) };
}
