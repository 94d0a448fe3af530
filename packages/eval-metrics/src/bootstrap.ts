/**
 * @file Bootstrap intervals of anything that is a function of sums.
 *
 * The bootstrap draws N units (rows, or whole clusters such as speakers) with replacement. Nearly every metric only needs
 * sums over the drawn units (a confusion matrix, errors and words, bin counts), so a resample is a vector of how often each
 * unit was drawn. Units that are alike (all rows of one confusion cell) are drawn together: N draws with replacement put
 * Multinomial(N; shares) rows into the cells, which is sampled directly, one binomial per cell. This is the same
 * distribution as drawing rows one by one, not an approximation, and costs the same for a thousand rows or a million.
 */
import { checkCount, MetricsError } from "./errors.ts";
import { type Interval, type IntervalMethod, intervalOf } from "./intervals.ts";
import { binomial, type Random, randomStream } from "./random.ts";

/** Units to draw, and how a unit adds to the sums that the statistics read. */
export interface Additive {
  /** Number of different units. */
  readonly units: number;
  /** How many units are like unit i; default 1 each. `[units]` */
  readonly multiplicity?: ArrayLike<number> | undefined;
  /** Length of the vector of sums. */
  readonly size: number;
  /** Adds `times` (may be negative) copies of a unit to the sums. */
  add(sums: Float64Array, unit: number, times: number): void;
}

/** Options of every bootstrap. */
export interface BootstrapOptions {
  /** Resamples; default 1000. */
  rounds?: number | undefined;
  /** Any integer; default 0. The same seed gives the same interval on every machine. */
  seed?: number | undefined;
  /** Default 0.95. */
  level?: number | undefined;
  /** Default `percentile`. */
  method?: IntervalMethod | undefined;
}

/** Statistics of the data and of every resample. */
export interface Resamples<Name extends string> {
  readonly estimates: Readonly<Record<Name, number>>;
  /** In drawing order; all statistics of a round come from the same resample. `[rounds]` each */
  readonly distributions: Readonly<Record<Name, Float64Array>>;
}

/**
 * Draws resamples and computes every statistic on each.
 *
 * @param statistics reads the sums, gives named numbers; `NaN` where a statistic does not exist
 * @throws MetricsError `empty_input` without units, `value_invalid` for a bad option
 */
export function resample<Name extends string>(
  data: Additive,
  statistics: (sums: Float64Array) => Readonly<Record<Name, number>>,
  { rounds = 1000, seed = 0 }: Pick<BootstrapOptions, "rounds" | "seed"> = {},
): Resamples<Name> {
  checkCount("rounds", rounds, 1);
  checkCount("seed", seed, Number.MIN_SAFE_INTEGER);
  const total = countUnits(data);
  const estimates = statistics(wholeSum(data));
  const names = Object.keys(estimates) as Name[];
  const distributions = recordOf(names, () => new Float64Array(rounds));
  const random = randomStream(seed);
  const drawn = new Float64Array(data.units);
  for (let round = 0; round < rounds; round++) {
    draw(random, data, total, drawn);
    const values = statistics(sumOf(data, (unit) => drawn[unit]!));
    for (const name of names) distributions[name][round] = values[name];
  }
  return { estimates, distributions };
}

/** An interval for each statistic, all from the same resamples; see {@link resample}. */
export function bootstrap<Name extends string>(
  data: Additive,
  statistics: (sums: Float64Array) => Readonly<Record<Name, number>>,
  options: BootstrapOptions = {},
): Record<Name, Interval> {
  const { estimates, distributions } = resample(data, statistics, options);
  const names = Object.keys(estimates) as Name[];
  const left = options.method === "bca" && countUnits(data) > 1 ? leaveOneOut(data, names, statistics) : undefined;
  return recordOf(names, (name) =>
    intervalOf(distributions[name], estimates[name], {
      level: options.level,
      method: left ? "bca" : options.method === "bca" ? "percentile" : options.method,
      jackknife: left && { values: left[name], multiplicity: data.multiplicity },
    }),
  );
}

