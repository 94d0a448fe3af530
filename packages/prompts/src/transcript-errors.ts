/**
 * @file Transcripts as a recogniser with a given word error rate might write them: words replaced by similar ones, dropped, or added,
 * by a seed. The rate is exact: each edit is kept only if it lengthens the shortest edit path, so the measured rate is the target to
 * within half an edit over the whole set.
 */
import { EmosllmError } from "@emosllm/interfaces";
import { randomOf } from "./random.ts";

/** How errors are simulated. */
export interface TranscriptErrorOptions {
  /** Errors per reference word over the whole set, from 0 to 1. */
  readonly wer: number;
  readonly seed?: number | string;
  /** Relative frequency of the kinds of edits. Default 0.6, 0.25, 0.15, about what recognisers make of conversation. */
  readonly mix?: { readonly substitution: number; readonly deletion: number; readonly insertion: number };
  /** Words to substitute and insert. Default: the words of the transcripts. */
  readonly vocabulary?: readonly string[];
  /** `character` for languages written without spaces. Default `word`. */
  readonly unit?: "word" | "character";
}

/** Transcripts with errors, and the rate measured on them. */
export interface SimulatedTranscripts {
  readonly transcripts: readonly string[];
  /** Shortest edit distance over reference words, of the whole set. */
  readonly wer: number;
  readonly errors: number;
  readonly words: number;
}

const UNITS = {
  word: { split: (text: string) => text.split(/\p{White_Space}+/u).filter((word) => word !== ""), join: " " },
  character: { split: (text: string) => [...text].filter((c) => !/\p{White_Space}/u.test(c)), join: "" },
};

/**
 * Simulates recognition errors. The same seed gives the same transcripts.
 *
 * @throws EmosllmError `usage` for a rate outside [0, 1], a mix without weight, or a vocabulary that cannot make an error.
 */
export function simulateTranscriptErrors(
  transcripts: readonly string[],
  {
    wer,
    seed = 0,
    mix = { substitution: 0.6, deletion: 0.25, insertion: 0.15 },
    vocabulary,
    unit = "word",
  }: TranscriptErrorOptions,
): SimulatedTranscripts {
  if (!(wer >= 0 && wer <= 1)) throw new EmosllmError("usage", `wer is ${wer}; expected 0 to 1`);
  const weights = [mix.substitution, mix.deletion, mix.insertion];
  const weight = weights.reduce((a, b) => a + b, 0);
  if (!weights.every((w) => w >= 0) || !(weight > 0) || !Number.isFinite(weight))
    throw new EmosllmError(
      "usage",
      `the mix of edits is ${weights.join(", ")}; expected weights of at least 0, not all 0`,
    );
  const { split, join } = UNITS[unit];
  const references = transcripts.map(split);
  const words = references.reduce((total, reference) => total + reference.length, 0);
  const pool = [...new Set(vocabulary ?? references.flat())];
  const goal = Math.round(wer * words);
  if (goal > 0 && pool.length < 2 && weights[1] === 0)
    throw new EmosllmError("usage", `a vocabulary of ${pool.length} words cannot make errors without deletions`);
  const random = randomOf(seed, "transcript errors");
  // Each word of the references is equally likely to be where an error falls.
  const owner = references.flatMap((reference, i) => reference.map(() => i));
  const hypotheses = references.map((reference) => [...reference]);
  const distances = references.map(() => 0);
  let errors = 0;
  for (let attempt = 0; errors < goal; attempt++) {
    if (attempt > 200 * goal + 10_000)
      throw new EmosllmError(
        "usage",
        `these transcripts and this vocabulary reach ${errors} of ${goal} errors; give a larger vocabulary or allow deletions`,
      );
    const i = owner[Math.floor(random() * owner.length)] ?? 0;
    const hypothesis = edited(hypotheses[i] ?? [], weights, weight, pool, random);
    const distance = editDistance(references[i] ?? [], hypothesis);
    if (distance !== (distances[i] ?? 0) + 1) continue;
    hypotheses[i] = hypothesis;
    distances[i] = distance;
    errors += 1;
  }
  return {
    // What has no error keeps its own spacing.
    transcripts: hypotheses.map((hypothesis, i) =>
      distances[i] === 0 ? (transcripts[i] ?? "") : hypothesis.join(join),
    ),
    wer: words === 0 ? 0 : errors / words,
    errors,
    words,
  };
}

/** One edit at a random place, of a random kind. */
function edited(
  words: readonly string[],
  weights: readonly number[],
  weight: number,
  pool: readonly string[],
  random: () => number,
): string[] {
  const kind = random() * weight;
  const at = Math.floor(random() * words.length);
  const out = [...words];
  const [substitution = 0, deletion = 0] = weights;
  if (kind < substitution && words.length > 0) out.splice(at, 1, similar(words[at] ?? "", pool, random));
  else if (kind < substitution + deletion) out.splice(at, 1);
  else out.splice(Math.floor(random() * (words.length + 1)), 0, pool[Math.floor(random() * pool.length)] ?? "");
  return out.filter((word) => word !== "");
}

/** Of a few words drawn from the pool, the one written most alike. */
function similar(word: string, pool: readonly string[], random: () => number): string {
  let best = { word, distance: Infinity };
  for (let draw = 0; draw < 8; draw++) {
    const candidate = pool[Math.floor(random() * pool.length)] ?? word;
    const distance = candidate === word ? Infinity : editDistance([...word], [...candidate]);
    if (distance < best.distance) best = { word: candidate, distance };
  }
  return best.word;
}

/** Levenshtein distance: the fewest substitutions, deletions and insertions from one sequence to the other. */
export function editDistance<T>(reference: readonly T[], hypothesis: readonly T[]): number {
  let row = Array.from({ length: hypothesis.length + 1 }, (_, j) => j);
  reference.forEach((item, i) => {
    const next = [i + 1];
    hypothesis.forEach((other, j) => {
      const change = (row[j] ?? 0) + Number(item !== other);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    });
    row = next;
  });
  return row[hypothesis.length] ?? 0;
}
