/** @file Sound in memory: what every decoder gives and everything after it takes. */
import { EmosllmError } from "@emosllm/interfaces";

/** Decoded sound, one array per channel, all of one length; full scale is -1 to 1 (float files may exceed it). */
export interface Sound {
  /** One array per channel, in the file's order. */
  readonly samples: Float32Array[];
  /** In Hz. */
  readonly sampleRate: number;
  /** Index of the centre channel, where the file says which it is. */
  readonly centre?: number;
}

/** The number of samples of each channel. */
export const frameCount = (sound: Sound): number => sound.samples[0]?.length ?? 0;

/** The length of `sound` in seconds. */
export const durationOf = (sound: Sound): number => frameCount(sound) / sound.sampleRate;

/** Throws `audio_empty` unless `sound` has at least one channel, all of one length, and a positive sample rate. */
export function assertSound(sound: Sound): void {
  const { samples, sampleRate } = sound;
  if (!(sampleRate > 0) || !Number.isFinite(sampleRate))
    throw new EmosllmError("audio_unsupported", `sample rate ${sampleRate} Hz is not a positive number`);
  if (samples.length === 0) throw new EmosllmError("audio_empty", "the sound has no channel");
  const frames = samples[0]!.length;
  const odd = samples.findIndex((channel) => channel.length !== frames);
  if (odd > 0)
    throw new EmosllmError(
      "audio_unsupported",
      `channel ${odd} has ${samples[odd]!.length} samples, channel 0 has ${frames}; all must be of one length`,
    );
}
