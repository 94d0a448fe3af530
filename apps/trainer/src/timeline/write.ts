/** @file Runs the timeline over recordings and writes it as it comes, or as a figure at the end. */
import { streamSpeech } from "@emosllm/audio-features";
import { EmosllmError } from "@emosllm/interfaces";
import { type EmoSllm, type EmotionTimelineOptions, emotionTimeline, type TimelineSegment } from "@emosllm/model";
import { linesOut } from "../lines-out.ts";
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
  await linesOut(out, async (write) => {
    if (head) await write(head(model.labels));
    await run((file, segment) => write(line(file, segment)));
  });
  return failed;
}
