/** @file The features that can be cached by name. */
import { EmosllmError } from "@emosllm/interfaces";
import { f0Frames } from "../features/f0.ts";
import { kaldiFbank } from "../features/kaldi.ts";
import { librosaMel, librosaMfcc } from "../features/librosa.ts";
import { logMel } from "../features/log-mel.ts";
import { prosodyFrames } from "../features/prosody-frames.ts";
import type { CacheableFeature } from "./build.ts";

/** With each function's own defaults; the settings name what may differ elsewhere. */
const FEATURES: Readonly<Record<string, Omit<CacheableFeature, "kind">>> = {
  "whisper-log-mel": { settings: { melBins: 80, padSeconds: 30 }, compute: (x, rate) => logMel(x, rate) },
  "kaldi-fbank": { compute: (x, rate) => kaldiFbank(x, rate) },
  "librosa-mel": { compute: (x, rate) => librosaMel(x, rate) },
  "librosa-mfcc": { compute: (x, rate) => librosaMfcc(x, rate) },
  f0: { compute: (x, rate) => f0Frames(x, rate) },
  "prosody-frames": { compute: (x, rate) => prosodyFrames(x, rate) },
};

/** Names that {@link cacheableFeature} takes. */
export const CACHEABLE_FEATURES: readonly string[] = Object.keys(FEATURES);

/** The feature `kind` with its default settings. @throws EmosllmError `usage` listing the kinds there are. */
export function cacheableFeature(kind: string): CacheableFeature {
  const feature = Object.hasOwn(FEATURES, kind) ? FEATURES[kind] : undefined;
  if (!feature) throw new EmosllmError("usage", `feature '${kind}' is not one of ${CACHEABLE_FEATURES.join(", ")}`);
  return { kind, ...feature };
}
