/**
 * @file Split protocols as data, and the one function that applies them. A protocol says how the test part of a fold is found,
 * where validation comes from, and what its authors let two parts share (all other sharing is a leak to the auditor).
 */
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import { seededRandom, shuffled } from "./random.ts";
import { type Part, type Shared, type Split, makeSplit } from "./split.ts";
import { stratifiedGroups } from "./stratified-groups.ts";

/** What a split keeps together. */
export type GroupKey = "session" | "speaker" | "dialogue";

/** How the test part of each fold is found. */
export type TestRule =
  | { kind: "leave-one-out"; by: "session" | "speaker" }
  /** The corpus' own parts, by the names it uses in `Utterance.split`. */
  | { kind: "official"; parts: Readonly<Record<string, Part>> }
  /** Named groups per fold (EmoBox's published actors, for example). */
  | { kind: "groups"; by: GroupKey; folds: readonly (readonly string[])[] }
  /** `folds` parts of whole groups, each with nearly the corpus' shares of labels. */
  | { kind: "stratified-groups"; by: GroupKey; folds: number }
  /** A table read from elsewhere: per fold, id -> part. */
  | { kind: "table"; folds: readonly ReadonlyMap<string, Part>[] };

/** Where validation comes from. */
export type ValidationRule =
  /** The next fold's test groups (for sessions: the next session). */
  | "other-session"
  /** One speaker: the partner in the test session when speakers are left out, else one of the next session. */
  | "other-speaker"
  /** A seeded share of the training speakers. */
  | "random-speakers"
  /** A seeded share of the training utterances, whoever speaks (s3prl, SUPERB, emotion2vec): speakers are shared. */
  | "random-utterances"
  /** The test part itself. Some published numbers do this; the auditor calls it a leak. */
  | "test"
  | "none";

/** Two parts and what they may share by the protocol's own definition. */
export interface AllowedOverlap {
  between: readonly [Part, Part];
  share: Shared;
}

/** A split protocol. */
export interface Protocol {
  name: string;
  test: TestRule;
  validation: ValidationRule;
  /** Share of training that becomes validation, for the random rules. Default 0.2. */
  share?: number;
  allows?: readonly AllowedOverlap[];
  description: string;
}

const any = (share: Shared): AllowedOverlap[] =>
  (
    [
      ["train", "validation"],
      ["train", "test"],
      ["validation", "test"],
    ] as const
  ).map((between) => ({ between, share }));

/** Names under which corpora and manifests keep their own parts. */
const OFFICIAL: Readonly<Record<string, Part>> = {
  train: "train",
  Train: "train",
  training: "train",
  dev: "validation",
  Dev: "validation",
  valid: "validation",
  validation: "validation",
  Validation: "validation",
  Development: "validation",
  evaluation: "validation",
  test: "test",
  Test: "test",
  Test1: "test",
};
const LOSO5: TestRule = { kind: "leave-one-out", by: "session" };
const LOSO10: TestRule = { kind: "leave-one-out", by: "speaker" };

/** EmoBox's six folds of four RAVDESS actors each. */
export const EMOBOX_RAVDESS_ACTORS: readonly (readonly string[])[] = [
  ["01", "11", "20", "21"],
  ["04", "10", "12", "14"],
  ["08", "09", "19", "23"],
  ["03", "05", "07", "24"],
  ["02", "15", "16", "18"],
  ["06", "13", "17", "22"],
];

