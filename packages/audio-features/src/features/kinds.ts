/** @file The features that can be asked for by name, with their settings. */
import { egemapsLld } from "./egemaps/descriptors.ts";
import { egemaps } from "./egemaps/functionals.ts";
import { f0Frames } from "./f0.ts";
import type { FeatureFrames } from "./feature-frames.ts";
import { kaldiFbank } from "./kaldi.ts";
import { librosaMel, librosaMfcc } from "./librosa.ts";
import { logMel } from "./log-mel.ts";
import { prosodyFrames } from "./prosody-frames.ts";
import type { Samples } from "./spectra.ts";

/** Settings by name, as JSON has them. */
export type FeatureSettings = Readonly<Record<string, unknown>>;

interface FeatureKindEntry {
  /** Names of the settings that it takes: those of its function's options. */
  readonly settings: readonly string[];
  readonly compute: (samples: Samples, sampleRate: number, settings: FeatureSettings) => FeatureFrames;
}

const MEL = ["nFft", "hopLength", "winLength", "window", "center", "power", "nMels", "fMin", "fMax", "htk", "norm"];

const KINDS: Readonly<Record<string, FeatureKindEntry>> = {
  waveform: {
    settings: [],
    compute: (x, rate) => ({
      data: Float32Array.from(x),
      frames: x.length,
      features: 1,
      names: ["sample"],
      startSeconds: 0,
      hopSeconds: 1 / rate,
    }),
  },
  "whisper-log-mel": { settings: ["melBins", "padSeconds"], compute: (x, rate, s) => logMel(x, rate, s) },
  "kaldi-fbank": {
    settings: [
      "frameLength",
      "frameShift",
      "numMelBins",
      "lowFreq",
      "highFreq",
      "preemphasisCoefficient",
      "removeDcOffset",
      "windowType",
      "blackmanCoeff",
      "roundToPowerOfTwo",
      "snipEdges",
      "usePower",
      "useLogFbank",
      "useEnergy",
      "rawEnergy",
      "energyFloor",
      "subtractMean",
    ],
    compute: (x, rate, s) => kaldiFbank(x, rate, s),
  },
  "librosa-mel": { settings: MEL, compute: (x, rate, s) => librosaMel(x, rate, s) },
  "librosa-mfcc": { settings: [...MEL, "nMfcc", "lifter", "topDb"], compute: (x, rate, s) => librosaMfcc(x, rate, s) },
  f0: {
    settings: [
      "fMin",
      "fMax",
      "hopSeconds",
      "voicingThreshold",
      "silenceThreshold",
      "octaveCost",
      "octaveJumpCost",
      "voicedUnvoicedCost",
    ],
    compute: (x, rate, s) => f0Frames(x, rate, s),
  },
  "prosody-frames": {
    settings: ["melBins", "hopSeconds", "fMin", "fMax", "deltas", "normalise"],
    compute: (x, rate, s) => prosodyFrames(x, rate, s),
  },
  "egemaps-lld": { settings: [], compute: (x, rate) => egemapsLld(x, rate) },
  egemaps: {
    settings: [],
    compute: (x, rate) => {
      const values = egemaps(x, rate);
      return {
        data: Float32Array.from(values.values()),
        frames: 1,
        features: values.size,
        names: [...values.keys()],
        startSeconds: x.length / rate / 2,
        hopSeconds: x.length / rate,
      };
    },
  },
};

/** Names that {@link extractFeatures} takes. */
export const FEATURE_KINDS: readonly string[] = Object.keys(KINDS);

/**
 * The feature `kind` of a mono clip: `[frames, features]`.
 * @throws RangeError for an unknown kind or setting (listing the known ones), and as the feature's own function.
 */
export function extractFeatures(
  kind: string,
  samples: Samples,
  sampleRate: number,
  settings: FeatureSettings = {},
): FeatureFrames {
  const entry = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (entry === undefined) throw new RangeError(`feature kind ${kind} is not one of ${FEATURE_KINDS.join(", ")}`);
  for (const name of Object.keys(settings))
    if (!entry.settings.includes(name))
      throw new RangeError(`${kind} has no setting ${name}; it has: ${entry.settings.join(", ") || "none"}`);
  return entry.compute(samples, sampleRate, settings);
}
