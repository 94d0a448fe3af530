/** @file From samples to the frames that the projector reads, by the settings of a bundle. */
import { type CacheableFeature, encoderFeature, normaliseColumns, prosodyFrames } from "@emosllm/audio-features";
import { EmosllmError, type FrontEndManifest } from "@emosllm/interfaces";
import type { Frames } from "./batch.ts";
import { type EncoderOptions, encoderOf } from "./encoder.ts";

/** Raw frames of one clip, before they are normalised. */
export interface RawFrames {
  readonly data: Float32Array;
  readonly frames: number;
  readonly features: number;
}

/** All of a front end's manifest but the statistics of the training split. */
export type FrontEndSettings = Omit<FrontEndManifest, "mean" | "std">;

/** Clips to raw frames. Dispose it. */
export interface FrontEnd {
  readonly settings: FrontEndSettings;
  /** For front ends that are worth a cache. */
  readonly cacheable: CacheableFeature | undefined;
  /** Mono clips at `settings.sample_rate`, full scale 1. Throws EmosllmError `audio_*` for a clip that gives no frame. */
  frames(clips: readonly Float32Array[]): Promise<readonly RawFrames[]>;
  dispose(): Promise<void>;
}

type Opener = (settings: FrontEndSettings, options: EncoderOptions) => Promise<FrontEnd>;

const FRONT_ENDS: Readonly<Record<string, Opener>> = {
  /** Sound as it is, a sample a frame: for a speech encoder with an adapter, which is a part of the model. */
  waveform: async (settings) => ({
    settings,
    cacheable: undefined,
    frames: async (clips) => clips.map((clip) => ({ data: Float32Array.from(clip), frames: clip.length, features: 1 })),
    dispose: async () => {},
  }),
  /** Needs no weights. `mel_bins`, `hop_seconds`: log-mel bands, pitch, voicing and loudness with their slopes */
  prosody: async (settings) => {
    const [melBins, hopSeconds] = [Number(settings.settings["mel_bins"]), Number(settings.settings["hop_seconds"])];
    return {
      settings,
      cacheable: undefined,
      frames: async (clips) => clips.map((clip) => prosodyFrames(clip, settings.sample_rate, { melBins, hopSeconds })),
      dispose: async () => {},
    };
  },
  /** A speech encoder's hidden states, one every `hop_seconds`. `window_seconds`, `context_seconds`: how long clips are cut. */
  encoder: async (settings, options) => {
    const encoder = await encoderOf(settings, options);
    return {
      settings,
      cacheable: encoderFeature({ ...encoder, settings: encoder.cacheSettings }),
      frames: (clips) => encoder.encode(clips),
      dispose: () => encoder.dispose(),
    };
  },
};

/**
 * Opens a front end; an encoder's weights are found by name as `resolveModel` finds them. Throws EmosllmError `not_supported` for an unknown
 * kind, `bundle_invalid` for another encoder than the bundle was trained with, `checkpoint_*`.
 */
export async function openFrontEnd(settings: FrontEndSettings, options: EncoderOptions = {}): Promise<FrontEnd> {
  const opener = Object.hasOwn(FRONT_ENDS, settings.kind) ? FRONT_ENDS[settings.kind] : undefined;
  if (!opener)
    throw new EmosllmError(
      "not_supported",
      `front_end.kind '${settings.kind}' is not one of ${Object.keys(FRONT_ENDS).join(", ")}`,
    );
  return opener(settings, options);
}

/** Frames with the bundle's mean and deviation taken out, in place. */
export function normalisedFrames(raw: RawFrames, { mean, std }: Pick<FrontEndManifest, "mean" | "std">): Frames {
  normaliseColumns(raw.data, raw.features, { mean, std });
  return { data: raw.data, length: raw.frames };
}