/** The named protocols. */
export const PROTOCOLS: Readonly<Record<string, Protocol>> = Object.fromEntries(
  (
    [
      {
        name: "loso5",
        test: LOSO5,
        validation: "other-session",
        description: "each session once as test, the next one as validation, the others as training",
      },
      {
        name: "loso5-other-speaker",
        test: LOSO5,
        validation: "other-speaker",
        allows: [
          { between: ["train", "validation"], share: "dialogue" },
          { between: ["train", "validation"], share: "session" },
        ],
        description: "each session once as test, one speaker of the next session as validation",
      },
      {
        name: "loso5-random-speakers",
        test: LOSO5,
        validation: "random-speakers",
        allows: [
          { between: ["train", "validation"], share: "dialogue" },
          { between: ["train", "validation"], share: "session" },
        ],
        description: "each session once as test, a seeded fifth of the other speakers as validation",
      },
      {
        name: "loso5-random-utterances",
        test: LOSO5,
        validation: "random-utterances",
        description:
          "each session once as test, a seeded fifth of the other utterances as validation (s3prl, SUPERB, emotion2vec): training and validation share speakers",
      },
      {
        name: "loso5-validation-is-test",
        test: LOSO5,
        validation: "test",
        description:
          "each session once as test and as validation: inflates results, for reproducing published numbers only",
      },
      {
        name: "loso10",
        test: LOSO10,
        validation: "other-speaker",
        allows: [
          { between: ["validation", "test"], share: "dialogue" },
          { between: ["validation", "test"], share: "session" },
        ],
        description:
          "each speaker once as test, the partner as validation (emotion2vec, SpeechBrain), the others as training",
      },
      {
        name: "loso10-other-session",
        test: LOSO10,
        validation: "other-session",
        description:
          "each speaker once as test, the next session as validation, the partner left out, the other sessions as training",
      },
      {
        name: "official",
        test: { kind: "official", parts: OFFICIAL },
        validation: "none",
        description: "the parts that the corpus or manifest names itself",
      },
      {
        name: "meld-official",
        test: { kind: "official", parts: OFFICIAL },
        validation: "none",
        allows: any("speaker"),
        description: "MELD's train, dev and test: dialogues are apart, the series' characters are in all parts",
      },
      {
        name: "emobox-ravdess",
        test: { kind: "groups", by: "speaker", folds: EMOBOX_RAVDESS_ACTORS },
        validation: "random-speakers",
        description: "EmoBox's six folds of four actors, a seeded fifth of the other actors as validation",
      },
      {
        name: "speakers5",
        test: { kind: "stratified-groups", by: "speaker", folds: 5 },
        validation: "other-session",
        description:
          "five seeded folds of whole speakers with nearly equal shares of labels, the next fold as validation",
      },
      {
        name: "dialogues5",
        test: { kind: "stratified-groups", by: "dialogue", folds: 5 },
        validation: "other-session",
        allows: [...any("speaker"), ...any("session")],
        description: "five seeded folds of whole dialogues; speakers are shared",
      },
    ] satisfies Protocol[]
  ).map((p) => [p.name, p]),
);

/** The protocol of a name. @throws EmosllmError `config_invalid` listing the names there are. */
export function splitProtocol(name: string): Protocol {
  const found = Object.hasOwn(PROTOCOLS, name) ? PROTOCOLS[name] : undefined;
  if (found) return found;
  throw new EmosllmError(
    "config_invalid",
    `no protocol ${JSON.stringify(name)}; there are ${Object.keys(PROTOCOLS).join(", ")}`,
  );
}

export interface SplitOptions {
  /** From 1. Default 1. */
  fold?: number;
  /** For the seeded rules. Default 0. */
  seed?: number;
}

/** How many folds a protocol has on these utterances. */
export function foldCount(protocol: Protocol, utterances: readonly Utterance[]): number {
  return testGroups(protocol, utterances, 0).length;
}

/**
 * One fold of a protocol.
 * @throws EmosllmError `config_invalid` for a fold that is not there, or utterances without what the protocol splits by.
 */
