/** @file The arguments by which searches, sensitivity and probes choose their utterances, and the utterances. */
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type Part, SCHEMES, type Split, type ValidationRule } from "@emosllm/datasets";
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import { randomStream, shuffle } from "@emosllm/training";
import { oneOf, wholeArg } from "../commands/_args.ts";
import { parse } from "yaml";
import { corpusPart } from "../evaluation/corpus-part.ts";
import type { Asker } from "./asker.ts";

/** Arguments of a command that asks a bundle about a corpus. */
export const PART_ARGS = {
  corpus: { type: "string", description: "NAME:PATH (emosllm corpus list); default the run's own" },
  scheme: { type: "string", description: "label scheme of the corpus, when it is not the bundle's" },
  protocol: { type: "string", description: "split protocol; default the run's own" },
  fold: { type: "string", description: "fold of the protocol, from 1; default the run's own" },
  limit: { type: "string", description: "at most so many utterances, drawn by the seed" },
  seed: { type: "string", default: "0", description: "of everything that is drawn" },
  "batch-size": { type: "string", default: "16", description: "utterances asked together" },
  out: { type: "string", description: "folder to write into; default the run's, where its report page finds it" },
  json: { type: "boolean", description: "print one JSON object" },
} as const;

/** Where findings go: as asked, or beside the bundle, into the folder of its run. */
export const outFolder = (args: { readonly bundle: string; readonly out?: string | undefined }): string =>
  args.out ?? dirname(resolve(args.bundle));

/** What {@link chosenUtterances} needs of the arguments. */
export interface PartArguments {
  readonly corpus?: string | undefined;
  readonly scheme?: string | undefined;
  readonly protocol?: string | undefined;
  readonly fold?: string | undefined;
  readonly validation?: string | undefined;
  readonly limit?: string | undefined;
  readonly seed: string;
}

/** Utterances with where they come from. */
export interface ChosenUtterances {
  readonly utterances: readonly (Utterance & { readonly label: string })[];
  readonly about: Readonly<Record<string, unknown>>;
}

/** The utterances of one part of a split. The run that made the bundle says what the arguments leave out. Throws EmosllmError `usage`, `corpus_*`. */
export async function chosenUtterances(
  bundle: string,
  asker: Pick<Asker, "manifest" | "labels">,
  args: PartArguments,
  part: Part,
): Promise<ChosenUtterances> {
  const run = await runConfig(bundle);
  const corpus = args.corpus ?? run["corpus"];
  if (typeof corpus !== "string")
    throw new EmosllmError("usage", "--corpus NAME:PATH is needed: no config.yaml beside the bundle names one");
  const sameCorpus = corpus === run["corpus"];
  const protocol = args.protocol ?? (sameCorpus ? run["protocol"] : undefined);
  if (typeof protocol !== "string" && part !== "test")
    throw new EmosllmError("usage", `--protocol is needed to know the ${part} part (emosllm corpus list)`);
  const fold =
    args.fold === undefined ? Number((sameCorpus ? run["fold"] : undefined) ?? 1) : wholeArg("fold", args.fold, 1);
  const seed = wholeArg("seed", args.seed, 0);
  const name = asker.manifest.labels.scheme;
  const known = Object.hasOwn(SCHEMES, name) ? SCHEMES[name] : undefined;
  const found = await corpusPart(corpus, {
    labels: known ?? { name, labels: [...asker.labels], mapping: {} },
    scheme: args.scheme,
    protocol: protocol as string | undefined,
    fold,
    // The run's split, where it is the run's corpus.
    seed: sameCorpus ? Number(run["seed"] ?? 0) : seed,
    part,
    ...(part === "validation"
      ? { validation: validationRule(args.validation, sameCorpus ? run["validation"] : undefined) }
      : {}),
  });
  const both = part === "validation" ? overlap(found.split) : 0;
  if (both > 0)
    throw new EmosllmError(
      "usage",
      `${both} validation utterances of ${String(protocol)} are in its test part; searching on them would make test figures worthless (--validation ${VALIDATION_RULES.join("|")})`,
    );
  const limit = args.limit === undefined ? Infinity : wholeArg("limit", args.limit, 1);
  const drawn = shuffle(found.utterances, randomStream(seed, "utterances")).slice(0, limit);
  const order = new Map(found.utterances.map((u, i) => [u.id, i]));
  const utterances = drawn.sort((a, b) => (order.get(a.id) as number) - (order.get(b.id) as number));
  return {
    utterances: utterances as (Utterance & { label: string })[],
    about: {
      bundle: resolve(bundle),
      corpus,
      scheme: found.scheme,
      split: found.split && { protocol, fold, part, sha256: found.split.sha256 },
      utterances: utterances.length,
      seed,
    },
  };
}

/** `config.yaml` of the run that wrote the bundle, or nothing. */
async function runConfig(bundle: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (parse(await readFile(join(dirname(resolve(bundle)), "config.yaml"), "utf8")) ?? {}) as Record<
      string,
      unknown
    >;
  } catch {
    return {};
  }
}

const overlap = (split: Split | undefined): number => {
  const test = new Set(split?.test);
  return (split?.validation ?? []).filter((id) => test.has(id)).length;
};

/** All that keep the test part out. */
const VALIDATION_RULES = [
  "other-session",
  "next-fold",
  "other-speaker",
  "random-speakers",
  "random-utterances",
] as const;

/** Where a run's validation part came from, or as asked. Throws EmosllmError `usage` for a run that held nothing back. */
function validationRule(asked: string | undefined, ofRun: unknown): ValidationRule | undefined {
  if (asked !== undefined) return oneOf("validation", asked, VALIDATION_RULES);
  if (ofRun === "none")
    throw new EmosllmError(
      "usage",
      `the run trained on everything but its test part (validation: none), so there is no validation part to search on; --validation ${VALIDATION_RULES.join("|")} takes one, of utterances that it was trained on`,
    );
  return ofRun as ValidationRule | undefined;
}
