/** @file Krippendorff's alpha: agreement of any number of raters with any ratings missing (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"). */
import { MetricsError } from "./errors.ts";

/** How far two values are apart: equal or not, by rank, by difference, by relative difference. */
export type MeasurementLevel = "nominal" | "ordinal" | "interval" | "ratio";

/** Options of {@link krippendorffAlpha}. */
export interface KrippendorffOptions<V> {
  /** Default `nominal`. `interval` and `ratio` need numbers. */
  level?: MeasurementLevel;
  /** The order of the values, for `ordinal` on names. Default: ascending. */
  order?: readonly V[];
}

/**
 * Krippendorff's alpha of `units[u][r]`, the value that rater `r` gave unit `u`; `null` or `undefined` is a missing rating.
 * 1 is perfect agreement, 0 what chance gives. Units with fewer than two ratings say nothing and are left out.
 *
 * @throws MetricsError `empty_input` without two ratings of one unit, `undefined_metric` when only one value was ever given
 */
export function krippendorffAlpha<V extends string | number>(
  units: readonly (readonly (V | null | undefined)[])[],
  { level = "nominal", order }: KrippendorffOptions<V> = {},
): number {
  const rated = units.map((u) => u.filter((v): v is V => v !== null && v !== undefined)).filter((u) => u.length > 1);
  if (rated.length === 0)
    throw new MetricsError("empty_input", "krippendorffAlpha: no unit has two ratings; nothing can agree or disagree");
  const values = order ? [...order] : [...new Set(rated.flat())].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const index = new Map(values.map((v, i) => [v, i]));
  const k = values.length;
  const coincidences = new Float64Array(k * k);
  const totals = new Float64Array(k);
  for (const [u, unit] of rated.entries()) {
    const places = unit.map((v) => {
      const i = index.get(v);
      if (i === undefined)
        throw new MetricsError("label_unknown", `krippendorffAlpha: rated unit ${u}: ${v} is not in the given order`);
      return i;
    });
    for (let a = 0; a < places.length; a++) {
      totals[places[a]!]! += 1;
      for (let b = 0; b < places.length; b++)
        if (a !== b) coincidences[places[a]! * k + places[b]!]! += 1 / (places.length - 1);
    }
  }
  const distance = distanceTable(values, totals, level);
  const n = totals.reduce((a, b) => a + b, 0);
  let observed = 0;
  let expected = 0;
  for (let i = 0; i < k; i++)
    for (let j = 0; j < k; j++) {
      observed += coincidences[i * k + j]! * distance[i * k + j]!;
      expected += totals[i]! * totals[j]! * distance[i * k + j]!;
    }
  if (expected === 0)
    throw new MetricsError(
      "undefined_metric",
      `krippendorffAlpha: every rating is ${rated[0]![0]}; alpha is undefined`,
    );
  return 1 - ((n - 1) * observed) / expected;
}

/** Squared distances between all values. `[K * K]` */
function distanceTable(
  values: readonly (string | number)[],
  totals: Float64Array,
  level: MeasurementLevel,
): Float64Array {
  const k = values.length;
  const number = (i: number): number => {
    const v = values[i];
    if (typeof v !== "number" || !Number.isFinite(v))
      throw new MetricsError(
        "value_invalid",
        `krippendorffAlpha: level ${level} needs finite numbers, not ${String(v)}`,
      );
    return v;
  };
  const rules: { readonly [L in MeasurementLevel]: (i: number, j: number) => number } = {
    nominal: (i, j) => (i === j ? 0 : 1),
    ordinal: (i, j) => {
      let between = -(totals[i]! + totals[j]!) / 2;
      for (let g = Math.min(i, j); g <= Math.max(i, j); g++) between += totals[g]!;
      return between ** 2;
    },
    interval: (i, j) => (number(i) - number(j)) ** 2,
    ratio: (i, j) => (number(i) + number(j) === 0 ? 0 : ((number(i) - number(j)) / (number(i) + number(j))) ** 2),
  };
  const rule = rules[level];
  if (!rule) throw new MetricsError("value_invalid", `level "${level}" is not one of ${Object.keys(rules).join(", ")}`);
  const table = new Float64Array(k * k);
  for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) table[i * k + j] = i === j ? 0 : rule(i, j);
  return table;
}