export function applyProtocol(protocol: Protocol, utterances: readonly Utterance[], options: SplitOptions = {}): Split {
  const { fold = 1, seed = 0 } = options;
  const groups = testGroups(protocol, utterances, seed);
  if (!Number.isInteger(fold) || fold < 1 || fold > groups.length)
    throw new EmosllmError("config_invalid", `${protocol.name}: fold ${fold} is not one of 1 to ${groups.length}`);
  const name = { protocol: protocol.name, fold, seed };
  const { test } = protocol;
  if (test.kind === "table") {
    const table = test.folds[fold - 1] as ReadonlyMap<string, Part>;
    const hasValidation = [...table.values()].includes("validation");
    return finish(name, protocol, utterances, (u) => table.get(u.id), hasValidation, groups, fold, seed);
  }
  if (test.kind === "official") {
    const partOf = (u: Utterance): Part | undefined => (u.split === undefined ? undefined : test.parts[u.split]);
    return finish(name, protocol, utterances, partOf, true, groups, fold, seed);
  }
  const key = test.by;
  const testSet = groups[fold - 1] as ReadonlySet<string>;
  const partOf = (u: Utterance): Part | undefined =>
    u[key] === undefined ? undefined : testSet.has(u[key]) ? "test" : "train";
  return finish(name, protocol, utterances, partOf, false, groups, fold, seed);
}

function finish(
  name: { protocol: string; fold: number; seed: number },
  protocol: Protocol,
  utterances: readonly Utterance[],
  base: (u: Utterance) => Part | undefined,
  hasValidation: boolean,
  groups: readonly ReadonlySet<string>[],
  fold: number,
  seed: number,
): Split {
  const rule = hasValidation ? "none" : protocol.validation;
  const isValidation = validationRule(rule, protocol, utterances, base, groups, fold, seed);
  return makeSplit(name, utterances, (u) => {
    const part = base(u);
    if (part === undefined) return [];
    if (part === "test") return rule === "test" ? ["test", "validation"] : ["test"];
    if (part !== "train") return [part];
    const verdict = isValidation(u);
    return verdict === "unused" ? [] : [verdict ? "validation" : "train"];
  });
}

/** The groups of each fold's test part; tables and official parts only tell how many folds there are. */
function testGroups(protocol: Protocol, utterances: readonly Utterance[], seed: number): ReadonlySet<string>[] {
  const { test } = protocol;
  if (test.kind === "table") return test.folds.map(() => new Set<string>());
  if (test.kind === "official") {
    if (!utterances.some((u) => u.split !== undefined && test.parts[u.split] !== undefined))
      throw new EmosllmError(
        "config_invalid",
        `${protocol.name}: no utterance says its part (split: ${Object.keys(test.parts).join(", ")})`,
      );
    return [new Set<string>()];
  }
  const names = groupNames(utterances, test.by);
  if (names.length < 2)
    throw new EmosllmError(
      "config_invalid",
      `${protocol.name} needs at least two of ${test.by}; the utterances have ${names.length === 0 ? "none" : names[0]}`,
    );
  if (test.kind === "leave-one-out") return names.map((n) => new Set([n]));
  if (test.kind === "groups") return test.folds.map((f) => new Set(f));
  return stratifiedGroups(utterances, test.by, test.folds, seed);
}

