/** @file A summary of predictions as text for a terminal. */
import type { MetricsSummary, Score } from "@emosllm/report";

/** A share in percent with its interval. */
export const percent = (score: Score | undefined): string => {
  if (!score || score.estimate === null) return "undefined";
  const of = (v: number): string => (100 * v).toFixed(1);
  const range = score.low === null || score.high === null ? "" : `  (${of(score.low)} to ${of(score.high)})`;
  return `${of(score.estimate).padStart(5)} %${range}`;
};
const plain = (score: Score | undefined): string => (score?.estimate?.toFixed(4) ?? "undefined").padStart(7);

/** The summary for people: a few lines, then the matrix. */
export function summaryText(s: MetricsSummary): string {
  const lines = [`${s.file}: ${s.rows} rows`];
  const row = (name: string, text: string): number => lines.push(`  ${name.padEnd(28)}${text}`);
  const { intervals: i } = s;
  lines.push(`${(100 * i.level).toFixed(0)} % ${i.method} intervals, ${i.rounds} rounds by ${i.unit} (${i.units})`);
  const c = s.classification;
  if (c) {
    lines.push("", `classes (${c.rows} rows)`);
    row("UAR (balanced accuracy)", percent(c.scores["uar"]));
    row("accuracy", percent(c.scores["accuracy"]));
    row("macro F1", percent(c.scores["macro_f1"]));
    row("weighted F1", percent(c.scores["weighted_f1"]));
    row("invalid answers", percent(c.scores["invalid_rate"]));
    row("Cohen's kappa / Matthews", `${plain(c.scores["cohen_kappa"])} / ${plain(c.scores["matthews"])}`);
    lines.push("", ...matrixLines(c));
  }
  const p = s.probabilities;
  if (p) {
    lines.push("", `probabilities (${p.rows} rows)`);
    row("calibration error (ECE)", percent(p.scores["ece"]));
    row("log loss / Brier", `${plain(p.scores["log_loss"])} / ${plain(p.scores["brier"])}`);
    row("AUROC, macro", plain(p.scores["auroc_macro"]));
    row("right among surest 80 %", percent(p.scores["selective_accuracy_80"]));
    if (p.temperature) row("temperature", p.temperature.temperature.toFixed(3));
  }
  const t = s.transcription;
  if (t) {
    lines.push("", `transcripts (${t.rows} rows)`);
    row("word error rate", percent(t.word.interval));
    row("character error rate", percent(t.character.interval));
  }
  for (const [name, d] of Object.entries(s.dimensions ?? {})) row(`${name} CCC`, plain(d.scores["ccc"]));
  if (s.soft_labels) row("soft labels, JS divergence", s.soft_labels.jensen_shannon.toFixed(4));
  for (const k of s.slices) row(`gap by ${k.key}`, `${percent(k.gap)}: ${k.best} over ${k.worst}`);
  if (s.comparison) lines.push("", ...comparisonLines(s.comparison));
  return `${lines.join("\n")}\n`;
}

function matrixLines(c: NonNullable<MetricsSummary["classification"]>): string[] {
  const { labels, counts, invalid } = c.confusion;
  const heads = [...labels, ...(invalid.some((n) => n > 0) ? ["(no label)"] : [])];
  const left = Math.max(...labels.map((l) => l.length), 6) + 4;
  const widths = heads.map((h) => Math.max(h.length, 7) + 2);
  const head = `  ${"truth".padEnd(left)}${heads.map((h, j) => h.padStart(widths[j]!)).join("")}   recall      F1`;
  const share = (score: Score): string =>
    (score.estimate === null ? "–" : (100 * score.estimate).toFixed(1)).padStart(6);
  return [
    head,
    ...labels.map((label, i) => {
      const cells = heads.map((_, j) => String(counts[i]![j] ?? invalid[i]).padStart(widths[j]!)).join("");
      return `  ${label.padEnd(left)}${cells}   ${share(c.classes[i]!.recall)}  ${share(c.classes[i]!.f1)}`;
    }),
  ];
}

/** Two systems on the same rows. */
export function comparisonLines(o: NonNullable<MetricsSummary["comparison"]>): string[] {
  const row = (name: string, text: string): string => `  ${name.padEnd(28)}${text}`;
  return [
    `against ${o.file} (${o.rows} common rows), this minus other`,
    ...o.scores.map((d) =>
      row(d.name, `${percent(d.difference)}  p = ${d.p_value.toPrecision(3)}, Holm ${d.p_holm.toPrecision(3)}`),
    ),
    row("McNemar (exact)", `p = ${o.mcnemar.p_value.toPrecision(3)}`),
  ];
}
