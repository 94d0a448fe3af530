/** @file The table of corpora by name, for `NAME:PATH` on a command line. */
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import type { LoaderOptions } from "../loader.ts";
import { emobox, emoboxFolds } from "../manifests/emobox.ts";
import { parquet } from "../manifests/parquet.ts";
import { csv, jsonl, msSwift } from "../manifests/text-manifests.ts";
import { type Protocol, splitProtocol } from "../protocols.ts";
import { cremad } from "./cremad.ts";
import { emodb } from "./emodb.ts";
import { esd } from "./esd.ts";
import { iemocap } from "./iemocap.ts";
import { meld } from "./meld.ts";
import { mspPodcast } from "./msp-podcast.ts";
import { ravdess } from "./ravdess.ts";
import { savee } from "./savee.ts";
import { tess } from "./tess.ts";

/** How to read a corpus, and what its name for a protocol means. */
export interface CorpusEntry {
  load(path: string, options?: LoaderOptions): AsyncIterable<Utterance>;
  /** The scheme that most papers use. */
  scheme?: string;
  /** What `official` and `emobox` stand for here. */
  protocols?: Readonly<Record<string, string>>;
}

/** By name. */
export const CORPORA: Readonly<Record<string, CorpusEntry>> = {
  iemocap: { load: iemocap, scheme: "iemocap-4", protocols: { emobox: "loso5-random-speakers" } },
  meld: { load: meld, scheme: "meld-7", protocols: { official: "meld-official", emobox: "meld-official" } },
  ravdess: { load: ravdess, scheme: "ravdess-8", protocols: { emobox: "emobox-ravdess" } },
  cremad: { load: cremad, scheme: "cremad-6" },
  "msp-podcast": { load: mspPodcast, scheme: "msp-podcast-8", protocols: { emobox: "official" } },
  emodb: { load: emodb, scheme: "emodb-7" },
  esd: { load: esd, scheme: "esd-5", protocols: { official: "esd-official" } },
  savee: { load: savee, scheme: "savee-7" },
  tess: { load: tess, scheme: "tess-7" },
  emobox: { load: emobox },
  jsonl: { load: jsonl },
  csv: { load: csv },
  parquet: { load: parquet },
  "ms-swift": { load: msSwift },
};

/** Where a corpus is. */
export interface CorpusReference {
  name: string;
  path: string;
  entry: CorpusEntry;
}

/** Reads `iemocap:PATH`, `jsonl:FILE`, ... @throws EmosllmError `config_invalid` listing the names there are. */
export function parseCorpus(reference: string): CorpusReference {
  const colon = reference.indexOf(":");
  const name = reference.slice(0, Math.max(0, colon));
  const path = reference.slice(colon + 1);
  const entry = Object.hasOwn(CORPORA, name) ? CORPORA[name] : undefined;
  if (!entry || path === "")
    throw new EmosllmError(
      "config_invalid",
      `${JSON.stringify(reference)} is not NAME:PATH with a name of ${Object.keys(CORPORA).join(", ")}`,
    );
  return { name, path, entry };
}

/** The utterances of `NAME:PATH`. */
export function openCorpus(reference: string, options: LoaderOptions = {}): AsyncIterable<Utterance> {
  const { entry, path } = parseCorpus(reference);
  return entry.load(path, options);
}

/**
 * A protocol by name for a corpus: a name of `PROTOCOLS`, `official` or `emobox` as the corpus means it, or
 * `emobox:FOLDER` for the folds of an EmoBox metadata folder.
 */
export async function corpusProtocol(corpus: CorpusReference, name: string): Promise<Protocol> {
  const folder = name.startsWith("emobox:")
    ? name.slice(7)
    : name === "emobox" && corpus.name === "emobox"
      ? corpus.path
      : undefined;
  if (folder !== undefined)
    return {
      name,
      test: { kind: "table", folds: await emoboxFolds(folder) },
      validation: "random-speakers",
      description: `the folds of ${folder}; without validation files a seeded fifth of the training speakers`,
    };
  return splitProtocol(corpus.entry.protocols?.[name] ?? name);
}
