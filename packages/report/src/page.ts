/** @file The report: one HTML file that needs nothing else, for a screen, a phone and paper. */
import { percent } from "./charts/svg.ts";
import { classification, comparison, folds, slices } from "./page/classes.ts";
import { asNumber, asPercent, type Format, plural, range, value, whole } from "./page/format.ts";
import type { LogLine } from "./learning.ts";
import { hardestSection } from "./page/hardest.ts";
import { type Html, html, raw } from "./page/html.ts";
import { learningSection } from "./page/learning.ts";
import { dimensions, probabilities, softLabels, transcription } from "./page/others.ts";
import { studySections } from "./page/studies.ts";
import { wholePage } from "./page/whole.ts";
import type { Studies } from "./studies.ts";
import type { MetricsSummary, Score } from "./summary.ts";

/** Options of {@link renderReport}. */
export interface ReportOptions {
  /** Default: the name of the predictions file. */
  title?: string | undefined;
  /** What `emosllm prompts sensitivity` and `emosllm probe` found out about the same model. */
  studies?: Studies | undefined;
  /** Lines of the run's `log.jsonl`, drawn as learning curves. */
  log?: readonly LogLine[] | undefined;
  /** Sound of the hardest utterances by id, as `data:` URLs; others get no player. */
  audio?: ReadonlyMap<string, string> | undefined;
}

/** A self-contained page: figures as inline SVG, sound as data, no script, and a policy that forbids every request. */
export function renderReport(
  summary: MetricsSummary,
  { title, audio, studies = {}, log = [] }: ReportOptions = {},
): string {
  const name = title ?? summary.file.split(/[\\/]/).at(-1)!;
  return wholePage(
    name,
    subtitle(summary),
    html`${cards(summary)}
      <div class="grid">
        ${classification(summary)}${probabilities(summary)}${comparison(summary.comparison)}${folds(summary)}${slices(summary)}
        <div class="trio">${softLabels(summary)}${dimensions(summary)}${transcription(summary)}</div>
        ${learningSection(log)} ${studySections(studies)} ${hardestSection(summary.hardest, audio)}
      </div>
      <footer>${method(summary)}</footer>`,
  );
}

function subtitle({ rows, labels, intervals }: MetricsSummary): string {
  const classes = labels.length ? `, ${plural(labels.length, "class")}`.replace("classs", "classes") : "";
  const unit = intervals.unit === "row" ? "" : `, ${plural(intervals.units, intervals.unit)}`;
  return `${plural(rows, "utterance")}${classes}${unit}`;
}

function cards({ classification: c, probabilities: p, transcription: t }: MetricsSummary): Html {
  const list: [name: string, score: Score | undefined, format: Format][] = [];
  if (c)
    list.push(
      ["UAR (UA)", c.scores["uar"], asPercent],
      ["accuracy (WA)", c.scores["accuracy"], asPercent],
      ["macro F1", c.scores["macro_f1"], asPercent],
      ["weighted F1", c.scores["weighted_f1"], asPercent],
    );
  if (c && c.confusion.invalid.some((n) => n > 0)) list.push(["invalid answers", c.scores["invalid_rate"], asPercent]);
  if (p)
    list.push(["calibration error", p.scores["ece"], asPercent], ["log loss (nats)", p.scores["log_loss"], asNumber]);
  if (t)
    list.push(["word error rate", t.word.interval, asPercent], ["char. error rate", t.character.interval, asPercent]);
  return html`<div class="cards">
    ${list.map(
      ([name, score, format], i) =>
        html`<div class="card${i === 0 ? " first" : ""}">
          <span class="name">${name}</span><b>${value(score, format)}</b
          ><span class="range">${range(score, format) || raw("&nbsp;")}</span>
        </div>`,
    )}
  </div>`;
}

function method({ intervals: i }: MetricsSummary): string {
  const unit = i.unit === "row" ? "single utterances" : `whole ${i.unit}s (${whole(i.units)})`;
  return `Ranges are ${percent(i.level)} ${i.method === "bca" ? "BCa" : "percentile"} bootstrap intervals, ${whole(i.rounds)} rounds over ${unit}, seed ${i.seed}.`;
}
