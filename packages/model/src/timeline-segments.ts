/** @file From the probabilities of overlapping windows to segments: averaged where windows overlap, then held until another emotion is clearly and lastingly ahead. */
import { EmosllmError } from "@emosllm/interfaces";

/** A judged window. */
export interface JudgedWindow {
  /** Windows of one stretch of speech have one number; a new number ends the stretch before. */
  readonly region: number;
  /** Seconds. Windows come in the order of their starts. */
  readonly start: number;
  readonly end: number;
  /** By label; they add up to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
}

/** A stretch of speech with one emotion. Segments do not overlap; between them nobody speaks. */
export interface TimelineSegment {
  /** Seconds from the beginning of the recording. */
  readonly start: number;
  readonly end: number;
  /** The most probable label, or null below `abstainBelow`. */
  readonly label: string | null;
  /** Mean over the segment, by label; they add up to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
}

/** Settings of {@link createTimeline}. */
export interface TimelineOptions {
  /** Seconds of the steps in which windows are averaged and labels can change (1). */
  readonly resolution?: number;
  /** By how much another label must lead the current one (0.1). 0: no hysteresis. */
  readonly hysteresis?: number;
  /** For how many seconds it must lead before the segment ends where the lead began (1.5). */
  readonly hold?: number;
  /** Segments whose best probability is below have the label null. */
  readonly abstainBelow?: number | null;
}

/** See {@link createTimeline}. */
export interface Timeline {
  /** Takes the next window and gives the segments that are complete. */
  push(window: JudgedWindow): TimelineSegment[];
  /** Ends the recording and gives the rest. */
  flush(): TimelineSegment[];
}

interface Cell {
  readonly start: number;
  readonly end: number;
  readonly p: readonly number[];
}

/**
 * Joins judged windows into segments as they come, for files and live sound alike; what it holds does not grow with the recording.
 * A window counts most at its middle (a triangle), and each step of `resolution` seconds gets the weighted mean of the windows over it.
 * @throws EmosllmError `usage` for settings out of range, or a window that begins before the one before it.
 * @example
 * const timeline = createTimeline(model.labels);
 * for (const window of windows) show(timeline.push(window));
 * show(timeline.flush());
 */
export function createTimeline(
  labels: readonly string[],
  { resolution = 1, hysteresis = 0.1, hold = 1.5, abstainBelow = null }: TimelineOptions = {},
): Timeline {
  if (!(resolution > 0) || !(hysteresis >= 0) || !(hold >= 0))
    throw new EmosllmError("usage", `resolution ${resolution}, hysteresis ${hysteresis}, hold ${hold}: out of range`);
  let region: number | undefined;
  let latest = -Infinity;
  let windows: JudgedWindow[] = [];
  /** Where the next cell begins. */
  let at = 0;
  /** Cells of the current segment, then those in which another label leads. */
  let current: Run | undefined;
  let challenger: Run | undefined;
  /** A finished segment, kept back in case the next one continues it. */
  let pending: TimelineSegment | undefined;

  const cellOf = (start: number, end: number): Cell => {
    const middle = (start + end) / 2;
    const p = labels.map(() => 0);
    let total = 0;
    for (const w of windows) {
      if (middle < w.start || middle > w.end) continue;
      const weight = 1.05 - Math.abs(middle - (w.start + w.end) / 2) / ((w.end - w.start) / 2);
      total += weight;
      labels.forEach((label, k) => (p[k]! += weight * (w.probabilities[label] ?? 0)));
    }
    return { start, end, p: p.map((v) => v / total) };
  };

  const finish = (run: Run): TimelineSegment[] => {
    const p = run.sums.map((sum) => sum / run.seconds);
    const best = p.indexOf(Math.max(...p));
    const label = abstainBelow !== null && p[best]! < abstainBelow ? null : labels[best]!;
    const segment = { start: run.start, end: run.end, label, probabilities: byLabel(labels, p) };
    if (pending?.label === label && pending.end === segment.start) {
      pending = joined(pending, segment);
      return [];
    }
    const out = pending ? [pending] : [];
    pending = segment;
    return out;
  };

  const take = (cell: Cell): TimelineSegment[] => {
    const best = cell.p.indexOf(Math.max(...cell.p));
    if (!current) {
      current = runOf(cell, best);
      return [];
    }
    if (cell.p[best]! - cell.p[current.label]! <= (best === current.label ? 0 : hysteresis)) {
      const back = challenger ? both(current, challenger) : current;
      challenger = undefined;
      current = both(back, runOf(cell, back.label));
      return [];
    }
    challenger = challenger ? both(challenger, runOf(cell, best)) : runOf(cell, best);
    if (challenger.seconds < hold - 1e-9) return [];
    const out = finish(current);
    const leader = challenger.sums.indexOf(Math.max(...challenger.sums));
    current = { ...challenger, label: leader };
    challenger = undefined;
    return out;
  };

  /** How far the windows go. */
  const reached = (): number => windows.reduce((end, w) => Math.max(end, w.end), at);

  /** Cells that no later window reaches: those that end by `until`. */
  const settle = (until: number, last: boolean): TimelineSegment[] => {
    const out: TimelineSegment[] = [];
    while (at + resolution <= until) {
      out.push(...take(cellOf(at, at + resolution)));
      at += resolution;
    }
    if (last && until - at > 1e-9) out.push(...take(cellOf(at, until)));
    windows = windows.filter((w) => w.end > at);
    return out;
  };

  const endRegion = (): TimelineSegment[] => {
    if (windows.length === 0 && !current) return [];
    const out = settle(reached(), true);
    if (current) out.push(...finish(challenger ? both(current, challenger) : current));
    if (pending) out.push(pending);
    [current, challenger, pending, windows] = [undefined, undefined, undefined, []];
    return out;
  };

  return {
    push(window) {
      if (!(window.start >= latest) || !(window.end > window.start))
        throw new EmosllmError("usage", `a window from ${window.start} s to ${window.end} s after one at ${latest} s`);
      latest = window.start;
      const apart = region !== window.region || window.start > reached();
      const out = apart ? endRegion() : [];
      if (apart) at = window.start;
      region = window.region;
      windows.push(window);
      out.push(...settle(window.start, false));
      return out;
    },
    flush: endRegion,
  };
}

interface Run {
  readonly label: number;
  readonly start: number;
  readonly end: number;
  readonly seconds: number;
  /** Probabilities times seconds. */
  readonly sums: readonly number[];
}

const runOf = ({ start, end, p }: Cell, label: number): Run => ({
  label,
  start,
  end,
  seconds: end - start,
  sums: p.map((v) => v * (end - start)),
});

const both = (a: Run, b: Run): Run => ({
  label: a.label,
  start: a.start,
  end: b.end,
  seconds: a.seconds + b.seconds,
  sums: a.sums.map((v, k) => v + b.sums[k]!),
});

const byLabel = (labels: readonly string[], p: readonly number[]): Record<string, number> =>
  Object.fromEntries(labels.map((label, k) => [label, p[k]!]));

function joined(a: TimelineSegment, b: TimelineSegment): TimelineSegment {
  const [la, lb] = [a.end - a.start, b.end - b.start];
  const mean = (label: string): number => (a.probabilities[label]! * la + b.probabilities[label]! * lb) / (la + lb);
  const probabilities = Object.fromEntries(Object.keys(a.probabilities).map((label) => [label, mean(label)]));
  return { start: a.start, end: b.end, label: a.label, probabilities };
}
