/** @file From sound without end to windows of speech: where somebody speaks, cut into overlapping stretches that a model can judge. */
import { createSpeechFrames, type SpeechFramesOptions } from "@emosllm/audio-features";
import { EmosllmError } from "@emosllm/interfaces";

/** Settings of {@link createSpeechWindows}; times in seconds. */
export interface SpeechWindowOptions extends SpeechFramesOptions {
  /** Length of a window (4). A shorter stretch of speech is one window. */
  readonly window?: number;
  /** From one window's start to the next one's (2). */
  readonly hop?: number;
  /** Shorter pauses belong to the speech around them (0.5). */
  readonly minPause?: number;
  /** Shorter stretches of speech are left out (0.25). */
  readonly minSpeech?: number;
  /** Added at each side of a stretch of speech (0.1). */
  readonly padding?: number;
}

/** A piece of speech to judge. */
export interface SpeechWindow {
  /** Number of the stretch of speech that it is of, from 0. */
  readonly region: number;
  /** Seconds from the beginning of the recording. */
  readonly start: number;
  readonly end: number;
  /** Mono, at the rate of the recording. */
  readonly samples: Float32Array;
}

/** See {@link createSpeechWindows}. */
export interface SpeechWindows {
  /** Takes the next samples (any number) and gives the windows that are complete. */
  push(block: Float32Array): SpeechWindow[];
  /** Gives the rest. */
  flush(): SpeechWindow[];
}

/**
 * Finds speech in a mono recording at `sampleRate` Hz that comes in blocks, and cuts each stretch of it into windows: one every `hop`
 * seconds, and a last one that ends where the speech ends, so that all of it is covered. Holds a few seconds of sound, whatever the
 * recording's length; a window comes `lookahead` (2) seconds after its end.
 * @throws EmosllmError `usage` for lengths that make no sense.
 */
export function createSpeechWindows(sampleRate: number, options: SpeechWindowOptions = {}): SpeechWindows {
  const { window = 4, hop = 2, minPause = 0.5, minSpeech = 0.25, padding = 0.1 } = options;
  if (!(window > 0 && hop > 0 && hop <= window))
    throw new EmosllmError("usage", `windows of ${window} s every ${hop} s: both must be positive, the hop no longer`);
  const frames = createSpeechFrames(sampleRate, options);
  let held: Float32Array = new Float32Array(0);
  let heldFrom = 0;
  let frame = 0;
  let regions = 0;
  /** The stretch of speech that goes on; `next` is where its next window begins, `covered` where its last one ended. */
  let open: { begin: number; spoken: number; start: number; next: number; covered: number } | undefined;
  let lastEnd = 0;

  const cut = (start: number, end: number): SpeechWindow => {
    const from = Math.round(start * sampleRate) - heldFrom;
    const to = Math.min(held.length, Math.round(end * sampleRate) - heldFrom);
    return { region: regions, start, end: (heldFrom + to) / sampleRate, samples: held.slice(from, to) };
  };
  const close = (): SpeechWindow[] => {
    const region = open;
    open = undefined;
    if (!region || region.spoken - region.begin < minSpeech) return [];
    const end = Math.min(region.spoken + padding, (heldFrom + held.length) / sampleRate);
    lastEnd = end;
    const rest = region.covered < end ? [cut(Math.max(region.start, end - window), end)] : [];
    regions++;
    return rest;
  };
  const decide = (decisions: Uint8Array): SpeechWindow[] => {
    const found: SpeechWindow[] = [];
    for (const speech of decisions) {
      const [begin, end] = [(frame + 0.75) / frames.rate, (frame + 1.75) / frames.rate];
      frame++;
      if (speech === 1) {
        if (!open) {
          const start = Math.max(lastEnd, begin - padding);
          open = { begin, spoken: end, start, next: start, covered: start };
        }
        open.spoken = end;
      } else if (open && begin - open.spoken >= minPause) {
        found.push(...close());
      }
      const region = open;
      if (!region) continue;
      for (; region.next + window <= region.spoken; region.next += hop) {
        region.covered = region.next + window;
        found.push(cut(region.next, region.covered));
      }
    }
    return found;
  };
  const forget = (): void => {
    // What the next window may still need: back to its start, a window's length before its end, or the padding before now.
    const keep = open ? Math.min(open.next, open.spoken + padding - window) : frame / frames.rate - padding;
    const drop = Math.min(held.length, Math.max(0, Math.floor((keep - 0.1) * sampleRate) - heldFrom));
    if (drop < sampleRate) return;
    held = held.slice(drop);
    heldFrom += drop;
  };

  return {
    push(block) {
      const joined = new Float32Array(held.length + block.length);
      joined.set(held);
      joined.set(block, held.length);
      held = joined;
      const found = decide(frames.push(block));
      forget();
      return found;
    },
    flush: () => [...decide(frames.flush()), ...close()],
  };
}
