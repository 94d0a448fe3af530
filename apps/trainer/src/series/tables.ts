/** @file Tables as Markdown and as LaTeX (booktabs). */

/** Rows of text; a row may end a group, after which a line is drawn. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly { readonly cells: readonly string[]; readonly rule?: boolean }[];
  readonly caption: string;
  /** What a reader must know to use the numbers, one sentence each. */
  readonly notes: readonly string[];
}

/** Columns are padded, so that it reads as text too; all but the first are set to the right. */
export function markdownTable({ head, rows, caption, notes }: Table): string {
  const all = [head, ...rows.map((r) => r.cells)];
  const widths = head.map((_, c) => Math.max(3, ...all.map((cells) => [...(cells[c] ?? "")].length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join(" | ")} |`;
  const rule = `| ${widths.map((w, c) => (c === 0 ? "-".repeat(w) : `${"-".repeat(w - 1)}:`)).join(" | ")} |`;
  const text = [
    `**${caption}**`,
    "",
    line(head),
    rule,
    ...rows.map((r) => line(r.cells)),
    "",
    ...notes.map((n) => `- ${n}`),
  ];
  return `${text.join("\n")}\n`;
}

const SPECIAL: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "±": "$\\pm$",
  "–": "--",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
};

/** Text as LaTeX sets it. */
export const latexText = (text: string): string =>
  text.replaceAll(/[\\±–~^]|[&%$#_{}]/g, (c) => SPECIAL[c] ?? `\\${c}`);

/** A `table` of the booktabs package. */
export function latexTable({ head, rows, caption, notes }: Table, label: string): string {
  const line = (cells: readonly string[]): string => `  ${cells.map(latexText).join(" & ")} \\\\`;
  return `\\begin{table}
  \\centering
  \\caption{${latexText(caption)}. ${latexText(notes.join(" "))}}
  \\label{${label}}
  \\begin{tabular}{l${"r".repeat(head.length - 1)}}
  \\toprule
${line(head)}
  \\midrule
${rows.map((r) => `${line(r.cells)}${r.rule ? "\n  \\midrule" : ""}`).join("\n")}
  \\bottomrule
  \\end{tabular}
\\end{table}
`;
}

/** `71.4` */
export const inPercent = (share: number | null | undefined): string =>
  share === null || share === undefined || Number.isNaN(share) ? "–" : (100 * share).toFixed(1);
/** `71.4 ± 2.0` */
export const meanAndDeviation = (mean: number, deviation: number): string =>
  `${inPercent(mean)} ± ${inPercent(deviation)}`;
/** `71.4 [68.0, 74.9]` */
export const withInterval = (
  s: { estimate: number | null; low: number | null; high: number | null } | undefined,
): string =>
  s === undefined
    ? "–"
    : s.low === null
      ? inPercent(s.estimate)
      : `${inPercent(s.estimate)} [${inPercent(s.low)}, ${inPercent(s.high)}]`;
