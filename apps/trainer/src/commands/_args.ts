/** @file Arguments that several commands read alike. */
import type { FeatureSettings } from "@emosllm/audio-features";
import { EmosllmError } from "@emosllm/interfaces";

/** Settings as the command line gives them. */
export function parseSettings(text: string | undefined): FeatureSettings {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EmosllmError("usage", `--settings ${text}: not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new EmosllmError("usage", `--settings ${text}: expected an object, e.g. '{"numMelBins":80}'`);
  return value as FeatureSettings;
}

/** A number of at least `least`. Throws EmosllmError `usage`. */
export function numberArg(name: string, value: string, least: number): number {
  const n = Number(value);
  if (value.trim() === "" || !Number.isFinite(n) || n < least)
    throw new EmosllmError("usage", `--${name} ${value}: expected a number of at least ${least}`);
  return n;
}

/** A whole number of at least `least`. Throws EmosllmError `usage`. */
export function wholeArg(name: string, value: string, least: number): number {
  const n = Number(value);
  if (value.trim() === "" || !Number.isInteger(n) || n < least)
    throw new EmosllmError("usage", `--${name} ${value}: expected a whole number of at least ${least}`);
  return n;
}

/** One of the accepted words. Throws EmosllmError `usage` that lists them. */
export function oneOf<T extends string>(name: string, value: string, accepted: readonly T[]): T {
  if ((accepted as readonly string[]).includes(value)) return value as T;
  throw new EmosllmError("usage", `--${name} ${value}: expected one of ${accepted.join(", ")}`);
}

/** Names with commas between them. */
export const listArg = (value: string | undefined): string[] | undefined =>
  value === undefined
    ? undefined
    : value
        .split(",")
        .map((s) => s.trim())
        .filter(Boolean);
