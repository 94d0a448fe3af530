/** @file Figures of studies: ways of asking, inputs taken away, who decides, corruptions against severity. */
import * as Plot from "@observablehq/plot";
import type { ProbeStudy, SensitivityStudy, UaWithInterval } from "../studies.ts";
import { COLORS, draw, marginFor, percent, shorten } from "./svg.ts";

/** A range of shares that holds all intervals, cut at tens. */
function domainOf(points: readonly UaWithInterval[]): [number, number] {
  const from = Math.floor(10 * Math.min(...points.map((p) => p.low))) / 10;
  return [Math.max(0, from), Math.max(from + 0.1, Math.ceil(10 * Math.max(...points.map((p) => p.high))) / 10)];
}

const shares = { label: null, tickFormat: (v: number) => percent(v), ticks: 5, grid: true } as const;

/** A line with a dot and an interval for each name. */
function intervalLines(
  label: string,
  points: readonly (UaWithInterval & { readonly name: string; readonly first?: boolean })[],
  extra: readonly Plot.Markish[],
): string {
  return draw(label, {
    marginLeft: marginFor(points.map((p) => p.name)),
    marginRight: 84,
    marginTop: 8,
    marginBottom: 30,
    height: 44 + 26 * points.length,
    x: { domain: domainOf(points), ...shares },
    y: { domain: points.map((p) => p.name), label: null, tickSize: 0 },
    marks: [
      ...extra,
      Plot.ruleY(points, { x1: "low", x2: "high", y: "name", stroke: COLORS.blue, strokeWidth: 2, strokeOpacity: 0.6 }),
      Plot.dot(points, { x: "ua", y: "name", fill: COLORS.blue, r: 5, stroke: "white" }),
      Plot.text(points, {
        y: "name",
        frameAnchor: "right",
        text: (p: UaWithInterval) => `${(100 * p.ua).toFixed(1)} % of ${p.n.toLocaleString("en")}`,
        textAnchor: "start",
        dx: 8,
        fontSize: 11,
      }),
    ],
  });
}

/** A row for each prompt, a dot for each of its ways of being asked; the worst prompt first. */
export function sensitivityChart({ runs, mean }: SensitivityStudy): string {
  const names = [...new Set(runs.map((r) => r.factors["prompt"] ?? r.name))];
  const meanOf = (name: string): number => {
    const own = runs.filter((r) => (r.factors["prompt"] ?? r.name) === name);
    return own.reduce((s, r) => s + r.ua, 0) / own.length;
  };
  const order = names.sort((a, b) => meanOf(a) - meanOf(b));
  const common = commonStart(order);
  const points = runs.map((r) => ({ ...r, row: shorten((r.factors["prompt"] ?? r.name).slice(common)) }));
  const rows = order.map((name) => shorten(name.slice(common)));
  return draw("Unweighted average recall of each way of asking, by prompt", {
    marginLeft: marginFor(rows),
    marginRight: 24,
    marginTop: 24,
    marginBottom: 30,
    height: 64 + 24 * rows.length,
    x: { domain: domainOf(points.map((p) => ({ ...p, low: p.ua, high: p.ua }))), ...shares },
    y: { domain: rows, label: null, tickSize: 0 },
    marks: [
      Plot.ruleX([mean], { stroke: COLORS.grey, strokeDasharray: "5 4", strokeWidth: 1.5 }),
      Plot.text([[mean, rows[0]]], { text: ["mean"], dy: -20, fill: COLORS.grey, fontSize: 11 }),
      Plot.ruleY(
        rows.map((row) => ({ row, own: points.filter((p) => p.row === row).map((p) => p.ua) })),
        {
          y: "row",
          x1: (d: { own: number[] }) => Math.min(...d.own),
          x2: (d: { own: number[] }) => Math.max(...d.own),
          stroke: COLORS.sky,
          strokeWidth: 6,
          strokeOpacity: 0.45,
        },
      ),
      Plot.dot(points, { x: "ua", y: "row", fill: COLORS.blue, fillOpacity: 0.65, r: 4.5, stroke: "white" }),
    ],
  });
}

/** How many characters all names begin with, up to a hyphen. */
function commonStart(names: readonly string[]): number {
  if (names.length < 2) return 0;
  const [first = ""] = names;
  let n = 0;
  while (n < first.length && names.every((name) => name[n] === first[n])) n++;
  return first.lastIndexOf("-", n - 1) + 1;
}

