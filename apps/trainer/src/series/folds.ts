/** @file The folds of a config: how many its protocol has on its corpus, each one's split, and what always giving one answer is worth. */
import {
  applyProtocol,
  applyScheme,
  collect,
  corpusProtocol,
  emotionScheme,
  foldCount,
  openCorpus,
  parseCorpus,
  type Split,
} from "@emosllm/datasets";
import type { Utterance } from "@emosllm/interfaces";
import type { TrainConfig } from "../training/config.ts";
import { readTrainConfig } from "../training/read-config.ts";
import { sha256 } from "./plan.ts";

/** See {@link readFolds}. */
export interface Folds {
  readonly config: TrainConfig;
  readonly labels: readonly string[];
  /** From fold 1. */
  readonly splits: readonly Split[];
  /** Over the folds' own hashes, in order: equal splits, equal hash. */
  readonly sha256: string;
  readonly utterances: ReadonlyMap<string, Utterance>;
}

/** Reads a config's corpus (no sound) and splits it. Throws EmosllmError `config_invalid`, `corpus_*`. */
export async function readFolds(file: string, overrides: readonly string[]): Promise<Folds> {
  const config = await readTrainConfig(file, overrides);
  const corpus = parseCorpus(config.corpus);
  const scheme = emotionScheme(config.scheme);
  const utterances = await collect(applyScheme(openCorpus(config.corpus), scheme));
  const named = await corpusProtocol(corpus, config.protocol);
  const protocol = { ...named, validation: config.validation ?? named.validation };
  const splits = Array.from({ length: foldCount(protocol, utterances) }, (_, i) =>
    applyProtocol(protocol, utterances, { fold: i + 1, seed: config.seed }),
  );
  return {
    config,
    labels: scheme.labels,
    splits,
    sha256: splits.length === 1 ? (splits[0] as Split).sha256 : sha256(splits.map((s) => `${s.sha256}\n`).join("")),
    utterances: new Map(utterances.map((u) => [u.id, u])),
  };
}

/** The label that the training part has most often (the first of equals in the scheme's order). */
export function majorityLabel(split: Split, labels: readonly string[]): string {
  const counts = split.card.parts.train.labels;
  return labels.reduce((best, label) => ((counts[label] ?? 0) > (counts[best] ?? 0) ? label : best));
}
