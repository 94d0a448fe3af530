/** @file From many channels to one: a given one, the mean of all, or the centre, where film puts the dialogue. */
import { type ChannelChoice, EmosllmError } from "@emosllm/interfaces";
import { assertSound, frameCount, type Sound } from "./sound.ts";

/** Where WAV, FLAC and ffmpeg put the centre of a file of three channels or more (front left, front right, centre). */
const USUAL_CENTRE = 2;

/**
 * One channel of `sound`: by index, `downmix` (the mean of all), or `centre` (the file's own centre channel, else the third of
 * three, five or more; a file without one gives the mean of all, which in stereo is where a listener hears the centre).
 * @throws EmosllmError `usage` for an index that the sound does not have, `audio_empty` for a sound without channels.
 */
export function selectChannel(sound: Sound, choice: ChannelChoice): Float32Array {
  assertSound(sound);
  const { samples } = sound;
  const hasCentre = sound.centre !== undefined || samples.length === 3 || samples.length >= 5;
  if (choice === "downmix" || (choice === "centre" && !hasCentre)) return mean(sound);
  const index = choice === "centre" ? (sound.centre ?? USUAL_CENTRE) : choice;
  const channel = samples[index];
  if (!channel)
    throw new EmosllmError(
      "usage",
      `channel ${index} of a sound with ${samples.length} channels (0 to ${samples.length - 1})`,
    );
  return channel;
}

function mean(sound: Sound): Float32Array {
  const { samples } = sound;
  if (samples.length === 1) return samples[0]!;
  const out = new Float32Array(frameCount(sound));
  if (samples.length === 2) {
    const [left, right] = samples as [Float32Array, Float32Array];
    for (let i = 0; i < out.length; i++) out[i] = (left[i]! + right[i]!) / 2;
    return out;
  }
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (const channel of samples) sum += channel[i]!;
    out[i] = sum / samples.length;
  }
  return out;
}