/** A record with one value per name. */
export const recordOf = <Name extends string, T>(names: readonly Name[], of: (name: Name) => T): Record<Name, T> =>
  Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, T>;

const wholeSum = (data: Additive): Float64Array => sumOf(data, (unit) => data.multiplicity?.[unit] ?? 1);

function countUnits({ units, multiplicity }: Additive): number {
  let total = 0;
  for (let unit = 0; unit < units; unit++) {
    const m = multiplicity?.[unit] ?? 1;
    checkCount(`multiplicity of unit ${unit}`, m, 0);
    total += m;
  }
  if (total === 0) throw new MetricsError("empty_input", "bootstrap: no units to draw from; at least one is needed");
  return total;
}

function sumOf(data: Additive, times: (unit: number) => number): Float64Array {
  const sums = new Float64Array(data.size);
  for (let unit = 0; unit < data.units; unit++) {
    const n = times(unit);
    if (n !== 0) data.add(sums, unit, n);
  }
  return sums;
}

/** How often each unit occurs among `total` draws with replacement. */
function draw(random: Random, { units, multiplicity }: Additive, total: number, drawn: Float64Array): void {
  if (!multiplicity) {
    drawn.fill(0);
    for (let i = 0; i < total; i++) drawn[random.below(total)]!++;
    return;
  }
  // A multinomial as a chain of binomials: each unit's share of what is left.
  let draws = total;
  let rows = total;
  for (let unit = 0; unit < units; unit++) {
    const m = multiplicity[unit]!;
    const n = m === rows ? draws : binomial(random, draws, m / rows);
    drawn[unit] = n;
    draws -= n;
    rows -= m;
  }
}

/** Each statistic with one unit left out, for every kind of unit. */
function leaveOneOut<Name extends string>(
  data: Additive,
  names: readonly Name[],
  statistics: (sums: Float64Array) => Readonly<Record<Name, number>>,
): Record<Name, Float64Array> {
  const whole = wholeSum(data);
  const left = recordOf(names, () => new Float64Array(data.units));
  for (let unit = 0; unit < data.units; unit++) {
    if (data.multiplicity?.[unit] === 0) continue;
    const sums = whole.slice();
    data.add(sums, unit, -1);
    const values = statistics(sums);
    for (const name of names) left[name][unit] = values[name];
  }
  return left;
}

/**
 * Intervals of statistics that need the rows themselves (AUROC, risk-coverage). `statistic` gets row numbers, repeated as drawn.
 * With `clusters` (one key per row, e.g. the speaker), whole clusters are drawn. Cost: rounds times rows; percentile only.
 */
export function bootstrapRows<Name extends string>(
  rows: number | readonly string[],
  statistics: (rows: Uint32Array) => Readonly<Record<Name, number>>,
  { rounds = 1000, seed = 0, level = 0.95 }: Omit<BootstrapOptions, "method"> = {},
): Record<Name, Interval> {
  checkCount("rounds", rounds, 1);
  const groups = typeof rows === "number" ? undefined : groupRows(rows);
  const n = typeof rows === "number" ? rows : rows.length;
  checkCount("rows", n, 1);
  const estimates = statistics(Uint32Array.from({ length: n }, (_, i) => i));
  const names = Object.keys(estimates) as Name[];
  const distributions = recordOf(names, () => new Float64Array(rounds));
  const random = randomStream(seed);
  for (let round = 0; round < rounds; round++) {
    const sample = groups
      ? Uint32Array.from(groups.flatMap(() => groups[random.below(groups.length)]!))
      : Uint32Array.from({ length: n }, () => random.below(n));
    const values = statistics(sample);
    for (const name of names) distributions[name][round] = values[name];
  }
  return recordOf(names, (name) => intervalOf(distributions[name], estimates[name], { level }));
}

/** Row numbers by key, in order of first occurrence. */
export function groupRows(keys: readonly string[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [row, key] of keys.entries()) {
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups.values()];
}
