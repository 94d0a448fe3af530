/** @file F1, recall and precision of each class with their intervals. */
import * as Plot from "@observablehq/plot";
import type { ClassScores } from "../summary.ts";
import { COLORS, draw, marginFor, percent, shorten } from "./svg.ts";

const MEASURES = [
  { key: "f1", name: "F1", color: COLORS.blue },
  { key: "recall", name: "recall", color: COLORS.sky },
  { key: "precision", name: "precision", color: COLORS.pale },
] as const;

/** Three bars per class; the thin line is the interval. */
export function classChart(classes: readonly ClassScores[]): string {
  const bars = classes.flatMap((c) =>
    MEASURES.map(({ key, name }) => ({
      label: shorten(c.label),
      measure: name,
      value: c[key].estimate ?? 0,
      low: c[key].low ?? c[key].estimate ?? 0,
      high: c[key].high ?? c[key].estimate ?? 0,
    })),
  );
  return draw("F1, recall and precision by class with intervals", {
    marginLeft: marginFor(classes.map((c) => c.label)),
    marginRight: 52,
    marginTop: 6,
    marginBottom: 36,
    height: 42 + 78 * classes.length,
    x: { domain: [0, 1], label: null, tickFormat: (v: number) => percent(v), ticks: 5, grid: true },
    y: { domain: MEASURES.map((m) => m.name), axis: null, padding: 0.16 },
    fy: { domain: classes.map((c) => shorten(c.label)), label: null, padding: 0.22 },
    color: { domain: MEASURES.map((m) => m.name), range: MEASURES.map((m) => m.color) },
    marks: [
      Plot.axisFy({ anchor: "left", label: null, tickSize: 0, textAnchor: "end" }),
      Plot.barX(bars, { x: "value", y: "measure", fy: "label", fill: "measure", rx: 2 }),
      Plot.ruleY(bars, { x1: "low", x2: "high", y: "measure", fy: "label", stroke: "white", strokeWidth: 4.5 }),
      Plot.ruleY(bars, { x1: "low", x2: "high", y: "measure", fy: "label", stroke: COLORS.ink, strokeWidth: 1.6 }),
      Plot.text(bars, {
        x: "high",
        y: "measure",
        fy: "label",
        text: (b: { measure: string; value: number }) =>
          `${b.measure === "F1" ? "F1" : b.measure[0]!.toUpperCase()} ${(100 * b.value).toFixed(0)}`,
        textAnchor: "start",
        dx: 6,
        fontSize: 12,
      }),
      Plot.ruleX([0], { stroke: COLORS.ink }),
    ],
  });
}