/** Distinct names in natural order (`2` before `10`). */
function groupNames(utterances: readonly Utterance[], by: GroupKey): string[] {
  const names = new Set<string>();
  for (const u of utterances) if (u[by] !== undefined) names.add(u[by]);
  return [...names].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

type Verdict = boolean | "unused";

function validationRule(
  rule: ValidationRule,
  protocol: Protocol,
  utterances: readonly Utterance[],
  base: (u: Utterance) => Part | undefined,
  groups: readonly ReadonlySet<string>[],
  fold: number,
  seed: number,
): (u: Utterance) => Verdict {
  const random = seededRandom(seed * 1009 + fold);
  const training = utterances.filter((u) => base(u) === "train");
  const share = protocol.share ?? 0.2;
  const part = (n: number): number => Math.min(n - 1, Math.max(1, Math.round(n * share)));
  if (rule === "random-utterances") {
    const ids = training.map((u) => u.id).sort();
    const chosen = new Set(shuffled(ids, random).slice(0, part(ids.length)));
    return (u) => chosen.has(u.id);
  }
  if (rule === "random-speakers") {
    const speakers = groupNames(training, "speaker");
    if (speakers.length < 2)
      throw new EmosllmError(
        "config_invalid",
        `${protocol.name}: training has ${speakers.length} known speakers, validation by speaker needs two`,
      );
    const chosen = new Set(shuffled(speakers, random).slice(0, part(speakers.length)));
    return (u) => (u.speaker === undefined ? "unused" : chosen.has(u.speaker));
  }
  if (rule === "other-speaker") return otherSpeaker(protocol, utterances, base, random);
  if (rule === "other-session") return otherSession(protocol, utterances, base, groups, fold);
  return () => false;
}

/** Sessions that the test part touches, and the next one in natural order. */
function sessionsAround(
  utterances: readonly Utterance[],
  base: (u: Utterance) => Part | undefined,
  protocol: Protocol,
) {
  const sessions = groupNames(utterances, "session");
  const tested = new Set(utterances.filter((u) => base(u) === "test").map((u) => u.session));
  const last = sessions.findLastIndex((s) => tested.has(s));
  const after = [...sessions.slice(last + 1), ...sessions.slice(0, last + 1)].find((s) => !tested.has(s));
  if (after === undefined && !(tested.size === 1 && sessions.length === 1))
    throw new EmosllmError("config_invalid", `${protocol.name}: no session is left for validation`);
  return { tested, after };
}

function otherSpeaker(
  protocol: Protocol,
  utterances: readonly Utterance[],
  base: (u: Utterance) => Part | undefined,
  random: () => number,
): (u: Utterance) => Verdict {
  const training = utterances.filter((u) => base(u) === "train");
  const { tested, after } = sessionsAround(utterances, base, protocol);
  const partners = groupNames(
    training.filter((u) => tested.has(u.session)),
    "speaker",
  );
  const candidates =
    partners.length > 0
      ? partners
      : groupNames(
          training.filter((u) => u.session === after),
          "speaker",
        );
  const chosen = shuffled(candidates, random)[0];
  if (chosen === undefined)
    throw new EmosllmError("config_invalid", `${protocol.name}: no speaker is left for validation`);
  return (u) => u.speaker === chosen;
}

function otherSession(
  protocol: Protocol,
  utterances: readonly Utterance[],
  base: (u: Utterance) => Part | undefined,
  groups: readonly ReadonlySet<string>[],
  fold: number,
): (u: Utterance) => Verdict {
  const { test } = protocol;
  if (test.kind === "stratified-groups" || test.kind === "groups") {
    const next = groups[fold % groups.length] as ReadonlySet<string>;
    return (u) => u[test.by] !== undefined && next.has(u[test.by] as string);
  }
  const { tested, after } = sessionsAround(utterances, base, protocol);
  return (u) => (tested.has(u.session) ? "unused" : u.session === after);
}

export interface LeaveOneOutOptions extends SplitOptions {
  validation?: ValidationRule;
  /** Share of training that becomes validation, for the random rules. Default 0.2. */
  share?: number;
}

const leaveOneOut = (by: "session" | "speaker", standard: ValidationRule) => {
  return (utterances: readonly Utterance[], options: LeaveOneOutOptions = {}): Split => {
    const { validation = standard, share = 0.2, ...rest } = options;
    const name = `leave-one-${by}-out/${validation}`;
    const protocol: Protocol = { name, test: { kind: "leave-one-out", by }, validation, share, description: name };
    return applyProtocol(protocol, utterances, rest);
  };
};

/**
 * Each session once as test (IEMOCAP: five folds, fold k tests session k).
 * @example
 * const { train, validation, test, sha256, card } = leaveOneSessionOut(utterances, { fold: 1, validation: "other-session" });
 */
export const leaveOneSessionOut: (utterances: readonly Utterance[], options?: LeaveOneOutOptions) => Split =
  leaveOneOut("session", "other-session");

/** Each speaker once as test (IEMOCAP: ten folds), validation by default the partner. */
export const leaveOneSpeakerOut: (utterances: readonly Utterance[], options?: LeaveOneOutOptions) => Split =
  leaveOneOut("speaker", "other-speaker");
