/** @file Segments as text: JSON lines, CSV (RFC 4180), RTTM (NIST). Each writer is a function from segment to line, so nothing is kept. */
import type { TimelineSegment } from "@emosllm/model";
import { csvLine } from "../csv-line.ts";

/** Seconds as text: to the millisecond, which is finer than any border is known. */
export const seconds = (value: number): string => value.toFixed(3);
const share = (value: number): number => Number(value.toFixed(6));

/** A text format: an optional first line, and a line for each segment. */
export interface TimelineFormat {
  readonly head?: (labels: readonly string[]) => string;
  readonly line: (file: string, segment: TimelineSegment) => string;
}

/** By name of `--format`. */
export const TIMELINE_FORMATS = {
  jsonl: {
    line: (file, { start, end, label, probabilities }) =>
      JSON.stringify({
        file,
        start: Number(seconds(start)),
        end: Number(seconds(end)),
        label,
        probabilities: Object.fromEntries(Object.entries(probabilities).map(([l, p]) => [l, share(p)])),
      }),
  },
  csv: {
    head: (labels) => csvLine(["file", "start", "end", "label", ...labels]),
    line: (file, { start, end, label, probabilities }) =>
      csvLine([
        file,
        seconds(start),
        seconds(end),
        label ?? "",
        ...Object.values(probabilities).map((p) => String(share(p))),
      ]),
  },
  /** `SPEAKER file channel onset duration <NA> <NA> name confidence <NA>`: the name is the emotion, spaces become underscores. */
  rttm: {
    line: (file, { start, end, label, probabilities }) =>
      [
        "SPEAKER",
        file.replaceAll(/\s/g, "_"),
        "1",
        seconds(start),
        seconds(end - start),
        "<NA>",
        "<NA>",
        label?.replaceAll(/\s/g, "_") ?? "<NA>",
        Math.max(...Object.values(probabilities)).toFixed(4),
        "<NA>",
      ].join(" "),
  },
} as const satisfies Readonly<Record<string, TimelineFormat>>;
