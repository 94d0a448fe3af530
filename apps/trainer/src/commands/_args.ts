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
