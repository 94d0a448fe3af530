/** @file Leaves out what cannot be heard: a filter over utterances that opens each clip's header. */
import type { Utterance } from "@emosllm/interfaces";
import { probeClip } from "./probe.ts";
import { type OnProblem, problem } from "./problems.ts";
import { knownSeconds } from "./split.ts";

export interface CheckAudioOptions {
  onProblem?: OnProblem;
  /** Seconds; outside of these a clip is left out. Defaults 0.15 and 40. */
  shortest?: number;
  longest?: number;
}

/** The utterances whose clips are there, whole, and of a usable length; the others are reported. */
export async function* checkAudio(
  utterances: AsyncIterable<Utterance> | Iterable<Utterance>,
  options: CheckAudioOptions = {},
): AsyncGenerator<Utterance> {
  const { onProblem, shortest = 0.15, longest = 40 } = options;
  for await (const u of utterances) {
    const at = { id: u.id, path: u.audio.path };
    const probe = await probeClip(u.audio);
    if ("code" in probe) {
      onProblem?.(problem(probe.code, probe.message, at));
      continue;
    }
    const { start = 0, end } = u.audio;
    const whole = probe.header?.seconds;
    const seconds = whole === undefined ? knownSeconds(u) : Math.min(end ?? whole, whole) - start;
    if (seconds !== undefined && seconds < shortest)
      onProblem?.(problem("audio_too_short", `${seconds.toFixed(3)} s, less than ${shortest} s`, at));
    else if (seconds !== undefined && seconds > longest)
      onProblem?.(problem("audio_too_long", `${seconds.toFixed(2)} s, more than ${longest} s`, at));
    else yield u;
  }
}
