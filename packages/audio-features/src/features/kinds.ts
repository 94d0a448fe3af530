/** @file The features that can be asked for by name, with their settings. */
import { egemapsLld } from "./egemaps/descriptors.ts";
import { egemaps } from "./egemaps/functionals.ts";
import { f0Frames } from "./f0.ts";
import type { FeatureFrames } from "./feature-frames.ts";
import { kaldiFbank } from "./kaldi.ts";
import { librosaMel, librosaMfcc } from "./librosa.ts";
import { logMel } from "./log-mel.ts";
import { prosodyFrames } from "./prosody-frames.ts";
import { flag, number, oneOf, orNull, type Setting, whole } from "../setting.ts";
import type { Samples } from "./spectra.ts";
import { WINDOWS } from "./window.ts";

/** Settings by name, as JSON has them. */
export type FeatureSettings = Readonly<Record<string, unknown>>;

interface FeatureKindEntry {
  /** What each setting accepts: those of its function's options. */
  readonly settings: Readonly<Record<string, Setting>>;
  readonly compute: (samples: Samples, sampleRate: number, settings: FeatureSettings) => FeatureFrames;
}

const MEL: Readonly<Record<string, Setting>> = {
  nFft: whole(2, 1 << 20),
  hopLength: whole(1, 1 << 20),
  winLength: whole(1, 1 << 20),
  window: oneOf(WINDOWS),
  center: flag,
  power: number(0.01, 10),
  nMels: whole(1, 4096),
  fMin: number(0, 400_000),
  fMax: number(0, 400_000),
  htk: flag,
  norm: oneOf(["slaney", "none"]),
};

const KINDS: Readonly<Record<string, FeatureKindEntry>> = {
  waveform: {
    settings: {},
    compute: (x, rate) => ({
      data: Float32Array.from(x),
      frames: x.length,
      features: 1,
      names: ["sample"],
      startSeconds: 0,
      hopSeconds: 1 / rate,
    }),
  },
  "whisper-log-mel": {
    settings: { melBins: whole(1, 4096), padSeconds: orNull(number(0.01, 86_400)) },
    compute: (x, rate, s) => logMel(x, rate, s),
  },
  "kaldi-fbank": {
    settings: {
      frameLength: number(0.1, 10_000),
      frameShift: number(0.1, 10_000),
      numMelBins: whole(1, 4096),
      lowFreq: number(0, 400_000),
      highFreq: number(-400_000, 400_000),
      preemphasisCoefficient: number(0, 1),
      removeDcOffset: flag,
      windowType: oneOf(["hanning", ...WINDOWS.filter((name) => name !== "gauss")]),
      blackmanCoeff: number(0, 1),
      roundToPowerOfTwo: flag,
      snipEdges: flag,
      usePower: flag,
      useLogFbank: flag,
      useEnergy: flag,
      rawEnergy: flag,
      energyFloor: number(0, 1e300),
      subtractMean: flag,
    },
    compute: (x, rate, s) => kaldiFbank(x, rate, s),
  },
  "librosa-mel": { settings: MEL, compute: (x, rate, s) => librosaMel(x, rate, s) },
  "librosa-mfcc": {
    settings: { ...MEL, nMfcc: whole(1, 4096), lifter: number(0, 1e6), topDb: orNull(number(0, 1e6)) },
    compute: (x, rate, s) => librosaMfcc(x, rate, s),
  },
  f0: {
    settings: {
      fMin: number(1, 400_000),
      fMax: number(1, 400_000),
      hopSeconds: number(1e-4, 10),
      voicingThreshold: number(0, 1),
      silenceThreshold: number(0, 1),
      octaveCost: number(0, 10),
      octaveJumpCost: number(0, 10),
      voicedUnvoicedCost: number(0, 10),
    },
    compute: (x, rate, s) => f0Frames(x, rate, s),
  },
  "prosody-frames": {
    settings: {
      melBins: whole(1, 4096),
      hopSeconds: number(1e-4, 10),
      fMin: number(1, 400_000),
      fMax: number(1, 400_000),
      deltas: flag,
      normalise: {
        expected: "none, clip, or an object of statistics",
        accepts: (value) => value === "none" || value === "clip" || (typeof value === "object" && value !== null),
      },
    },
    compute: (x, rate, s) => prosodyFrames(x, rate, s),
  },
  "egemaps-lld": { settings: {}, compute: (x, rate) => egemapsLld(x, rate) },
  egemaps: {
    settings: {},
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
 * Throws RangeError for an unknown kind, an unknown setting (listing the known ones), or a value that a setting does not take.
 */
export function assertFeatureSettings(kind: string, settings: FeatureSettings): void {
  for (const [name, value] of Object.entries(settings)) {
    const known = entryOf(kind).settings;
    const setting = Object.hasOwn(known, name) ? known[name] : undefined;
    if (setting === undefined)
      throw new RangeError(`${kind} has no setting ${name}; it has: ${Object.keys(known).join(", ") || "none"}`);
    if (!setting.accepts(value))
      throw new RangeError(`${name} of ${kind} is ${JSON.stringify(value)}, expected ${setting.expected}`);
  }
}

function entryOf(kind: string): FeatureKindEntry {
  const entry = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (entry === undefined) throw new RangeError(`feature kind ${kind} is not one of ${FEATURE_KINDS.join(", ")}`);
  return entry;
}

/**
 * The feature `kind` of a mono clip: `[frames, features]`.
 * @throws RangeError as {@link assertFeatureSettings}, and as the feature's own function.
 */
export function extractFeatures(
  kind: string,
  samples: Samples,
  sampleRate: number,
  settings: FeatureSettings = {},
): FeatureFrames {
  const { compute } = entryOf(kind);
  assertFeatureSettings(kind, settings);
  return compute(samples, sampleRate, settings);
}
