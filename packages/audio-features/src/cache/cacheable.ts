/** @file The features that can be cached by name: those that `extractFeatures` knows. */
import { EmosllmError } from "@emosllm/interfaces";
import { extractFeatures, FEATURE_KINDS, type FeatureSettings } from "../features/kinds.ts";
import type { CacheableFeature } from "./build.ts";
import type { Json } from "./key.ts";

/** Kinds that give one row for the whole clip, whose middle and length are its times. */
const CLIP_LEVEL: readonly string[] = ["egemaps"];

/**
 * The feature `kind` with `settings`, for {@link buildFeatures}.
 * @throws EmosllmError `usage` listing the kinds, or the kind's settings, that there are.
 */
export function cacheableFeature(kind: string, settings: FeatureSettings = {}): CacheableFeature {
  if (!FEATURE_KINDS.includes(kind))
    throw new EmosllmError("usage", `feature '${kind}' is not one of ${FEATURE_KINDS.join(", ")}`);
  try {
    // A wrong setting is found now, not clip by clip.
    const probe = Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i / 10));
    extractFeatures(kind, probe, 16_000, settings);
  } catch (cause) {
    throw new EmosllmError("usage", `${kind}: ${(cause as Error).message}`, { cause });
  }
  return {
    kind,
    settings: settings as { readonly [key: string]: Json | undefined },
    perClipTimes: CLIP_LEVEL.includes(kind),
    compute: (samples, sampleRate) => extractFeatures(kind, samples, sampleRate, settings),
  };
}
