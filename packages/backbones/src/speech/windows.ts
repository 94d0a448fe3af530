/** @file Cuts a long clip into overlapping windows of one length, and says which frames of each are kept: a frame has context on both sides. */

/** Sizes that {@link planWindows} works with; all in frames but `hop` and `width`. */
export interface WindowSizes {
  /** Frames of a window. */
  readonly window: number;
  /** Frames at each inner end of a window that are dropped, because they lack context on that side. */
  readonly context: number;
  /** Samples from one frame to the next. */
  readonly hop: number;
  /** Samples that a frame sees. */
  readonly width: number;
}

/** One window of a clip. */
export interface SpeechWindow {
  /** Its samples: `[start, end)`. */
  readonly start: number;
  readonly end: number;
  /** The clip's frame that its frame 0 is. */
  readonly first: number;
  /** The clip's frames `[from, to)` are taken from it. */
  readonly from: number;
  readonly to: number;
}

/**
 * Windows over a clip of `frames` frames and `samples` samples. Windows start at whole frames, so that their frames are the clip's; all have
 * the same length (the last one starts earlier instead of being shorter). One window for a clip that fits.
 * @throws RangeError when the context leaves nothing of a window.
 */
export function planWindows(
  samples: number,
  frames: number,
  { window, context, hop, width }: WindowSizes,
): SpeechWindow[] {
  if (frames <= window) return [{ start: 0, end: samples, first: 0, from: 0, to: frames }];
  const kept = window - 2 * context;
  if (kept < 1)
    throw new RangeError(`windows of ${window} frames with ${context} frames of context on each side keep nothing`);
  const windows: SpeechWindow[] = [];
  for (let from = 0; from < frames;) {
    const first = Math.min(Math.max(0, from - context), frames - window);
    const to = first + window === frames ? frames : first + window - context;
    const end = Math.min(samples, (first + window - 1) * hop + width);
    windows.push({ start: first * hop, end, first, from, to });
    from = to;
  }
  return windows;
}
