/**
 * @file How much answers depend on the way of asking: one model, the same utterances, several configurations (prompt variant, label words,
 * label order, slots). The paper names prompt sensitivity as its weakness; this measures it.
 */
import { EmosllmError } from "@emosllm/interfaces";

/** The answers of one configuration: `null` where there was none. */
export interface SensitivityRun {
  readonly name: string;
  /** The configuration by factor, e.g. `{ prompt: "emotion-plain", order: "angry sad" }`; the same factors in every run. */
  readonly factors: Readonly<Record<string, string>>;
  /** Label names, aligned with the truth. */
  readonly predictions: readonly (string | null)[];
}

/** What one factor moves, all others being equal. */
export interface FactorSensitivity {
  readonly factor: string;
  /** Mean score of the runs at each level. */
  readonly levels: Readonly<Record<string, number>>;
  /** Highest minus lowest of the level means. */
  readonly range: number;
  /** Share of answers that differ between two runs which differ in this factor alone; `null` where no two do. */
  readonly changed: number | null;
}

/** Summary over configurations. */
export interface SensitivitySummary {
  readonly scores: readonly { readonly name: string; readonly score: number }[];
  readonly mean: number;
  readonly worst: number;
  readonly best: number;
  /** `best - worst` */
  readonly spread: number;
  /** Standard deviation over configurations (n - 1); `null` for one. */
  readonly deviation: number | null;
  /** Mean share of equal answers over all pairs of configurations; `null` for one. */
  readonly agreement: number | null;
  /** Share of utterances that every configuration answers alike. */
  readonly unanimous: number;
  /** Score of the majority answer over configurations (ties: the first run's answer among them). */
  readonly majority: number;
  /** The factor that changes most answers first. */
  readonly factors: readonly FactorSensitivity[];
  /** The first factor's name; `null` where nothing varies. */
  readonly mostSensitive: string | null;
}

/** Unweighted average recall over the labels that occur in the truth: the usual score for emotion. */
export function averageRecall(truth: readonly string[], predictions: readonly (string | null)[]): number {
  const counts = new Map<string, { right: number; all: number }>();
  truth.forEach((label, i) => {
    const count = counts.get(label) ?? { right: 0, all: 0 };
    counts.set(label, { right: count.right + Number(predictions[i] === label), all: count.all + 1 });
  });
  return mean([...counts.values()].map(({ right, all }) => right / all));
}

/**
 * Summarises the answers of several configurations.
 *
 * @param score default {@link averageRecall}
 * @throws EmosllmError `runtime_failed` for no run, no utterance, lengths or factors that differ.
 */
export function promptSensitivity(
  truth: readonly string[],
  runs: readonly SensitivityRun[],
  score: (truth: readonly string[], predictions: readonly (string | null)[]) => number = averageRecall,
): SensitivitySummary {
  const [first] = runs;
  if (first === undefined || truth.length === 0)
    throw new EmosllmError(
      "runtime_failed",
      `${runs.length} runs over ${truth.length} utterances; at least one of each is needed`,
    );
  const names = Object.keys(first.factors).sort();
  for (const run of runs) {
    if (run.predictions.length !== truth.length)
      throw new EmosllmError(
        "runtime_failed",
        `run '${run.name}' has ${run.predictions.length} answers for ${truth.length} utterances`,
      );
    const own = Object.keys(run.factors).sort();
    if (own.join() !== names.join())
      throw new EmosllmError(
        "runtime_failed",
        `run '${run.name}' has factors ${own.join(", ")}; the others have ${names.join(", ")}`,
      );
  }
  const scores = runs.map((run) => ({ name: run.name, score: score(truth, run.predictions) }));
  const values = scores.map((s) => s.score);
  const average = mean(values);
  const [worst, best] = [Math.min(...values), Math.max(...values)];
  const pairs = runs.flatMap((a, i) => runs.slice(i + 1).map((b) => [a, b] as const));
  const factors = names
    .map((factor): FactorSensitivity => {
      const levels = new Map<string, number[]>();
      runs.forEach((run, i) => {
        const level = run.factors[factor] ?? "";
        levels.set(level, [...(levels.get(level) ?? []), values[i] ?? 0]);
      });
      const means = [...levels].map(([level, of]) => [level, mean(of)] as const);
      const only = pairs.filter(([a, b]) =>
        names.every((name) => (a.factors[name] === b.factors[name]) !== (name === factor)),
      );
      const heights = means.map(([, value]) => value);
      return {
        factor,
        levels: Object.fromEntries(means),
        range: Math.max(...heights) - Math.min(...heights),
        changed: only.length === 0 ? null : mean(only.map(([a, b]) => 1 - equalShare(a, b))),
      };
    })
    .sort((a, b) => (b.changed ?? -1) - (a.changed ?? -1) || b.range - a.range || (a.factor < b.factor ? -1 : 1));
  const moves = factors.find((f) => Object.keys(f.levels).length > 1);
  return {
    scores,
    mean: average,
    worst,
    best,
    spread: best - worst,
    deviation:
      values.length < 2 ? null : Math.sqrt(values.reduce((t, v) => t + (v - average) ** 2, 0) / (values.length - 1)),
    agreement: pairs.length === 0 ? null : mean(pairs.map(([a, b]) => equalShare(a, b))),
    unanimous: mean(truth.map((_, i) => Number(runs.every((run) => run.predictions[i] === first.predictions[i])))),
    majority: score(
      truth,
      truth.map((_, i) => majorityOf(runs.map((run) => run.predictions[i] ?? null))),
    ),
    factors,
    mostSensitive: moves?.factor ?? null,
  };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

const equalShare = (a: SensitivityRun, b: SensitivityRun): number =>
  mean(a.predictions.map((answer, i) => Number(answer === b.predictions[i])));

function majorityOf(answers: readonly (string | null)[]): string | null {
  const counts = new Map<string | null, number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  // A map keeps the order of first occurrence, so the first of the most frequent wins.
  const most = Math.max(...counts.values());
  return [...counts].find(([, count]) => count === most)?.[0] ?? null;
}
