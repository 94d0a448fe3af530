/** @file Learning curves: figures of a run by step, one axis a panel. */
import * as Plot from "@observablehq/plot";
import type { Panel } from "../learning.ts";
import { COLORS, draw, percent } from "./svg.ts";

/** Told apart by dash too, for grey print. */
const LOOKS: readonly { readonly stroke: string; readonly strokeDasharray?: string }[] = [
  { stroke: COLORS.blue },
  { stroke: COLORS.orange },
  { stroke: COLORS.grey, strokeDasharray: "6 3" },
  { stroke: COLORS.sky, strokeDasharray: "2 3" },
];

/** Colour of the curve at this place of its panel. */
export const curveColor = (i: number): string => (LOOKS[i % LOOKS.length] as (typeof LOOKS)[number]).stroke;

/** A panel's curves; dashed lines where stages begin. */
export function learningChart(
  { title, unit, curves }: Panel,
  stages: readonly { readonly step: number; readonly stage: string }[],
): string {
  const values = curves.flatMap((c) => c.points.map((p) => p.value));
  const steps = curves.flatMap((c) => c.points.map((p) => p.step));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const plain: [number, number] = low >= 0 ? [0, high || 1] : [low, Math.max(high, 0)];
  const domain = unit === "share" ? ([0, Math.max(1, high)] as const) : plain;
  return draw(`${title} by step`, {
    height: 260,
    marginLeft: 62,
    marginRight: 18,
    marginTop: stages.length > 1 ? 30 : 14,
    marginBottom: 42,
    x: { label: "step", labelAnchor: "center", labelArrow: "none", ticks: 6, domain: [0, Math.max(...steps)] },
    y: {
      label: null,
      grid: true,
      ticks: 5,
      domain: [...domain],
      nice: true,
      ...(unit === "share" ? { tickFormat: (v: number) => percent(v) } : {}),
      ...(unit === "rate" ? { tickFormat: rateText } : {}),
    },
    marks: [
      ...(stages.length > 1
        ? [
            Plot.ruleX(stages.slice(1), { x: "step", stroke: COLORS.grey, strokeDasharray: "5 4" }),
            Plot.text(stages, {
              x: "step",
              text: "stage",
              frameAnchor: "top",
              textAnchor: "start",
              dy: -16,
              dx: 3,
              fill: COLORS.grey,
              fontSize: 12,
            }),
          ]
        : []),
      ...curves.map((c, i) =>
        Plot.line(c.points, {
          x: "step",
          y: "value",
          strokeWidth: c.validation ? 2.5 : 1.75,
          ...LOOKS[i % LOOKS.length],
        }),
      ),
      ...curves.flatMap((c, i) =>
        c.validation || c.points.length < 3
          ? [Plot.dot(c.points, { x: "step", y: "value", fill: curveColor(i), r: 3.5, stroke: "white" })]
          : [],
      ),
    ],
  });
}

/** Ticks of a rate: `0`, `2e-5`. */
const rateText = (v: number): string => (v === 0 ? "0" : Number(v.toPrecision(2)).toExponential());
