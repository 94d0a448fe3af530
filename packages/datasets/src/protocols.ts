/**
 * @file Split protocols as data. A protocol says how the test part of a fold is found,
 * where validation comes from, and what its authors let two parts share (all other sharing is a leak to the auditor).
 */
import { EmosllmError } from "@emosllm/interfaces";
import type { Part, Shared } from "./split.ts";

/** What a split keeps together. */
export type GroupKey = "session" | "speaker" | "dialogue" | "id";

/** How the test part of each fold is found. */
export type TestRule =
  | { kind: "leave-one-out"; by: "session" | "speaker" }
  /** The corpus' own parts, by the names it uses in `Utterance.split`. */
  | { kind: "official"; parts: Readonly<Record<string, Part>> }
  /** Named groups per fold (EmoBox's published actors, for example). */
  | { kind: "groups"; by: GroupKey; folds: readonly (readonly string[])[] }
  /** `folds` parts of whole groups, each with nearly the corpus' shares of labels. */
  | { kind: "stratified-groups"; by: GroupKey; folds: number }
  /** A table read from elsewhere: per fold, id -> part, or parts where the table says several (a leak, to be found). */
  | { kind: "table"; folds: readonly ReadonlyMap<string, readonly Part[]>[] };

/** Where validation comes from. */
export type ValidationRule =
  /** The next session that the test part does not touch; what else is of the test's sessions is left out. */
  | "other-session"
  /** The next fold's test groups. */
  | "next-fold"
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
        name: "esd-official",
        test: { kind: "official", parts: OFFICIAL },
        validation: "none",
        allows: any("speaker"),
        description: "ESD's train, evaluation and test: texts are apart, every speaker is in all parts",
      },
      {
        name: "random-utterances",
        test: { kind: "stratified-groups", by: "id", folds: 4 },
        validation: "none",
        description:
          "a seeded, stratified quarter of the utterances as test, whoever speaks (EmoBox for CREMA-D and others): a leak",
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
        validation: "next-fold",
        description:
          "five seeded folds of whole speakers with nearly equal shares of labels, the next fold as validation",
      },
      {
        name: "dialogues5",
        test: { kind: "stratified-groups", by: "dialogue", folds: 5 },
        validation: "next-fold",
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
