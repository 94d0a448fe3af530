/** @file From samples to the frames that the projector reads, by the settings of a bundle. */
import { normaliseColumns, prosodyFrames } from "@emosllm/audio-features";
import { EmosllmError, type FrontEndManifest } from "@emosllm/interfaces";
import type { Frames } from "./batch.ts";

/** Raw frames of one clip, before they are normalised. */
export interface RawFrames {
  readonly data: Float32Array;
  readonly frames: number;
  readonly features: number;
}

type Settings = FrontEndManifest["settings"];
type FrontEnd = (samples: Float32Array, sampleRate: number, settings: Settings) => RawFrames;

/** Kinds that need no weights. */
const FRONT_ENDS: Readonly<Record<string, FrontEnd>> = {
  /** `mel_bins`, `hop_seconds`: log-mel bands, pitch, voicing and loudness with their slopes */
  prosody: (samples, sampleRate, settings) =>
    prosodyFrames(samples, sampleRate, {
      melBins: Number(settings["mel_bins"]),
      hopSeconds: Number(settings["hop_seconds"]),
    }),
};

/** Frames as they are computed. Throws EmosllmError `not_supported` for an unknown kind. */
export function rawFrames(
  samples: Float32Array,
  { kind, sample_rate, settings }: Pick<FrontEndManifest, "kind" | "sample_rate" | "settings">,
): RawFrames {
  const frontEnd = FRONT_ENDS[kind];
  if (!frontEnd)
    throw new EmosllmError(
      "not_supported",
      `front_end.kind '${kind}' is not one of ${Object.keys(FRONT_ENDS).join(", ")}`,
    );
  return frontEnd(samples, sample_rate, settings);
}

/** Frames with the bundle's mean and deviation taken out, in place. */
export function normalisedFrames(raw: RawFrames, { mean, std }: Pick<FrontEndManifest, "mean" | "std">): Frames {
  normaliseColumns(raw.data, raw.features, { mean, std });
  return { data: raw.data, length: raw.frames };
}
