/** @file What the sub-commands of `emosllm corpus` share: their options, and reading a corpus with them. */
import {
  CORPORA,
  PROTOCOLS,
  SCHEMES,
  collect,
  corpusProtocol,
  type CorpusReference,
  emotionScheme,
  mapLabel,
  parseCorpus,
  type Protocol,
} from "@emosllm/datasets";
import { type CorpusProblem, EmosllmError, type Utterance } from "@emosllm/interfaces";
import { wholeArg } from "./_args.ts";

/** Of every sub-command that reads a corpus. */
export const CORPUS_ARG = {
  type: "positional",
  required: true,
  description: `NAME:PATH, NAME one of ${Object.keys(CORPORA).join(", ")}`,
} as const;
export const PROTOCOL_ARG = {
  type: "string",
  description: `split protocol: ${Object.keys(PROTOCOLS).join(", ")}, emobox, emobox:FOLDER`,
} as const;
export const SCHEME_ARG = { type: "string", description: `label scheme: ${Object.keys(SCHEMES).join(", ")}` } as const;
export const SEED_ARG = { type: "string", default: "0", description: "seed of the random rules" } as const;

/** Wrong names on the command line are wrong usage. */
export async function asUsage<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof EmosllmError && ["config_invalid", "label_unknown"].includes(cause.code))
      throw new EmosllmError("usage", cause.message, { cause });
    throw cause;
  }
}

/** A fold's number, where one is given. */
export const foldArg = (value: string | undefined): number | undefined =>
  value === undefined ? undefined : wholeArg("fold", value, 1);

/** What a sub-command works on. */
export interface LoadedCorpus {
  corpus: CorpusReference;
  raw: Utterance[];
  utterances: Utterance[];
  protocol: Protocol | undefined;
  problems: CorpusProblem[];
}

/** Reads a corpus. Throws EmosllmError `usage` for unknown names, `corpus_invalid` where nothing is left. */
export async function loadCorpus(
  reference: string,
  schemeName: string | undefined,
  protocolName: string | undefined,
): Promise<LoadedCorpus> {
  const corpus = await asUsage(() => parseCorpus(reference));
  const scheme = schemeName === undefined ? undefined : await asUsage(() => emotionScheme(schemeName));
  const protocol = protocolName === undefined ? undefined : await asUsage(() => corpusProtocol(corpus, protocolName));
  const problems: CorpusProblem[] = [];
  const raw = await collect(corpus.entry.load(corpus.path, { onProblem: (p) => problems.push(p) }));
  const utterances = scheme ? raw.flatMap((u) => mapLabel(u, scheme) ?? []) : raw;
  if (utterances.length === 0)
    throw new EmosllmError(
      "corpus_invalid",
      `${reference}: no utterance${scheme ? ` with a label of ${scheme.name}` : ""}; ${problems.length} problems were met${problems[0] ? `, the first: ${problems[0].message}` : ""}`,
    );
  return { corpus, raw, utterances, protocol, problems };
}
