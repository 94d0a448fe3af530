/** @file Risk by coverage: how wrong the answers are when only the surest are given. */
import * as Plot from "@observablehq/plot";
import type { ProbabilitySummary } from "../summary.ts";
import { COLORS, draw, percent } from "./svg.ts";

/** The curve, and a dashed line for answering at random. */
export function riskCoverageChart(curve: ProbabilitySummary["risk_coverage"]): string {
  const overall = curve.at(-1)!.risk;
  const top = Math.max(
    0.05,
    Math.min(1, 1.15 * Math.max(overall, ...curve.filter((p) => p.coverage > 0.02).map((p) => p.risk))),
  );
  const first = { coverage: 0, risk: curve[0]!.risk };
  return draw("Risk-coverage curve", {
    height: 340,
    marginLeft: 60,
    marginBottom: 44,
    marginTop: 30,
    marginRight: 22,
    x: {
      domain: [0, 1],
      label: "share of rows answered, surest first",
      labelAnchor: "center",
      labelArrow: "none",
      tickFormat: (v: number) => percent(v),
      ticks: 5,
    },
    y: {
      domain: [0, top],
      label: "wrong among them",
      labelAnchor: "top",
      labelArrow: "none",
      tickFormat: (v: number) => percent(v),
      ticks: 5,
      grid: true,
      clamp: true,
    },
    marks: [
      Plot.ruleY([overall], { stroke: COLORS.grey, strokeDasharray: "5 4", strokeWidth: 1.5 }),
      Plot.text([[0.01, overall]], {
        text: ["answering at random"],
        textAnchor: "start",
        dy: -9,
        fill: COLORS.grey,
        fontSize: 12,
      }),
      Plot.areaY([first, ...curve], { x: "coverage", y: "risk", fill: COLORS.blue, fillOpacity: 0.1 }),
      Plot.line([first, ...curve], { x: "coverage", y: "risk", stroke: COLORS.blue, strokeWidth: 2.5 }),
      Plot.dot([curve.at(-1)!], { x: "coverage", y: "risk", fill: COLORS.blue, r: 4 }),
      Plot.ruleY([0], { stroke: COLORS.ink }),
    ],
  });
}
