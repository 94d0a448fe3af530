/** @file From a file, a part of one, or samples to what a bundle's model is given of it: frames, and the voice in words. */
import { loadSpeech } from "@emosllm/audio-features";
import { type AudioClip, type BundleManifest, EmosllmError } from "@emosllm/interfaces";
import type { BatchRow } from "./batch.ts";
import type { EncoderOptions } from "./encoder.ts";
import { type FrontEnd, normalisedFrames, openFrontEnd } from "./front-end.ts";
import { measureClip, voiceDescriber } from "./voice.ts";

/** A file (or part of one), or mono samples at the bundle's rate. */
export type Sound = string | AudioClip | Float32Array;

/** Something said. */
export interface Utterance {
  /** Left out: by the words alone. */
  readonly audio?: Sound;
  readonly transcript?: string | undefined;
  /** The voice in words, where the bundle's prompt has a place for it. Left out: said by the bundle's own bins, where it has some. */
  readonly voice?: string | undefined;
  /** Who speaks, for bins by gender or speaker. */
  readonly gender?: string | undefined;
  readonly speaker?: string | undefined;
}

/** An utterance as the model hears it. */
export interface Heard {
  readonly frames: BatchRow["frames"];
  readonly seconds: number;
  readonly transcript: string | undefined;
  readonly voice: string | undefined;
}

/** Below, a clip is too short for the front end to say anything. */
export const SHORTEST_SECONDS = 0.2;
/** Peak amplitude (full scale 1) below which a file counts as silent: -66 dB. */
const SILENT_PEAK = 0.0005;

/** The ears of a bundle. Dispose them. */
export interface Hearing {
  /** Throws EmosllmError `audio_*` for sound that cannot be judged, `usage` for an input with neither sound nor words. */
  hear(inputs: readonly Utterance[]): Promise<Heard[]>;
  dispose(): Promise<void>;
}

/** A speech encoder, where the bundle has one, is opened with the first sound. */
export function openHearing(manifest: BundleManifest, options: EncoderOptions = {}): Hearing {
  const describe = manifest.voice && voiceDescriber(manifest.voice);
  let opening: Promise<FrontEnd> | undefined;
  const frontEnd = (): Promise<FrontEnd> => {
    // A failure is not kept: the next sound tries again.
    opening ??= openFrontEnd(manifest.front_end, options).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    async hear(inputs) {
      const rate = manifest.front_end.sample_rate;
      const all = await Promise.all(inputs.map((input, i) => samplesOf(input, i, rate)));
      const sounds = all.flatMap((samples) => samples ?? []);
      const raw = sounds.length > 0 ? [...(await (await frontEnd()).frames(sounds))] : [];
      return inputs.map((input, i) => {
        const samples = all[i];
        const own = samples && raw.shift();
        return {
          frames: own && normalisedFrames(own, manifest.front_end),
          seconds: samples ? samples.length / rate : 0,
          transcript: input.transcript,
          voice: input.voice ?? (samples && describe?.(measureClip(samples, rate), speakerOf(input))),
        };
      });
    },
    async dispose() {
      await (await opening?.catch(() => undefined))?.dispose();
    },
  };
}

const speakerOf = ({ gender, speaker }: Utterance): { gender?: string; speaker?: string } => ({
  ...(gender === undefined ? {} : { gender }),
  ...(speaker === undefined ? {} : { speaker }),
});

async function samplesOf({ audio, transcript }: Utterance, i: number, rate: number): Promise<Float32Array | undefined> {
  if (audio === undefined) {
    if (transcript === undefined) throw new EmosllmError("usage", `Input ${i} has neither audio nor a transcript.`);
    return undefined;
  }
  const name = audio instanceof Float32Array ? `input ${i}` : typeof audio === "string" ? audio : audio.path;
  const samples = audio instanceof Float32Array ? audio : await loadSpeech(audio, { sampleRate: rate });
  const seconds = samples.length / rate;
  if (seconds < SHORTEST_SECONDS)
    throw new EmosllmError(
      "audio_empty",
      `${name}: ${seconds.toFixed(2)} s of audio; at least ${SHORTEST_SECONDS} s are needed`,
    );
  let peak = 0;
  for (const s of samples) peak = Math.max(peak, Math.abs(s));
  if (!(peak >= SILENT_PEAK))
    throw new EmosllmError(
      "audio_empty",
      `${name}: silent (peak ${(20 * Math.log10(peak || 1e-10)).toFixed(0)} dB of full scale); there is nothing to judge`,
    );
  return samples;
}
