/** @file A range of time in seconds as a range of frames. */
import { EmosllmError } from "@emosllm/interfaces";

/** Seconds from the beginning of the file; the whole file by default. */
export interface TimeRange {
  readonly start?: number;
  readonly end?: number;
}

/** Throws `usage` unless 0 <= start < end. */
export function assertRange(source: { readonly name: string }, { start = 0, end = Infinity }: TimeRange): void {
  if (!(start >= 0) || !(end > start))
    throw new EmosllmError("usage", `${source.name}: the range ${start} s to ${end} s is empty or negative`);
}

/**
 * First and one past last frame of `range`, each rounded to the nearest; an end beyond the file means the file's end.
 * @throws EmosllmError `audio_empty` when no frame lies in the range.
 */
export function frameRange(
  source: { readonly name: string },
  range: TimeRange,
  frames: number,
  sampleRate: number,
): [from: number, to: number] {
  const from = Math.round((range.start ?? 0) * sampleRate);
  const to = Math.min(frames, Math.round((range.end ?? Infinity) * sampleRate));
  if (frames === 0) throw new EmosllmError("audio_empty", `${source.name}: holds no samples`);
  if (from >= to) {
    const wanted = `${range.start ?? 0} s to ${range.end ?? "its end"}`;
    throw new EmosllmError(
      "audio_empty",
      `${source.name}: no sample from ${wanted} (it lasts ${frames / sampleRate} s)`,
    );
  }
  return [from, to];
}
