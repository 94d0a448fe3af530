/** @file The confusion matrix: shares of each true class, with the counts. */
import * as Plot from "@observablehq/plot";
import type { ClassificationSummary } from "../summary.ts";
import { draw, marginFor, percent, shorten, WIDTH } from "./svg.ts";

/** Names longer than this are cut at the top, where they stand aslant. */
const LONGEST = 14;
/** Widths of a letter, as shares of the font size of 13 px, level and at 40 degrees. */
const LETTER = { level: 7.4, across: 5.6, up: 4.9 };

/** Answers in order of columns; a last one for invalid answers when there are any. */
const columnsOf = ({ confusion }: ClassificationSummary): string[] => [
  ...confusion.labels,
  ...(confusion.invalid.some((n) => n > 0) ? ["(no label)"] : []),
];

function layout(c: ClassificationSummary): {
  left: number;
  right: number;
  top: number;
  height: number;
  slant: boolean;
  roomy: boolean;
} {
  const columns = columnsOf(c).map((name) => shorten(name, LONGEST));
  const left = marginFor(c.confusion.labels);
  const plain = (WIDTH - left - 8) / columns.length;
  const slant = columns.some((name) => name.length * LETTER.level > plain - 4);
  const beyond = columns.map((name, j) => name.length * LETTER.across - (columns.length - j - 0.5) * plain);
  const right = slant ? Math.max(8, ...beyond) + 8 : 8;
  const side = (WIDTH - left - right) / columns.length;
  const top = slant ? 24 + LETTER.up * Math.max(...columns.map((name) => name.length)) : 44;
  return { left, right, top, height: Math.max(34, Math.min(side, 84)), slant, roomy: side >= 52 };
}

/** Whether there is room for the counts under the shares. */
export const confusionHasCounts = (c: ClassificationSummary): boolean => layout(c).roomy;

interface Cell {
  readonly truth: string;
  readonly answer: number;
  readonly count: number;
  readonly share: number;
}

const dark = (c: Cell): string => (c.share > 0.45 ? "white" : c.count === 0 ? "#8a94a1" : "#1d2733");

/** A cell per true label and answer. */
export function confusionChart(c: ClassificationSummary): string {
  const { confusion, classes } = c;
  const columns = columnsOf(c);
  const { left, right, top, height, slant, roomy } = layout(c);
  // Rows and columns by number: cut names need not differ.
  const cells = confusion.labels.flatMap((_, i) =>
    columns.map((_, j): Cell => {
      const count = confusion.counts[i]![j] ?? confusion.invalid[i]!;
      const support = classes[i]!.support;
      return { truth: String(i), answer: j, count, share: support === 0 ? 0 : count / support };
    }),
  );
  const at = { x: "answer", y: "truth" };
  return draw("Confusion matrix: share of each true class by answer", {
    marginLeft: left,
    marginRight: right,
    marginTop: top,
    marginBottom: 4,
    height: top + height * confusion.labels.length + 4,
    x: {
      domain: [...columns.keys()],
      axis: "top",
      label: null,
      tickSize: 0,
      tickFormat: (j: number) => shorten(columns[j]!, LONGEST),
      ...(slant ? { tickRotate: -40 } : {}),
      padding: 0.04,
    },
    y: {
      domain: confusion.labels.map((_, i) => String(i)),
      label: null,
      tickSize: 0,
      tickFormat: (i: string) => shorten(confusion.labels[Number(i)]!),
      padding: 0.04,
    },
    // One hue from white to deep blue: read by lightness alone.
    color: { type: "linear", domain: [0, 1], range: ["#f2f6fa", "#0b4a7a"], interpolate: "lab" },
    marks: [
      Plot.cell(cells, { ...at, fill: "share", rx: 3 }),
      Plot.text(cells, {
        ...at,
        text: (cell: Cell) => (roomy ? percent(cell.share) : (100 * cell.share).toFixed(0)),
        fill: dark,
        fontSize: roomy ? 15 : 12,
        fontWeight: 600,
        dy: roomy ? -7 : 0,
      }),
      ...(roomy
        ? [
            Plot.text(cells, {
              ...at,
              text: (cell: Cell) => cell.count.toLocaleString("en"),
              fill: dark,
              fontSize: 11,
              dy: 10,
            }),
          ]
        : []),
    ],
  });
}
