/** @file The confusion matrix: shares of each true class, with the counts. */
import * as Plot from "@observablehq/plot";
import type { ClassificationSummary } from "../summary.ts";
import { draw, marginFor, percent, shorten, WIDTH } from "./svg.ts";

/** A cell per true label and answer; a last column for invalid answers when there are any. */
export function confusionChart({ confusion, classes }: ClassificationSummary): string {
  const invalid = confusion.invalid.some((n) => n > 0);
  const answers = [...confusion.labels, ...(invalid ? ["(no label)"] : [])];
  const cells = confusion.labels.flatMap((truth, i) =>
    answers.map((answer, j) => {
      const count = confusion.counts[i]![j] ?? confusion.invalid[i]!;
      const support = classes[i]!.support;
      return { truth: shorten(truth), answer: shorten(answer), count, share: support === 0 ? 0 : count / support };
    }),
  );
  const left = marginFor(confusion.labels);
  const side = (WIDTH - left - 8) / answers.length;
  const height = Math.max(34, Math.min(side, 84));
  const large = side >= 52;
  const slant = answers.some((a) => shorten(a).length * 7.4 > side - 4);
  const top = slant ? 26 + 5.2 * Math.max(...answers.map((a) => shorten(a).length)) : 44;
  const dark = (c: { share: number }): string => (c.share > 0.45 ? "white" : "#1d2733");
  return draw("Confusion matrix: share of each true class by answer", {
    marginLeft: left,
    marginRight: slant ? 24 : 8,
    marginTop: top,
    marginBottom: 4,
    height: top + height * confusion.labels.length + 4,
    x: {
      domain: answers.map((a) => shorten(a)),
      axis: "top",
      label: null,
      tickSize: 0,
      ...(slant ? { tickRotate: -40 } : {}),
      padding: 0.04,
    },
    y: { domain: confusion.labels.map((l) => shorten(l)), label: null, tickSize: 0, padding: 0.04 },
    // One hue from white to deep blue: read by lightness alone.
    color: { type: "linear", domain: [0, 1], range: ["#f2f6fa", "#0b4a7a"], interpolate: "lab" },
    marks: [
      Plot.cell(cells, { x: "answer", y: "truth", fill: "share", rx: 3 }),
      Plot.text(cells, {
        x: "answer",
        y: "truth",
        text: (c: { share: number }) => (large ? percent(c.share) : (100 * c.share).toFixed(0)),
        fill: dark,
        fontSize: large ? 15 : 12,
        fontWeight: 600,
        dy: large && height > 44 ? -7 : 0,
      }),
      ...(large && height > 44
        ? [
            Plot.text(cells, {
              x: "answer",
              y: "truth",
              text: (c: { count: number }) => c.count.toLocaleString("en"),
              fill: dark,
              fontSize: 11,
              dy: 10,
            }),
          ]
        : []),
    ],
  });
}
