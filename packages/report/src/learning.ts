/** @file A run's log as curves: what to draw together, thinned where there are more points than a figure can show. */

/** A line of `log.jsonl`: a step and figures (`loss`, `learning_rate`, `eval_ua`, ...). */
export type LogLine = Readonly<Record<string, number | string>> & { readonly step: number };

/** Figures of one name. */
export interface Curve {
  readonly name: string;
  /** From validation: few points, drawn with dots. */
  readonly validation: boolean;
  readonly points: readonly { readonly step: number; readonly value: number }[];
}

/** Curves on one axis. */
export interface Panel {
  readonly title: string;
  readonly unit: "share" | "rate" | "plain";
  readonly curves: readonly Curve[];
}

/** Points a curve keeps; more are means of neighbours. */
const MOST_POINTS = 300;

const PANELS: readonly {
  readonly title: string;
  readonly unit: Panel["unit"];
  readonly takes: (name: string) => boolean;
}[] = [
  { title: "Loss", unit: "plain", takes: (name) => /(^|_)loss$/.test(name) },
  { title: "Scores on validation", unit: "share", takes: (name) => /^eval_(ua|wa|macro_f1)$/.test(name) },
  { title: "Word error rate on validation", unit: "share", takes: (name) => name === "eval_wer" },
  { title: "Concordance on validation", unit: "plain", takes: (name) => /^eval_.*_ccc$/.test(name) },
  { title: "Learning rate", unit: "rate", takes: (name) => name === "learning_rate" },
  { title: "Norm of the gradient", unit: "plain", takes: (name) => name === "grad_norm" },
];

/** The panels that the log has figures for. */
export function learningPanels(log: readonly LogLine[]): Panel[] {
  const names = [...new Set(log.flatMap((line) => Object.keys(line)))];
  return PANELS.flatMap(({ title, unit, takes }) => {
    const curves = names.filter((name) => !name.startsWith("test_") && takes(name)).map((name) => curveOf(name, log));
    const drawn = curves.filter(({ points }) => points.length > 0);
    return drawn.some(({ points }) => points.length > 1) ? [{ title, unit, curves: drawn }] : [];
  });
}

function curveOf(name: string, log: readonly LogLine[]): Curve {
  const points = log.flatMap(({ step, [name]: value }) =>
    typeof value === "number" && Number.isFinite(value) ? [{ step, value }] : [],
  );
  const group = Math.ceil(points.length / MOST_POINTS);
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const thinned = Array.from({ length: Math.ceil(points.length / group) }, (_, i) => {
    const part = points.slice(i * group, (i + 1) * group);
    return { step: mean(part.map((p) => p.step)), value: mean(part.map((p) => p.value)) };
  });
  return { name, validation: name.startsWith("eval_"), points: thinned };
}

/** Where stages of a run begin: the step before the first line of each. Empty for a run of one stage. */
export function stageStarts(log: readonly LogLine[]): { readonly step: number; readonly stage: string }[] {
  const starts: { step: number; stage: string }[] = [];
  let last = 0;
  for (const { step, stage } of log) {
    if (typeof stage === "string" && starts.at(-1)?.stage !== stage) starts.push({ step: last, stage });
    last = step;
  }
  return starts;
}
