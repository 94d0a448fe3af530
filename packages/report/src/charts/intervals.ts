/** @file Estimates with intervals on lines of their own: slices, and differences between two systems. */
import * as Plot from "@observablehq/plot";
import type { ComparisonSummary, KeySlices, Score } from "../summary.ts";
import { COLORS, draw, marginFor, percent, shorten } from "./svg.ts";

/** At most this many lines; beyond it the worst and the best are shown. */
const MOST_LINES = 24;

/** Unweighted average recall by slice, worst first, with a line for all rows. */
export function sliceChart({ slices }: KeySlices, overall: Score): string {
  const shown =
    slices.length <= MOST_LINES ? slices : [...slices.slice(0, MOST_LINES / 2), ...slices.slice(-MOST_LINES / 2)];
  const points = shown.map((s) => ({
    value: shorten(s.value),
    rows: s.rows,
    estimate: s.uar.estimate ?? 0,
    low: s.uar.low ?? s.uar.estimate ?? 0,
    high: s.uar.high ?? s.uar.estimate ?? 0,
  }));
  const from = Math.floor(10 * Math.min(...points.map((p) => p.low), overall.estimate ?? 1)) / 10;
  const to = Math.ceil(10 * Math.max(...points.map((p) => p.high), overall.estimate ?? 0)) / 10;
  return draw("Unweighted average recall by slice with intervals", {
    marginLeft: marginFor(shown.map((s) => s.value)),
    marginRight: 84,
    marginTop: 8,
    marginBottom: 30,
    height: 44 + 26 * points.length,
    x: {
      domain: [Math.max(0, from), Math.max(from + 0.1, to)],
      label: null,
      tickFormat: (v: number) => percent(v),
      ticks: 5,
      grid: true,
    },
    y: { domain: points.map((p) => p.value), label: null, tickSize: 0 },
    marks: [
      ...(overall.estimate === null
        ? []
        : [Plot.ruleX([overall.estimate], { stroke: COLORS.grey, strokeDasharray: "5 4", strokeWidth: 1.5 })]),
      Plot.ruleY(points, {
        x1: "low",
        x2: "high",
        y: "value",
        stroke: COLORS.blue,
        strokeWidth: 2,
        strokeOpacity: 0.6,
      }),
      Plot.dot(points, { x: "estimate", y: "value", fill: COLORS.blue, r: 5, stroke: "white" }),
      Plot.text(points, {
        y: "value",
        frameAnchor: "right",
        text: (p: { estimate: number; rows: number }) =>
          `${(100 * p.estimate).toFixed(0)} % of ${p.rows.toLocaleString("en")}`,
        textAnchor: "start",
        dx: 8,
        fontSize: 11,
      }),
    ],
  });
}

const NAMES: Readonly<Record<string, string>> = {
  uar: "UAR",
  accuracy: "accuracy",
  macro_f1: "macro F1",
  weighted_f1: "weighted F1",
};

/** Differences this minus other, around zero. */
export function differenceChart({ scores }: ComparisonSummary): string {
  const points = scores.map((s) => ({
    name: NAMES[s.name] ?? s.name,
    estimate: 100 * (s.difference.estimate ?? 0),
    low: 100 * (s.difference.low ?? s.difference.estimate ?? 0),
    high: 100 * (s.difference.high ?? s.difference.estimate ?? 0),
  }));
  const reach = 1.15 * Math.max(1, ...points.flatMap((p) => [Math.abs(p.low), Math.abs(p.high)]));
  return draw("Differences between the two systems with intervals", {
    marginLeft: 104,
    marginRight: 60,
    marginTop: 8,
    marginBottom: 44,
    height: 54 + 38 * points.length,
    x: {
      domain: [-reach, reach],
      label: "percentage points; right of 0, this file is better",
      labelAnchor: "center",
      labelArrow: "none",
      ticks: 5,
      grid: true,
    },
    y: { domain: points.map((p) => p.name), label: null, tickSize: 0 },
    marks: [
      Plot.ruleX([0], { stroke: COLORS.ink }),
      Plot.ruleY(points, {
        x1: "low",
        x2: "high",
        y: "name",
        stroke: COLORS.blue,
        strokeWidth: 2.5,
        strokeOpacity: 0.6,
      }),
      Plot.dot(points, { x: "estimate", y: "name", fill: COLORS.blue, r: 5.5, stroke: "white" }),
      Plot.text(points, {
        y: "name",
        frameAnchor: "right",
        text: (p: { estimate: number }) =>
          `${p.estimate > 0 ? "+" : p.estimate < 0 ? "−" : ""}${Math.abs(p.estimate).toFixed(1)}`,
        textAnchor: "start",
        dx: 10,
        fontWeight: 600,
      }),
    ],
  });
}
