/** @file `emosllm metrics`: every number of a file of predictions, two systems compared, and a page with figures. */
import { dirname, join, resolve } from "node:path";
import { EmosllmError } from "@emosllm/interfaces";
import { type MetricsSummary, type Score, type SummaryOptions, summarizePredictions } from "@emosllm/report";
import { defineCommand } from "citty";
import { writeReportPage } from "../report-page.ts";
import { listArg, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

const metrics = defineCommand({
  meta: {
    name: "metrics",
    description: "Every number of a file of predictions, with intervals; two systems compared; a page with figures.",
  },
  args: {
    predictions: { type: "positional", required: true, description: "PREDICTIONS.jsonl, one utterance a line" },
    compare: { type: "string", description: "another system's predictions of the same utterances, paired by id" },
    json: { type: "boolean", default: false, description: "print one JSON object and write no page unless --report" },
    report: {
      type: "string",
      description:
        "where to write the page; none for no page (default: report.html beside PREDICTIONS, with --json none)",
    },
    labels: { type: "string", description: "the classes in order, comma-separated (default: all that occur, sorted)" },
    slice: {
      type: "string",
      description: "keys to slice by, comma-separated (default: speaker, gender, session, ...)",
    },
    cluster: {
      type: "string",
      description:
        "key whose rows are drawn together; none for single rows (default: speaker when ten or more are known)",
    },
    rounds: { type: "string", default: "1000", description: "bootstrap rounds" },
    permutations: { type: "string", default: "10000", description: "random swaps of the permutation tests" },
    level: { type: "string", default: "0.95", description: "level of the intervals" },
    method: { type: "string", default: "percentile", description: "percentile or bca" },
    seed: { type: "string", default: "0", description: "seed of the resampling" },
    validation: { type: "string", description: "predictions to fit a temperature on; it is applied to PREDICTIONS" },
    normalize: { type: "boolean", default: true, description: "normalise texts for WER (--no-normalize: as they are)" },
    hardest: { type: "string", default: "20", description: "how many of the worst errors to list" },
    audio: { type: "boolean", default: true, description: "put the worst errors' sound into the page (--no-audio)" },
    title: { type: "string", description: "title of the page" },
  },
  async run({ args }) {
    const level = Number(args.level);
    if (!(level > 0 && level < 1))
      throw new EmosllmError("usage", `--level ${args.level}: expected a share such as 0.95`);
    if (args.method !== "percentile" && args.method !== "bca")
      throw new EmosllmError("usage", `--method ${args.method}: expected percentile or bca`);
    const options: SummaryOptions = {
      compare: args.compare,
      labels: listArg(args.labels),
      slices: listArg(args.slice),
      cluster: args.cluster,
      rounds: wholeArg("rounds", args.rounds, 1),
      permutations: wholeArg("permutations", args.permutations, 1),
      level,
      method: args.method,
      seed: wholeArg("seed", args.seed, 0),
      validation: args.validation,
      normalize: args.normalize,
      hardest: wholeArg("hardest", args.hardest, 0),
    };
    const summary = await summarizePredictions(args.predictions, options);
    process.stdout.write(args.json ? `${JSON.stringify(summary)}\n` : describe(summary));
    const page = args.report ?? (args.json ? "none" : join(dirname(args.predictions), "report.html"));
    if (page === "none") return;
    await writeReportPage(page, summary, {
      title: args.title,
      sound: args.audio,
      folder: dirname(resolve(args.predictions)),
    });
    process.stderr.write(`report: ${page}\n`);
  },
});
export default metrics as AnyCommand;

const percent = (score: Score | undefined): string => {
  if (!score || score.estimate === null) return "undefined";
  const of = (v: number): string => (100 * v).toFixed(1);
  const range = score.low === null || score.high === null ? "" : `  (${of(score.low)} to ${of(score.high)})`;
  return `${of(score.estimate).padStart(5)} %${range}`;
};
const plain = (score: Score | undefined): string => (score?.estimate?.toFixed(4) ?? "undefined").padStart(7);

/** The summary for people: a few lines, then the matrix. */
function describe(s: MetricsSummary): string {
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
  const o = s.comparison;
  if (o) {
    lines.push("", `against ${o.file} (${o.rows} common rows), this minus other`);
    for (const d of o.scores)
      row(d.name, `${percent(d.difference)}  p = ${d.p_value.toPrecision(3)}, Holm ${d.p_holm.toPrecision(3)}`);
    row("McNemar (exact)", `p = ${o.mcnemar.p_value.toPrecision(3)}`);
  }
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
