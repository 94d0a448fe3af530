/** @file What a setting accepts when it comes from JSON, where types do not guard it. */

/** A check, and words for what passes it. */
export interface Setting {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

/** A number from `least` to `most`. */
export const number = (least: number, most: number): Setting => ({
  expected: `a number from ${least} to ${most}`,
  accepts: (value) => typeof value === "number" && value >= least && value <= most,
});

/** A whole number from `least` to `most`. */
export const whole = (least: number, most: number): Setting => ({
  expected: `a whole number from ${least} to ${most}`,
  accepts: (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
});

/** One of the words. */
export const oneOf = (words: readonly string[]): Setting => ({
  expected: `one of ${words.join(", ")}`,
  accepts: (value) => words.includes(value as string),
});

/** `true` or `false`. */
export const flag: Setting = { expected: "true or false", accepts: (value) => typeof value === "boolean" };

/** What `setting` accepts, or `null`. */
export const orNull = (setting: Setting): Setting => ({
  expected: `${setting.expected}, or null`,
  accepts: (value) => value === null || setting.accepts(value),
});
