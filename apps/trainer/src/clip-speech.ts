/** @file A clip as mono speech, wherever its bytes lie: a file, an archive, a table's cell. */
import { loadSpeech } from "@emosllm/audio-features";
import { readClipBytes } from "@emosllm/datasets";
import type { AudioClip, Utterance } from "@emosllm/interfaces";

/** Samples at `sampleRate` Hz. `name`: what messages call the clip where it is no file of its own. Throws EmosllmError `audio_*`. */
export async function clipSpeech(clip: AudioClip, name: string, sampleRate: number): Promise<Float32Array> {
  if (clip.container === undefined) return loadSpeech(clip, { sampleRate });
  const { start, end, channel } = clip;
  const range = {
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(channel === undefined ? {} : { channel }),
  };
  return loadSpeech(await readClipBytes(clip), { sampleRate, name, ...range });
}

/** An utterance's clip; messages name file and utterance. */
export const utteranceSpeech = (
  { audio, id }: Pick<Utterance, "audio" | "id">,
  sampleRate: number,
): Promise<Float32Array> => clipSpeech(audio, `${audio.path} (${id})`, sampleRate);
