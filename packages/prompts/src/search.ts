/**
 * @file Searching for the prompt configuration that does best: successive halving (Jamieson & Talwalkar 2016) over variants, label words,
 * label order and slots. What runs the model is given; what is refused, by type and at run time, is the test split: a prompt
 * chosen on test data makes every test figure after it worthless.
 */
import { EmosllmError } from "@emosllm/interfaces";
import { wilsonInterval } from "./intervals.ts";
import { randomOf, shuffle } from "./random.ts";

/** The splits that a search may see. */
export const SEARCH_SPLITS = ["validation", "dev", "val"] as const;

/** An example of the validation split; whatever else it holds is for `evaluate`. */
export interface SearchExample {
  readonly id: string;
  readonly split: (typeof SEARCH_SPLITS)[number];
}

/** Something to try, under a name of its own. */
export interface SearchConfiguration {
  readonly name: string;
}

/** What `evaluate` found: higher is better. Without `low` and `high`, a score in [0, 1] gets Wilson's 95 % interval for `n` rows. */
export interface SearchScore {
  readonly score: number;
  readonly n: number;
  readonly low?: number;
  readonly high?: number;
}

/** One evaluation, as logged. */
export interface SearchLogEntry {
  /** Counts from 0; `comparison` evaluations of the median configuration come last. */
  readonly round: number;
  readonly kind: "round" | "comparison";
  readonly configuration: string;
  readonly examples: number;
  readonly score: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** How a search runs. */
export interface SearchOptions {
  readonly seed?: number | string;
  /** A round keeps one in `eta`, and the next one uses `eta` times the examples. Default 3. */
  readonly eta?: number;
  /** Examples of the first round at least, where there are as many. Default 16. */
  readonly minExamples?: number;
  /** Evaluations of an earlier, interrupted run with the same configurations, examples and options: they are not repeated. */
  readonly known?: readonly SearchLogEntry[];
  /** Sees each evaluation as it is done, known ones included. */
  readonly onEvaluation?: (entry: SearchLogEntry) => void;
  readonly signal?: AbortSignal;
}

/** What a search found. */
export interface SearchResult<C extends SearchConfiguration> {
  readonly winner: C;
  /** The winner on all examples. */
  readonly winnerScore: SearchLogEntry;
  /** The configuration in the middle of the first round, and its score on all examples. */
  readonly median: C;
  readonly medianScore: SearchLogEntry;
  /** `winnerScore - medianScore`: both on the same examples. */
  readonly margin: number;
  readonly rounds: readonly { readonly examples: number; readonly configurations: readonly string[] }[];
  readonly log: readonly SearchLogEntry[];
}

/**
 * Runs a search. Examples are put in a seeded order and each round takes more of its beginning, so that configurations of one round are
 * compared on the same examples; ties fall to the one that comes first in a seeded order of the configurations.
 *
 * The winner was chosen for its score, so `winnerScore` is somewhat too high for new data; measure it on the test split once, afterwards.
 *
 * @throws EmosllmError `usage` for an example outside the validation split, no configuration, repeated names or ids;
 * `runtime_failed` where `evaluate` gives no number. Errors of `evaluate` pass through with the configuration named.
 */
export async function searchPrompts<C extends SearchConfiguration, E extends SearchExample>(
  configurations: readonly C[],
  examples: readonly E[],
  evaluate: (configuration: C, examples: readonly E[]) => Promise<SearchScore>,
  options: SearchOptions = {},
): Promise<SearchResult<C>> {
  const { seed = 0, eta = 3, minExamples = 16, known = [], onEvaluation, signal } = options;
  checkSearch(configurations, examples, eta, minExamples);
  const ordered = shuffle(examples, randomOf(seed, "examples"));
  const rounds = planRounds(configurations.length, examples.length, eta, minExamples);
  const log: SearchLogEntry[] = [];
  const done = new Map(known.map((entry) => [`${entry.examples} ${entry.configuration}`, entry]));

  const run = async (configuration: C, count: number, round: number, kind: SearchLogEntry["kind"]) => {
    signal?.throwIfAborted();
    const key = `${count} ${configuration.name}`;
    const found = done.get(key) ?? (await scoreOf(evaluate, configuration, ordered.slice(0, count)));
    const entry: SearchLogEntry = {
      round,
      kind,
      configuration: configuration.name,
      examples: count,
      score: found.score,
      low: found.low,
      high: found.high,
    };
    done.set(key, entry);
    log.push(entry);
    onEvaluation?.(entry);
    return entry;
  };

  let alive = shuffle(configurations, randomOf(seed, "configurations"));
  let median = alive[0] as C;
  const taken: { examples: number; configurations: string[] }[] = [];
  let ranked: { configuration: C; entry: SearchLogEntry }[] = [];
  for (const [round, count] of rounds.entries()) {
    taken.push({ examples: count, configurations: alive.map((c) => c.name) });
    ranked = [];
    for (const configuration of alive)
      ranked.push({ configuration, entry: await run(configuration, count, round, "round") });
    // A stable sort: ties stay in the seeded order.
    ranked.sort((a, b) => b.entry.score - a.entry.score);
    if (round === 0) median = (ranked[Math.floor(ranked.length / 2)] as (typeof ranked)[number]).configuration;
    alive = ranked.slice(0, Math.ceil(ranked.length / eta)).map(({ configuration }) => configuration);
  }
  const best = ranked[0] as (typeof ranked)[number];
  const atEnd = ranked.find(({ configuration }) => configuration === median);
  const medianScore = atEnd?.entry ?? (await run(median, examples.length, rounds.length, "comparison"));
  return {
    winner: best.configuration,
    winnerScore: best.entry,
    median,
    medianScore,
    margin: best.entry.score - medianScore.score,
    rounds: taken,
    log,
  };
}

/** Examples of each round: the last uses all, each before it `eta` times fewer, none fewer than the least. */
export function planRounds(configurations: number, examples: number, eta: number, minExamples: number): number[] {
  // The halving that leaves one configuration needs no round after it: its last rivals have run on all examples.
  let rounds = 0;
  for (let left = configurations; rounds === 0 || left > 1; left = Math.ceil(left / eta)) rounds++;
  const least = Math.min(minExamples, examples);
  return Array.from({ length: rounds }, (_, i) =>
    Math.min(examples, Math.max(least, Math.ceil(examples / eta ** (rounds - 1 - i)))),
  );
}

async function scoreOf<C extends SearchConfiguration, E>(
  evaluate: (configuration: C, examples: readonly E[]) => Promise<SearchScore>,
  configuration: C,
  examples: readonly E[],
): Promise<{ score: number; low: number | null; high: number | null }> {
  let result: SearchScore;
  try {
    result = await evaluate(configuration, examples);
  } catch (cause) {
    throw new EmosllmError(
      "runtime_failed",
      `configuration '${configuration.name}': ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const { score, n, low, high } = result;
  if (!Number.isFinite(score) || !(n > 0))
    throw new EmosllmError(
      "runtime_failed",
      `configuration '${configuration.name}': evaluate gave score ${score} over ${n} rows; expected a finite score over at least one`,
    );
  const wilson = score >= 0 && score <= 1 ? wilsonInterval(score * n, n) : undefined;
  return { score, low: low ?? wilson?.low ?? null, high: high ?? wilson?.high ?? null };
}

function checkSearch(
  configurations: readonly SearchConfiguration[],
  examples: readonly SearchExample[],
  eta: number,
  minExamples: number,
): void {
  const fail = (message: string): never => {
    throw new EmosllmError("usage", message);
  };
  // Types end where data is read from files.
  const foreign = examples.find((example) => !(SEARCH_SPLITS as readonly unknown[]).includes(example.split));
  if (foreign !== undefined)
    fail(
      `example '${foreign.id}' is of split ${JSON.stringify(foreign.split)}; a search sees validation data only (${SEARCH_SPLITS.join(", ")}), so that test figures stay honest`,
    );
  if (configurations.length === 0) fail("there is no configuration to search");
  if (examples.length === 0) fail("there is no validation example to search on");
  if (!(eta >= 2)) fail(`eta is ${eta}; expected at least 2`);
  if (!(minExamples >= 1)) fail(`minExamples is ${minExamples}; expected at least 1`);
  const name = firstRepeated(configurations.map((c) => c.name));
  if (name !== undefined) fail(`configuration '${name}' is there twice`);
  const id = firstRepeated(examples.map((e) => e.id));
  if (id !== undefined) fail(`example '${id}' is there twice`);
}

const firstRepeated = (names: readonly string[]): string | undefined => {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
};
