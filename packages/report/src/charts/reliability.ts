/** @file Reliability: accuracy by confidence, with how many rows stand behind each point. */
import * as Plot from "@observablehq/plot";
import type { ProbabilitySummary } from "../summary.ts";
import { COLORS, draw, percent } from "./svg.ts";

const share = { tickFormat: (v: number) => percent(v), ticks: 5 };

/** Bars from the diagonal to the accuracy of each bin; blue above (too modest), orange below (too sure). */
export function reliabilityChart(curve: ProbabilitySummary["reliability"]): string {
  const bins = curve.filter((b) => b.count > 0);
  const points = bins.map((b) => ({
    ...b,
    confidence: b.confidence!,
    accuracy: b.accuracy!,
    side: b.accuracy! < b.confidence!,
  }));
  return draw("Reliability diagram: accuracy by confidence", {
    height: 416,
    marginLeft: 60,
    marginBottom: 44,
    marginTop: 30,
    x: { domain: [0, 1], label: "confidence", labelAnchor: "center", labelArrow: "none", ...share },
    y: { domain: [0, 1], label: "accuracy", labelAnchor: "top", labelArrow: "none", grid: true, ...share },
    r: { range: [2, 11], domain: [0, Math.max(...points.map((p) => p.count))] },
    marks: [
      Plot.line(
        [
          [0, 0],
          [1, 1],
        ],
        { stroke: COLORS.grey, strokeDasharray: "5 4", strokeWidth: 1.5 },
      ),
      Plot.text([[0.2, 0.27]], { text: ["too modest"], rotate: -38, fill: COLORS.grey, fontSize: 12 }),
      Plot.text([[0.8, 0.73]], { text: ["too sure"], rotate: -38, fill: COLORS.grey, fontSize: 12 }),
      Plot.ruleX(points, {
        x: "confidence",
        y1: "confidence",
        y2: "accuracy",
        stroke: (p: { side: boolean }) => (p.side ? COLORS.orange : COLORS.blue),
        strokeWidth: 3,
        strokeOpacity: 0.55,
      }),
      Plot.line(points, { x: "confidence", y: "accuracy", stroke: COLORS.ink, strokeWidth: 1, strokeOpacity: 0.35 }),
      Plot.dot(points, {
        x: "confidence",
        y: "accuracy",
        r: "count",
        fill: (p: { side: boolean }) => (p.side ? COLORS.orange : COLORS.blue),
        stroke: "white",
        strokeWidth: 1.5,
      }),
      Plot.ruleY([0], { stroke: COLORS.ink }),
    ],
  });
}

/** Rows by confidence. */
export function confidenceChart(curve: ProbabilitySummary["reliability"]): string {
  const total = curve.reduce((n, b) => n + b.count, 0);
  const bars = curve.map((b) => ({ low: b.low, high: b.high, share: b.count / total }));
  return draw("Share of rows by confidence", {
    height: 124,
    marginLeft: 60,
    marginBottom: 26,
    marginTop: 34,
    x: { domain: [0, 1], label: null, ...share },
    y: {
      label: "share of rows",
      labelAnchor: "top",
      labelArrow: "none",
      ticks: 3,
      tickFormat: (v: number) => percent(v),
      grid: true,
    },
    marks: [
      Plot.rectY(bars, { x1: "low", x2: "high", y: "share", fill: COLORS.grey, inset: 0.75 }),
      Plot.ruleY([0], { stroke: COLORS.ink }),
    ],
  });
}
