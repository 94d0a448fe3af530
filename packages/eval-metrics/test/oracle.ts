/** @file Reads the reference numbers of `tools/oracle/eval_metrics.py` and compares results with them. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect } from "vitest";

/** A file of the same maker with another seed can be checked in place of the committed one. */
const file = process.env["EMOSLLM_METRICS_ORACLE"] ?? new URL("./fixtures/oracle.json.gz", import.meta.url);
const topics = JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as Record<string, unknown[]>;

/** The cases of one topic. */
export function cases<T>(topic: string): T[] {
  const found = topics[topic];
  if (!found || found.length === 0) throw new Error(`the oracle file has no topic ${topic}`);
  return found as T[];
}

/** A number as the maker writes it. */
export type Stored = number | "nan" | "inf" | "-inf";

/** Stored form back to a number. */
export const stored = (value: Stored): number =>
  typeof value === "number" ? value : { nan: Number.NaN, inf: Infinity, "-inf": -Infinity }[value];

/**
 * Both sides compute in float64 but add in different orders; inputs have at most a few thousand terms near 1, so that 1e-10
 * leaves five digits for rounding and nothing for a different definition. Relative above 1.
 */
export function close(actual: number, expected: Stored, what: string): void {
  const e = stored(expected);
  if (Object.is(actual, e) || actual === e) return;
  const error = Math.abs(actual - e) / Math.max(1, Math.abs(e));
  if (!(error <= 1e-10)) expect.fail(`${what}: ${actual}, the reference says ${e} (error ${error})`);
}

/** {@link close} over lists of any depth. */
export function allClose(actual: readonly unknown[], expected: readonly unknown[], what: string): void {
  expect(actual.length, what).toBe(expected.length);
  expected.forEach((e, i) => {
    const a = actual[i];
    if (Array.isArray(e)) allClose(a as unknown[], e, `${what}[${i}]`);
    else if (e === null) expect(a, `${what}[${i}]`).toBeNull();
    else close(a as number, e as Stored, `${what}[${i}]`);
  });
}