/** UA under each condition, with a dashed line for all inputs. */
export function conditionChart(conditions: ProbeStudy["conditions"]): string {
  const all = conditions.find((c) => c.condition === "all");
  return intervalLines(
    "Unweighted average recall by condition of the inputs",
    conditions.map((c) => ({ ...c, name: c.condition })),
    all ? [Plot.ruleX([all.ua], { stroke: COLORS.grey, strokeDasharray: "5 4", strokeWidth: 1.5 })] : [],
  );
}

/** The share of decisions that each input carries, from 0 to 1 with even odds in the middle. */
export function relianceChart(reliance: ProbeStudy["reliance"]): string {
  const points = reliance.flatMap((r) => (r.share ? [{ modality: r.modality, ...r.share }] : []));
  return draw("Share of decisions that follow each input when it contradicts the others", {
    marginLeft: 92,
    marginRight: 60,
    marginTop: 8,
    marginBottom: 30,
    height: 48 + 40 * points.length,
    x: { domain: [0, 1], ...shares },
    y: { domain: points.map((p) => p.modality), label: null, tickSize: 0 },
    marks: [
      Plot.ruleX([0.5], { stroke: COLORS.grey, strokeDasharray: "5 4", strokeWidth: 1.5 }),
      Plot.barX(points, { x: "estimate", y: "modality", fill: COLORS.sky, insetTop: 8, insetBottom: 8 }),
      Plot.ruleY(points, { x1: "low", x2: "high", y: "modality", stroke: COLORS.ink, strokeWidth: 2 }),
      Plot.text(points, {
        y: "modality",
        frameAnchor: "right",
        text: (p: { estimate: number }) => percent(p.estimate, 1),
        textAnchor: "start",
        dx: 10,
        fontWeight: 600,
      }),
    ],
  });
}

/** A panel for each corruption: UA against severity, mild on the left. */
export function corruptionChart(corruptions: ProbeStudy["corruptions"]): string {
  const [clean, ...rest] = corruptions;
  const panels = [...new Set(rest.map((c) => c.corruption))];
  const mildFirst = (name: string): (string | undefined)[] => {
    const own = rest.filter((c) => c.corruption === name);
    // More dB of signal over noise is milder, as is clipping further from the peak; everything else grows worse with the number.
    const up = name !== "noise" ? 1 : -1;
    return own.sort((a, b) => up * ((a.severity ?? 0) - (b.severity ?? 0))).map(labelOf);
  };
  const labelOf = (c: (typeof rest)[number]): string =>
    c.severity === null ? "" : c.unit === "" ? percent(c.severity) : String(c.severity);
  const unitOf = (name: string): string => {
    const unit = rest.find((c) => c.corruption === name)?.unit ?? "";
    return unit === "" ? name : `${name} (${unit})`;
  };
  const order = panels.flatMap((name) => mildFirst(name).map((label) => `${name}\t${label}`));
  const points = rest.map((c) => ({ ...c, at: `${c.corruption}\t${labelOf(c)}` }));
  return draw("Unweighted average recall under corruptions of growing severity", {
    height: 320,
    width: Math.max(480, 70 + 56 * order.length),
    marginLeft: 56,
    marginRight: 16,
    marginTop: 40,
    marginBottom: 34,
    fx: { domain: panels, label: null, padding: 0.12, axis: "top", tickFormat: unitOf },
    x: { axis: null, domain: [0, 1] },
    y: { domain: domainOf(corruptions), ...shares, tickFormat: (v: number) => percent(v) },
    marks: panels.flatMap((name) => {
      const own = points.filter((p) => p.corruption === name).sort((a, b) => order.indexOf(a.at) - order.indexOf(b.at));
      const placed = own.map((p, i) => ({ ...p, place: (i + 1) / (own.length + 1), text: labelOf(p) }));
      return [
        ...(clean
          ? [
              Plot.ruleY([{ corruption: name, y: clean.ua }], {
                fx: "corruption",
                y: "y",
                stroke: COLORS.grey,
                strokeDasharray: "5 4",
              }),
            ]
          : []),
        Plot.line(placed, { fx: "corruption", x: "place", y: "ua", stroke: COLORS.blue, strokeWidth: 2 }),
        Plot.ruleX(placed, {
          fx: "corruption",
          x: "place",
          y1: "low",
          y2: "high",
          stroke: COLORS.blue,
          strokeOpacity: 0.6,
          strokeWidth: 2,
        }),
        Plot.dot(placed, { fx: "corruption", x: "place", y: "ua", fill: COLORS.blue, r: 4.5, stroke: "white" }),
        Plot.text(placed, { fx: "corruption", x: "place", frameAnchor: "bottom", dy: 18, text: "text", fontSize: 11 }),
      ];
    }),
  });
}
