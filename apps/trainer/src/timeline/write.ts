/** @file Runs the timeline over recordings and writes it as it comes, or as a figure at the end. */
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { streamSpeech } from "@emosllm/audio-features";
import { EmosllmError } from "@emosllm/interfaces";
import { type EmoSllm, type EmotionTimelineOptions, emotionTimeline, type TimelineSegment } from "@emosllm/model";
import { writeWhole } from "../write-whole.ts";
import { type FigureData, timelineHtml, timelineSvg } from "./figure.ts";
import { TIMELINE_FORMATS, type TimelineFormat } from "./formats.ts";

/** Accepted by `--format`. */
export const TIMELINE_FORMAT_NAMES = ["jsonl", "csv", "rttm", "svg", "html"] as const;
/** One of {@link TIMELINE_FORMAT_NAMES}. */
export type TimelineFormatName = (typeof TIMELINE_FORMAT_NAMES)[number];

/** Options of {@link writeTimelines}. */
export interface WriteTimelinesOptions {
  readonly format: TimelineFormatName;
  /** The file to write; stdout without. */
  readonly out?: string | undefined;
  readonly timeline?: EmotionTimelineOptions;
  readonly onError: (error: EmosllmError) => void;
  readonly onProgress?: (file: string, seconds: number) => void;
}

/** A recording: a path, or sound in memory with the name that the output gives it. */
export interface Recording {
  readonly file: string;
  readonly source: string | Uint8Array;
}

/** Writes the segments of all recordings. A damaged one is reported, what came before the damage stays. Gives how many failed. */
export async function writeTimelines(
  model: EmoSllm,
  recordings: readonly Recording[],
  { format, out, timeline = {}, onError, onProgress }: WriteTimelinesOptions,
): Promise<number> {
  const figures: FigureData[] = [];
  let failed = 0;
  const run = async (take: (file: string, segment: TimelineSegment) => Promise<void>): Promise<void> => {
    for (const { file, source } of recordings) {
      let duration = 0;
      const segments: TimelineSegment[] = [];
      const sampleRate = model.manifest.front_end.sample_rate;
      const progress = (seconds: number): void => {
        duration = seconds;
        onProgress?.(file, seconds);
      };
      try {
        const blocks = streamSpeech(source, { sampleRate });
        for await (const segment of emotionTimeline(model, blocks, { ...timeline, onProgress: progress })) {
          if (drawn) segments.push(segment);
          else await take(file, segment);
        }
      } catch (error) {
        if (!(error instanceof EmosllmError)) throw error;
        failed++;
        onError(error);
        if (segments.length === 0) continue;
      }
      if (drawn) figures.push({ title: file, labels: model.labels, segments, duration });
    }
  };
  const drawn = format === "svg" || format === "html";
  if (drawn) {
    await run(async () => {});
    if (figures.length === 0) return failed;
    const text = format === "html" ? timelineHtml(figures) : timelineSvg(figures[0] as FigureData);
    if (out === undefined) process.stdout.write(text);
    else await writeWhole(out, text);
    return failed;
  }
  const { head, line }: TimelineFormat = TIMELINE_FORMATS[format];
  await withOutput(out, async (write) => {
    if (head) await write(head(model.labels));
    await run((file, segment) => write(line(file, segment)));
  });
  return failed;
}

/** Lines to stdout, or to a file under a temporary name that is renamed at the end. */
async function withOutput(
  out: string | undefined,
  work: (write: (line: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  if (out === undefined) return work(async (line) => void process.stdout.write(`${line}\n`));
  const temporary = `${out}.${process.pid}.tmp`;
  const stream: Writable = createWriteStream(temporary);
  let broken: Error | undefined;
  stream.on("error", (error) => (broken = error));
  try {
    await work(async (line) => {
      if (broken) throw broken;
      if (!stream.write(`${line}\n`)) await once(stream, "drain");
    });
    stream.end();
    if (!broken) await once(stream, "close");
    if (broken) throw broken;
    await rename(temporary, out);
  } catch (cause) {
    stream.destroy();
    await rm(temporary, { force: true });
    if (cause instanceof EmosllmError) throw cause;
    throw new EmosllmError("disk_full", `${out} cannot be written (${(cause as Error).message})`, { cause });
  }
}
