/** @file Simulated raters: what three listeners would have ticked, given how clearly a clip shows its label. */
import { DIMENSIONS, type Code } from "./emotions.ts";
import type { Random } from "./random.ts";

/** IEMOCAP's words for its codes in rater lines. */
const WORDS: Readonly<Record<Code, string>> = {
  ang: "Anger",
  hap: "Happiness",
  exc: "Excited",
  neu: "Neutral state",
  sad: "Sadness",
  fru: "Frustration",
};

/** What a faint or misheard expression is taken for. */
const CONFUSED: Readonly<Record<Code, readonly Code[]>> = {
  ang: ["fru", "fru", "neu"],
  hap: ["exc", "neu", "exc"],
  exc: ["hap", "hap", "ang"],
  neu: ["fru", "sad", "hap"],
  sad: ["neu", "neu", "fru"],
  fru: ["ang", "neu", "sad"],
};

/** One clip's ratings. */
export interface Ratings {
  /** The majority's code, `xxx` where there is none. */
  readonly label: Code | "xxx";
  /** Lines below the label line, e.g. `C-E1:\tAnger;\t()`. */
  readonly lines: readonly string[];
  /** Mean valence, activation, dominance over the raters. */
  readonly dimensions: readonly [number, number, number];
}

const clamp = (x: number): number => Math.min(5, Math.max(1, Math.round(x)));

/** Three categorical votes whose majority is `code` (or that all differ when `disagree`), and two dimensional ratings. */
export function rate(code: Code, intensity: number, disagree: boolean, random: Random): Ratings {
  const others = [...new Set(CONFUSED[code])];
  const votes: Code[] = [code, code, code];
  if (disagree) {
    const wrong = random.shuffled(others);
    votes[1] = wrong[0] ?? code;
    votes[2] = wrong[1] ?? "neu";
    if (votes[1] === votes[2]) votes[2] = code === "neu" ? "sad" : "neu";
  } else if (random.uniform() < 0.75 - 0.6 * intensity) votes[2] = random.pick(CONFUSED[code]);
  const categorical = random.shuffled(votes).map((vote, i) => `C-E${i + 1}:\t${WORDS[vote]};\t()`);

  const rest = DIMENSIONS.neu;
  const full = DIMENSIONS[code];
  const given = [0, 1].map(() =>
    full.map((x, d) => clamp((rest[d] ?? 3) + (x - (rest[d] ?? 3)) * intensity + 0.45 * random.normal())),
  );
  const dimensional = given.map(([v, a, d], i) => `A-E${i + 1}:\tval ${v}; act ${a}; dom  ${d};\t()`);
  const mean = (d: number): number => given.reduce((sum, g) => sum + (g[d] ?? 0), 0) / given.length;
  return {
    label: disagree ? "xxx" : code,
    lines: [...categorical, ...dimensional],
    dimensions: [mean(0), mean(1), mean(2)],
  };
}
