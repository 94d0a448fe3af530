/** @file Checked values out of config.json: each refusal names the file, the key, the value and what is accepted. */
import { EmosllmError } from "@emosllm/interfaces";

/** Values by key; a fallback stands in for a missing or null one. All throw EmosllmError `checkpoint_invalid`. */
export interface ConfigReader {
  /** A whole number >= 1. */
  readonly count: (key: string, fallback?: number) => number;
  readonly real: (key: string, fallback: number) => number;
  readonly name: (key: string, fallback?: string) => string;
  readonly flag: (key: string, fallback: boolean) => boolean;
  /** Whole numbers >= 1. */
  readonly counts: (key: string, fallback: readonly number[]) => readonly number[];
}

/** Reads `raw`, which came from `file`. */
export function configReader(raw: Readonly<Record<string, unknown>>, file = "config.json"): ConfigReader {
  const isCount = (v: unknown): v is number => typeof v === "number" && Number.isInteger(v) && v >= 1;
  const take =
    <T>(what: string, accepts: (value: unknown) => value is T) =>
    (key: string, fallback?: T): T => {
      const value = raw[key] ?? fallback;
      if (accepts(value)) return value;
      throw new EmosllmError("checkpoint_invalid", `${file}: ${key} must be ${what}, not ${JSON.stringify(value)}`);
    };
  return {
    count: take("a whole number >= 1", isCount),
    real: take("a number", (v) => typeof v === "number"),
    name: take("a name", (v) => typeof v === "string"),
    flag: take("true or false", (v) => typeof v === "boolean"),
    counts: take("a list of whole numbers >= 1", (v): v is readonly number[] => Array.isArray(v) && v.every(isCount)),
  };
}
