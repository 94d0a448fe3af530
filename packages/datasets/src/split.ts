/** @file A split of a corpus into training, validation and test, with a hash to compare by and a card to read. */
import { createHash } from "node:crypto";
import type { Utterance } from "@emosllm/interfaces";

/** The parts, in the order they are printed. */
export const PARTS = ["train", "validation", "test"] as const;
/** One of {@link PARTS}. */
export type Part = (typeof PARTS)[number];

/** What can be shared between two parts. */
export type Shared = "speaker" | "dialogue" | "session";

/** One part in numbers. `hours` counts clips whose length the corpus tells. */
export interface PartCard {
  utterances: number;
  labels: Record<string, number>;
  speakers: Record<string, number>;
  sessions: string[];
  dialogues: number;
  hours: number;
}

/** Names that occur in two parts. */
export interface Overlap {
  between: readonly [Part, Part];
  utterances: number;
  speakers: string[];
  dialogues: string[];
  sessions: string[];
}

/** What a paper should say about a split. */
export interface SplitCard {
  parts: Record<Part, PartCard>;
  overlap: Overlap[];
  /** Utterances in no part. */
  unused: number;
}

/** Ids by part. `sha256` is of the lines `part TAB id`, sorted, each with a line feed. */
export interface Split {
  protocol: string;
  /** From 1. */
  fold: number;
  seed: number;
  train: string[];
  validation: string[];
  test: string[];
  sha256: string;
  card: SplitCard;
}

/** Pairs of parts that are compared for overlap. */
export const PART_PAIRS: readonly (readonly [Part, Part])[] = [
  ["train", "validation"],
  ["train", "test"],
  ["validation", "test"],
];

/** Builds the split from each utterance's parts (usually one; two make a leak that the auditor reports). */
export function makeSplit(
  name: { protocol: string; fold: number; seed: number },
  utterances: readonly Utterance[],
  partsOf: (utterance: Utterance) => readonly Part[],
): Split {
  const members: Record<Part, Utterance[]> = { train: [], validation: [], test: [] };
  let unused = 0;
  for (const u of utterances) {
    const parts = partsOf(u);
    if (parts.length === 0) unused++;
    for (const part of parts) members[part].push(u);
  }
  const ids = (part: Part): string[] => members[part].map((u) => u.id);
  const split = { ...name, train: ids("train"), validation: ids("validation"), test: ids("test") };
  return {
    ...split,
    sha256: splitHash(split),
    card: {
      parts: {
        train: partCard(members.train),
        validation: partCard(members.validation),
        test: partCard(members.test),
      },
      overlap: PART_PAIRS.map(([a, b]) => overlapOf(a, b, members[a], members[b])),
      unused,
    },
  };
}

/** SHA-256 of which id lies in which part; the order of utterances does not matter. */
export function splitHash(split: Readonly<Record<Part, readonly string[]>>): string {
  const lines = PARTS.flatMap((part) => split[part].map((id) => `${part}\t${id}\n`)).sort();
  return createHash("sha256").update(lines.join("")).digest("hex");
}

/** Length of a clip in seconds as far as the corpus tells, else undefined. */
export function knownSeconds(u: Utterance): number | undefined {
  const { start, end, duration } = u.audio;
  return end === undefined ? duration : end - (start ?? 0);
}

/** How often each name occurs, sorted by name; unknown is not counted. */
export function countBy(
  utterances: readonly Utterance[],
  key: (u: Utterance) => string | undefined,
): Record<string, number> {
  const counts = new Map<string, number>();
  for (const u of utterances) {
    const name = key(u);
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function partCard(utterances: readonly Utterance[]): PartCard {
  return {
    utterances: utterances.length,
    labels: countBy(utterances, (u) => u.label),
    speakers: countBy(utterances, (u) => u.speaker),
    sessions: Object.keys(countBy(utterances, (u) => u.session)),
    dialogues: new Set(utterances.map((u) => u.dialogue).filter((d) => d !== undefined)).size,
    hours: utterances.reduce((sum, u) => sum + (knownSeconds(u) ?? 0), 0) / 3600,
  };
}

function overlapOf(a: Part, b: Part, first: readonly Utterance[], second: readonly Utterance[]): Overlap {
  const common = (key: (u: Utterance) => string | undefined): string[] => {
    const names = new Set(first.map(key));
    return [...new Set(second.map(key))].filter((n): n is string => n !== undefined && names.has(n)).sort();
  };
  return {
    between: [a, b],
    utterances: common((u) => u.id).length,
    speakers: common((u) => u.speaker),
    dialogues: common((u) => u.dialogue),
    sessions: common((u) => u.session),
  };
}
