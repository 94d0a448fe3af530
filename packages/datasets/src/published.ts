/** @file Published counts, for the auditor to compare with. A subset or a synthetic corpus differs, and is told so. */
import type { Utterance } from "@emosllm/interfaces";
import { countBy } from "./split.ts";

/** Counts of one corpus by its raw label codes. */
export interface PublishedCounts {
  source: string;
  labels: Readonly<Record<string, number>>;
  speakers?: number;
  /** How many fewer may be there because clips of the release cannot be used, in all and by group. */
  unusable?: { all: number; groups: Readonly<Record<string, number>> };
  /** Counts of groups: part, session or actor. */
  groups?: { by: "split" | "session" | "speaker"; labels: Readonly<Record<string, Readonly<Record<string, number>>>> };
}

const meldRow = (n: readonly number[]): Record<string, number> =>
  Object.fromEntries(
    ["neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear"].map((l, i) => [l, n[i] as number]),
  );
const iemocapRow = (ang: number, hap: number, exc: number, sad: number, neu: number): Record<string, number> => ({
  ang,
  hap,
  exc,
  sad,
  neu,
});
const same = (labels: readonly string[], count: number): Record<string, number> =>
  Object.fromEntries(labels.map((l) => [l, count]));

/** By corpus name. */
export const PUBLISHED: Readonly<Record<string, PublishedCounts>> = {
  iemocap: {
    source: "the release; per session as in EmoBox and emotion2vec",
    labels: {
      ang: 1103,
      hap: 595,
      exc: 1041,
      sad: 1084,
      neu: 1708,
      fru: 1849,
      sur: 107,
      fea: 40,
      dis: 2,
      oth: 3,
      xxx: 2507,
    },
    speakers: 10,
    groups: {
      by: "session",
      labels: {
        "1": iemocapRow(229, 135, 143, 194, 384),
        "2": iemocapRow(137, 117, 210, 197, 362),
        "3": iemocapRow(240, 135, 151, 305, 320),
        "4": iemocapRow(327, 65, 238, 143, 258),
        "5": iemocapRow(170, 143, 299, 245, 384),
      },
    },
  },
  meld: {
    source: "the release's tables (9989 + 1109 + 2610 rows), of which two clips cannot be used: 9988, 1108, 2610",
    labels: meldRow([6436, 2308, 1636, 1607, 1002, 361, 358]),
    unusable: { all: 2, groups: { train: 1, dev: 1 } },
    groups: {
      by: "split",
      labels: {
        train: meldRow([4710, 1743, 1205, 1109, 683, 271, 268]),
        dev: meldRow([470, 163, 150, 153, 111, 22, 40]),
        test: meldRow([1256, 402, 281, 345, 208, 68, 50]),
      },
    },
  },
  ravdess: {
    source: "the release, speech, audio only",
    labels: { neutral: 96, ...same(["calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"], 192) },
    speakers: 24,
  },
  cremad: {
    source: "the release",
    labels: { NEU: 1087, ...same(["ANG", "DIS", "FEA", "HAP", "SAD"], 1271) },
    speakers: 91,
  },
  "msp-podcast": {
    source: "EmoBox's count of its release",
    labels: { N: 26009, H: 14285, X: 14199, U: 4084, C: 3644, A: 3218, S: 2649, D: 2593, F: 1544, O: 817 },
  },
  emodb: {
    source: "the release",
    labels: { anger: 127, boredom: 81, disgust: 46, fear: 69, happiness: 71, sadness: 62, neutral: 79 },
    speakers: 10,
  },
  esd: { source: "the release", labels: same(["Angry", "Happy", "Neutral", "Sad", "Surprise"], 7000), speakers: 20 },
  savee: {
    source: "the release",
    labels: { neutral: 120, ...same(["anger", "disgust", "fear", "happiness", "sadness", "surprise"], 60) },
    speakers: 4,
  },
  tess: {
    source: "the release",
    labels: same(["angry", "disgust", "fear", "happy", "neutral", "sad", "ps"], 400),
    speakers: 2,
  },
};

/** Sentences about each count that differs; none for a corpus without published counts. */
export function compareWithPublished(corpus: string, utterances: readonly Utterance[]): string[] {
  const published = Object.hasOwn(PUBLISHED, corpus) ? PUBLISHED[corpus] : undefined;
  if (!published) return [];
  const out: string[] = [];
  const labels = countBy(utterances, (u) => u.label);
  compare(out, "", labels, published.labels, published.unusable?.all);
  const speakers = Object.keys(countBy(utterances, (u) => u.speaker)).length;
  if (published.speakers !== undefined && speakers !== published.speakers)
    out.push(`${speakers} speakers, published ${published.speakers}`);
  const { groups } = published;
  for (const [name, expected] of Object.entries(groups?.labels ?? {}))
    compare(
      out,
      `${groups?.by} ${name}: `,
      countBy(
        utterances.filter((u) => u[groups?.by ?? "split"] === name),
        (u) => (u.label !== undefined && u.label in expected ? u.label : undefined),
      ),
      expected,
      published.unusable?.groups[name],
    );
  return out;
}

function compare(
  out: string[],
  where: string,
  found: Readonly<Record<string, number>>,
  expected: Readonly<Record<string, number>>,
  unusable = 0,
): void {
  const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  const surplus = Object.keys(found).some((l) => (found[l] ?? 0) > (expected[l] ?? 0));
  if (!surplus && sum(found) >= sum(expected) - unusable) return;
  const differing = [...new Set([...Object.keys(expected), ...Object.keys(found)])]
    .filter((l) => (found[l] ?? 0) !== (expected[l] ?? 0))
    .map((l) => `${l} ${found[l] ?? 0} (published ${expected[l] ?? 0})`);
  if (differing.length > 0) out.push(where + differing.join(", "));
}
