/** @file The one error class of this package: a stable `code` to branch on, a message that names the value and what is accepted. */

/** Every code that {@link MetricsError} carries. */
export const METRICS_ERROR_CODES = [
  "empty_input",
  "length_mismatch",
  "label_unknown",
  "value_invalid",
  "undefined_metric",
] as const;

/** One of {@link METRICS_ERROR_CODES}. */
export type MetricsErrorCode = (typeof METRICS_ERROR_CODES)[number];

/** Input that has no answer: nothing to measure, lists of different lengths, an unknown label, an impossible number. */
export class MetricsError extends Error {
  override readonly name = "MetricsError";
  readonly code: MetricsErrorCode;

  constructor(code: MetricsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Throws unless both lists have the same, non-zero length. */
export function checkPairs(what: string, a: ArrayLike<unknown>, b: ArrayLike<unknown>): void {
  if (a.length !== b.length)
    throw new MetricsError("length_mismatch", `${what}: ${a.length} and ${b.length} values; the lists must pair up`);
  if (a.length === 0) throw new MetricsError("empty_input", `${what}: no values; at least one is needed`);
}

/** Throws unless `value` is an integer of at least `low`. */
export function checkCount(name: string, value: number, low: number): void {
  if (!Number.isInteger(value) || value < low)
    throw new MetricsError("value_invalid", `${name} is ${value}; it must be an integer of at least ${low}`);
}
