/** @file Whisper's log-mel of sound that arrives in blocks: the bits of {@link logMel} over all of it. */
import type { FeatureFrames } from "./feature-frames.ts";
import {
  FFT,
  HOP,
  assertWhisperRate,
  finished,
  frameTimes,
  paddedLength,
  rowSettings,
  soundingFrames,
  type LogMelOptions,
} from "./log-mel.ts";
import { logMelRows } from "./mel-rows.ts";
import { assertSamples, type Samples } from "./spectra.ts";

/** Takes blocks of any size. */
export interface LogMelStream {
  /**
   * The frames that the block completes, or `undefined` for none: log10 of the mel energies, at least -10. Whisper's floor and
   * scale depend on the loudest frame of the whole clip, so they come with `finish`.
   */
  push(block: Samples): FeatureFrames | undefined;
  /** What {@link logMel} gives for all the blocks joined. The stream is spent. */
  finish(): FeatureFrames;
  /** Frames given so far. */
  readonly frames: number;
}

/**
 * A stream of log-mel frames of mono sound at 16 kHz; it holds the frames, not the sound. With `padSeconds` (default 30) later
 * samples are dropped, and `finish` appends zeros, as {@link logMel} does.
 * @throws RangeError as {@link logMel}: another sample rate at once, samples that are not finite from `push`, none at all from `finish`.
 */
export function streamLogMel(sampleRate: number = 16000, options: LogMelOptions = {}): LogMelStream {
  const { melBins = 80, padSeconds = 30 } = options;
  assertWhisperRate(sampleRate);
  const settings = rowSettings(melBins);
  const parts: Float32Array[] = [];
  // the samples that frames to come need, from sample `restFrom` on
  let rest = new Float32Array(0);
  let restFrom = 0;
  let taken = 0;
  let frames = 0;
  let loudest = -Infinity;

  /** Rows `frames` to before `end`, whose samples `rest` holds, or mirrors at its ends. */
  const rows = (end: number): Float32Array => {
    const out = new Float32Array(Math.max(0, end - frames) * melBins);
    const offset = settings.offset + frames * HOP - restFrom;
    if (out.length > 0) loudest = Math.max(loudest, logMelRows(rest, end - frames, { ...settings, offset }, out));
    frames = Math.max(frames, end);
    return out;
  };
  const append = (block: Samples): void => {
    const joined = new Float32Array(rest.length + block.length);
    joined.set(rest);
    joined.set(block, rest.length);
    rest = joined;
  };

  return {
    get frames() {
      return frames;
    },
    push(block) {
      if (block.length === 0) return undefined;
      assertSamples(block, sampleRate);
      const room = padSeconds === null ? Infinity : paddedLength(taken, padSeconds) - taken;
      append(block.subarray(0, Math.max(0, Math.min(block.length, room))));
      taken = restFrom + rest.length;
      const first = frames;
      // frame t ends before sample t * HOP + FFT / 2; one sample more is its mirror at the beginning
      const complete = Math.floor((taken - FFT / 2 - 1) / HOP) + 1;
      if (complete <= first) return undefined;
      const data = rows(complete);
      parts.push(data);
      // the end of the clip mirrors half a frame
      const keepFrom = Math.max(0, Math.min(frames * HOP - FFT / 2, taken - FFT));
      rest = rest.slice(keepFrom - restFrom);
      restFrom = keepFrom;
      return { data: data.slice(), ...frameTimes(complete - first, melBins, first) };
    },
    finish() {
      if (taken === 0) throw new RangeError("the clip has no samples");
      const length = paddedLength(taken, padSeconds);
      if (length > taken) append(new Float32Array(Math.min(length - taken, 2 * FFT)));
      const all = Math.floor(length / HOP);
      parts.push(rows(soundingFrames(taken, length)));
      const data = new Float32Array(all * melBins);
      let at = 0;
      for (const part of parts) {
        data.set(part.subarray(0, data.length - at), at);
        at += part.length;
      }
      return finished(data, melBins, loudest, taken, length);
    },
  };
}
