/**
 * @file Speech or not, frame by frame, of sound without end: the `energy` rule of `vad.ts` with its floor and peak measured over the
 * last half minute instead of the whole clip. Memory and time per frame do not depend on how long it goes on.
 */
import { EmosllmError } from "@emosllm/interfaces";

/** Settings of {@link createSpeechFrames}. */
export interface SpeechFramesOptions {
  /** dB above the noise floor that count as speech (7). */
  readonly threshold?: number;
  /** Seconds over which the floor and the peak are measured (30). */
  readonly history?: number;
  /** Seconds that a decision waits for, so that the floor is known at the beginning (2). */
  readonly lookahead?: number;
}

/** See {@link createSpeechFrames}. */
export interface SpeechFrames {
  /** Hz of the decisions: frame `t` is centred at `(t + 1.25) / rate` seconds. */
  readonly rate: number;
  /** Takes the next samples and gives the decisions that are due: 1 speech, 0 none. */
  push(block: Float32Array): Uint8Array;
  /** Gives the decisions that still waited. */
  flush(): Uint8Array;
}

const FRAME_SECONDS = 0.025;
const HOP_SECONDS = 0.01;
const NOISE_SHARE = 0.1;
const RANGE_DB = 45;
const SILENCE_DB = -90;
/** Levels are counted in bins of 0.1 dB from -120 dB up. */
const BINS_PER_DB = 10;
const LOWEST_DB = -120;
const BINS = 1400;

/**
 * A detector for one channel at `sampleRate` Hz. A clip no longer than `history` and `lookahead` gets the decisions of `detectSpeech`
 * (levels are rounded to 0.1 dB here).
 * @throws EmosllmError `usage` for a sample rate that is not positive.
 */
export function createSpeechFrames(
  sampleRate: number,
  { threshold = 7, history = 30, lookahead = 2 }: SpeechFramesOptions = {},
): SpeechFrames {
  if (!(sampleRate > 0)) throw new EmosllmError("usage", `sample rate ${sampleRate} Hz is not positive`);
  const size = Math.round(FRAME_SECONDS * sampleRate);
  const hop = Math.round(HOP_SECONDS * sampleRate);
  const wait = Math.max(1, Math.round(lookahead / HOP_SECONDS));
  const span = Math.max(wait + 1, Math.round(history / HOP_SECONDS));
  const ring = new Int16Array(span);
  const counts = new Int32Array(BINS);
  let held: Float32Array = new Float32Array(0);
  let measured = 0;
  let decided = 0;

  const measure = (samples: Float32Array, at: number): void => {
    let sum = 0;
    for (let i = at; i < at + size; i++) sum += samples[i]! * samples[i]!;
    const level = Math.max(LOWEST_DB, 10 * Math.log10(sum / size));
    const bin = Math.min(BINS - 1, Math.round((level - LOWEST_DB) * BINS_PER_DB));
    if (measured >= span) counts[ring[measured % span]!]!--;
    ring[measured % span] = bin;
    counts[bin]!++;
    measured++;
  };

  const decide = (): number => {
    const bin = ring[decided++ % span]!;
    const rank = Math.floor(NOISE_SHARE * (Math.min(measured, span) - 1));
    let floor = 0;
    for (let seen = counts[0]!; seen <= rank;) seen += counts[++floor]!;
    let peak = BINS - 1;
    while (counts[peak] === 0) peak--;
    const audible = Math.max((SILENCE_DB - LOWEST_DB) * BINS_PER_DB, peak - RANGE_DB * BINS_PER_DB);
    return bin > floor + threshold * BINS_PER_DB && bin > audible ? 1 : 0;
  };

  return {
    rate: sampleRate / hop,
    push(block) {
      const samples = new Float32Array(held.length + block.length);
      samples.set(held);
      samples.set(block, held.length);
      const due: number[] = [];
      let at = 0;
      for (; at + size <= samples.length; at += hop) {
        measure(samples, at);
        if (measured - decided > wait) due.push(decide());
      }
      held = samples.slice(at);
      return Uint8Array.from(due);
    },
    flush: () => Uint8Array.from({ length: measured - decided }, decide),
  };
}
