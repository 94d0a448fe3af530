/** @file Gathers what a streaming decoder gives, keeping only the wanted range, within the wanted memory. */
import { frameRange, type TimeRange } from "./range.ts";
import type { Sound } from "./sound.ts";
import { decodeError } from "./source.ts";

/** Settings of {@link collectBlocks}. */
export interface CollectOptions extends TimeRange {
  readonly sampleRate: number;
  readonly channels: number;
  readonly maxSamples: number;
  /** Frames of decoder delay at the beginning that are no sound. */
  readonly skip?: number;
}

/** See {@link collectBlocks}. */
export interface BlockCollector {
  /** Takes one array per channel; they are kept. */
  add(block: readonly Float32Array[]): void;
  /** The stream ends at frame `end` (delay counted), whatever was added. */
  endAt(end: number): void;
  /** Whether everything up to the end of the range has come. */
  complete(): boolean;
  /** Seconds decoded so far, for messages. */
  time(): number;
  /** @throws EmosllmError `audio_empty` when nothing lies in the range. */
  sound(): Sound;
}

/** Collects decoded blocks of sound from the beginning of a stream. */
export function collectBlocks(source: { readonly name: string }, options: CollectOptions): BlockCollector {
  const { sampleRate, channels, maxSamples, skip = 0 } = options;
  const from = skip + Math.round((options.start ?? 0) * sampleRate);
  const to = skip + Math.round((options.end ?? Infinity) * sampleRate);
  const kept: { at: number; block: readonly Float32Array[] }[] = [];
  let decoded = 0;
  let held = 0;
  let ends: number | undefined;
  return {
    add: (block) => {
      if (block.length !== channels)
        throw decodeError(source, `changes from ${channels} to ${block.length} channels at ${decoded / sampleRate} s`);
      const frames = block[0]!.length;
      if (decoded + frames > from && decoded < to) {
        kept.push({ at: decoded, block });
        held += frames * channels;
      }
      decoded += frames;
      if (held > maxSamples) throw decodeError(source, `more than maxSamples = ${maxSamples} samples`);
    },
    endAt: (end) => {
      ends = Math.min(decoded, end);
    },
    complete: () => decoded >= to,
    time: () => Math.max(0, decoded - skip) / sampleRate,
    sound: () => {
      const [start, end] = frameRange(source, options, Math.max(0, (ends ?? decoded) - skip), sampleRate);
      const samples = Array.from({ length: channels }, (_, c) => {
        const out = new Float32Array(end - start);
        for (const { at, block } of kept) {
          const offset = at - skip - start;
          const part = block[c]!.subarray(Math.max(0, -offset), Math.max(0, out.length - offset));
          if (part.length > 0) out.set(part, Math.max(0, offset));
        }
        return out;
      });
      return { samples, sampleRate };
    },
  };
}
