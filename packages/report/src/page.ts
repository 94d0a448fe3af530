/** @file The report: one HTML file that needs nothing else, for a screen, a phone and paper. */
import { classChart } from "./charts/classes.ts";
import { confusionChart, confusionHasCounts } from "./charts/confusion.ts";
import { differenceChart, sliceChart } from "./charts/intervals.ts";
import { confidenceChart, reliabilityChart } from "./charts/reliability.ts";
import { riskCoverageChart } from "./charts/risk-coverage.ts";
import { COLORS, percent } from "./charts/svg.ts";
import { type Html, html, raw } from "./html.ts";
import { STYLE } from "./page-style.ts";
import type { ComparisonSummary, HardUtterance, MetricsSummary, Score } from "./summary.ts";

/** Options of {@link renderReport}. */
export interface ReportOptions {
  /** Default: the name of the predictions file. */
  title?: string | undefined;
  /** Sound of the hardest utterances by id, as `data:` URLs; others get no player. */
  audio?: ReadonlyMap<string, string> | undefined;
}

/** A self-contained page: figures as inline SVG, sound as data, no script, and a policy that forbids every request. */
export function renderReport(summary: MetricsSummary, { title, audio }: ReportOptions = {}): string {
  const name = title ?? summary.file.split(/[\\/]/).at(-1)!;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; media-src data:; img-src data:"
        />
        <title>${name}: evaluation</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <header>
            <h1>${name}</h1>
            <p>${subtitle(summary)}</p>
          </header>
          ${cards(summary)}
          <div class="grid">
            ${classification(summary)}${probabilities(summary)}${comparison(summary.comparison)}${folds(summary)}${slices(summary)}
            <div class="trio">${softLabels(summary)}${dimensions(summary)}${transcription(summary)}</div>
            ${hardestSection(summary.hardest, audio)}
          </div>
          <footer>${method(summary)}</footer>
        </main>
      </body>
    </html> `;
  return page.html;
}

const whole = (n: number): string => n.toLocaleString("en");
const plural = (n: number, noun: string): string => `${whole(n)} ${noun}${n === 1 ? "" : "s"}`;

function subtitle({ rows, labels, intervals }: MetricsSummary): string {
  const classes = labels.length ? `, ${plural(labels.length, "class")}`.replace("classs", "classes") : "";
  const unit = intervals.unit === "row" ? "" : `, ${plural(intervals.units, intervals.unit)}`;
  return `${plural(rows, "utterance")}${classes}${unit}`;
}

type Format = (value: number) => string;
const asPercent: Format = (v) => percent(v, 1);
const asNumber: Format = (v) => v.toFixed(3);

const value = (score: Score | undefined, format: Format): string =>
  score?.estimate === undefined || score.estimate === null ? "–" : format(score.estimate);
const range = (score: Score | undefined, format: Format): string =>
  score?.low === undefined || score.low === null || score.high === null
    ? ""
    : `${format(score.low).replace("\u00a0%", "")} to ${format(score.high)}`;

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

const key = (color: string, name: string): Html =>
  html`<span style="white-space:nowrap"><span class="key" style="background:${color}"></span>${name}</span>`;

function classification({ classification: c, intervals }: MetricsSummary): Html | null {
  if (!c) return null;
  const level = percent(intervals.level);
  return html`<section>
      <h2>Confusion</h2>
      <p>
        Rows are the true class, columns the answer. Each row adds up to
        100&nbsp;%${confusionHasCounts(c) ? "; counts below" : ""}.
      </p>
      ${raw(confusionChart(c))}
    </section>
    <section>
      <h2>Classes</h2>
      <p>
        ${key(COLORS.blue, "F1")} ${key(COLORS.sky, "recall (R)")} ${key(COLORS.pale, "precision (P)")}; the thin line
        is the ${level} interval.
      </p>
      ${raw(classChart(c.classes))}
    </section>
    <section class="wide">
      <h2>Numbers</h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>class</th>
              <th class="n">utterances</th>
              <th class="n spare">answers</th>
              <th class="n">precision</th>
              <th class="n">recall</th>
              <th class="n">F1</th>
            </tr>
          </thead>
          <tbody>
            ${c.classes.map(
              (k) =>
                html`<tr>
                  <td>${k.label}</td>
                  <td class="n">${whole(k.support)}</td>
                  <td class="n spare">${whole(k.predicted)}</td>
                  ${[k.precision, k.recall, k.f1].map(
                    (s) =>
                      html`<td class="n">
                        ${value(s, asPercent)}<br /><span class="range">${range(s, asPercent)}</span>
                      </td>`,
                  )}
                </tr>`,
            )}
            <tr>
              <td><b>macro</b></td>
              <td class="n">${whole(c.rows)}</td>
              <td class="n spare">${whole(c.classes.reduce((n, k) => n + k.predicted, 0))}</td>
              ${["macro_precision", "macro_recall", "macro_f1"].map(
                (n) =>
                  html`<td class="n">
                    ${value(c.scores[n], asPercent)}<br /><span class="range">${range(c.scores[n], asPercent)}</span>
                  </td>`,
              )}
            </tr>
          </tbody>
        </table>
      </div>
      <p style="margin-top:10px">
        Cohen’s κ ${value(c.scores["cohen_kappa"], asNumber)}, Matthews ${value(c.scores["matthews"], asNumber)}, micro
        F1 ${value(c.scores["micro_f1"], asPercent)}.
      </p>
    </section>`;
}

function probabilities({ probabilities: p }: MetricsSummary): Html | null {
  if (!p) return null;
  const t = p.temperature;
  const s = p.scores;
  return html`<section>
      <h2>Reliability</h2>
      <p>
        A point is a range of confidence, as large as its rows; on the dashed line, confidence keeps its word.
        Calibration error
        ${value(s["ece"], asPercent)}.${
          t
            ? ` Temperature ${t.temperature.toFixed(2)} from ${plural(t.validation_rows, "validation row")}; before it ${percent(t.ece_before, 1)}.`
            : ""
        }
      </p>
      ${raw(reliabilityChart(p.reliability))}${raw(confidenceChart(p.reliability))}
    </section>
    <section>
      <h2>Answering only when sure</h2>
      <p>
        Share of wrong answers when only the surest are given. Area under the curve ${value(s["aurc"], asNumber)}; of
        the surest 80&nbsp;%, ${value(s["selective_accuracy_80"], asPercent)} are right, of the surest half
        ${value(s["selective_accuracy_50"], asPercent)}.
      </p>
      ${raw(riskCoverageChart(p.risk_coverage))}
      <div class="scroll">
        <table style="margin-top:12px">
          <tbody>
            ${(
              [
                ["AUROC, macro", "auroc_macro", asNumber],
                ["log loss (nats)", "log_loss", asNumber],
                ["Brier score (0 to 2)", "brier", asNumber],
                ["adaptive calibration error", "ace", asPercent],
                ["largest calibration gap", "mce", asPercent],
                ["truth among the top two", "top_2_accuracy", asPercent],
              ] as const
            ).map(
              ([label, name, format]) =>
                html`<tr>
                  <td>${label}</td>
                  <td class="n">${value(s[name], format)} <span class="range">${range(s[name], format)}</span></td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>`;
}

const pValue = (p: number): string => (p < 0.0001 ? "< 0.0001" : p.toFixed(4));

function comparison(c: ComparisonSummary | null): Html | null {
  if (!c) return null;
  const { only_first_right: a, only_second_right: b, p_value: p } = c.mcnemar;
  return html`<section class="wide">
    <h2>Against ${c.file.split(/[\\/]/).at(-1)!}</h2>
    <p>
      ${plural(c.rows, "utterance")} answered by both. This file alone is right on ${whole(a)}, the other alone on
      ${whole(b)} (McNemar, exact: p ${pValue(p).startsWith("<") ? "" : "= "}${pValue(p)}).
    </p>
    <div class="slices">
      <div>${raw(differenceChart(c))}</div>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>score</th>
              <th class="n">this</th>
              <th class="n">other</th>
              <th class="n">p</th>
              <th class="n">p (Holm)</th>
            </tr>
          </thead>
          <tbody>
            ${c.scores.map(
              (s) =>
                html`<tr>
                  <td>${s.name.replace("_", " ").replace("uar", "UAR").replace("f1", "F1")}</td>
                  <td class="n">${asPercent(s.first)}</td>
                  <td class="n">${asPercent(s.second)}</td>
                  <td class="n">${pValue(s.p_value)}</td>
                  <td class="n">${pValue(s.p_holm)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </div>
  </section>`;
}

function folds({ folds: f }: MetricsSummary): Html | null {
  if (!f) return null;
  const names = Object.keys(f["uar"]!.values);
  return html`<section class="wide">
    <h2>Folds</h2>
    <p>Mean and standard deviation over ${names.length} folds; pooled takes all rows together.</p>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>score</th>
            ${names.map((n) => html`<th class="n">${n}</th>`)}
            <th class="n">mean ± sd</th>
            <th class="n">pooled</th>
          </tr>
        </thead>
        <tbody>
          ${Object.entries(f).map(
            ([name, s]) =>
              html`<tr>
                <td>${name.replace("_", " ").replace("uar", "UAR").replace("f1", "F1")}</td>
                ${names.map((n) => html`<td class="n">${asPercent(s.values[n]!)}</td>`)}
                <td class="n"><b>${(100 * s.mean).toFixed(1)} ± ${percent(s.standard_deviation, 1)}</b></td>
                <td class="n">${asPercent(s.pooled)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function slices({ slices: list, classification: c }: MetricsSummary): Html | null {
  if (!c || list.length === 0) return null;
  return html`<section class="wide">
    <h2>Slices</h2>
    <p>
      UAR by part of the data, worst first; the dashed line is all rows (${value(c.scores["uar"], asPercent)}). Small
      parts have wide intervals, and the best of many parts is partly luck: read a gap with its interval.
    </p>
    <div class="slices">
      ${list.map(
        (s) =>
          html`<div>
            <h3>${s.key}</h3>
            <p style="margin:0;color:var(--soft);font-size:.85rem">
              gap ${value(s.gap, asPercent)} (${range(s.gap, asPercent)}), ${s.best} over ${s.worst}
            </p>
            ${raw(sliceChart(s, c.scores["uar"]!))}
          </div>`,
      )}
    </div>
  </section>`;
}

const table = (rows: readonly (readonly [string, string])[]): Html =>
  html`<div class="scroll">
    <table>
      <tbody>
        ${rows.map(
          ([name, text]) =>
            html`<tr>
              <td>${name}</td>
              <td class="n">${text}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;

function softLabels({ soft_labels: s }: MetricsSummary): Html | null {
  if (!s) return null;
  return html`<section>
    <h2>Soft labels</h2>
    <p>Predicted distribution against the raters’, ${plural(s.rows, "utterance")}.</p>
    ${table([
      ["Jensen-Shannon divergence (nats)", asNumber(s.jensen_shannon)],
      [
        "Kullback-Leibler divergence (nats)",
        s.kl === null ? `infinite in ${plural(s.kl_infinite, "row")}` : asNumber(s.kl),
      ],
      ["cosine", asNumber(s.cosine)],
      ["a random rater agrees", asPercent(s.annotator_match.random)],
      ["some rater agrees", asPercent(s.annotator_match.any)],
      ["the majority agrees", asPercent(s.annotator_match.majority)],
    ])}
  </section>`;
}

function dimensions({ dimensions: d }: MetricsSummary): Html | null {
  if (!d) return null;
  return html`<section>
    <h2>Dimensions</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th></th>
            <th class="n">rows</th>
            <th class="n">CCC</th>
            <th class="n">Pearson</th>
            <th class="n">RMSE</th>
          </tr>
        </thead>
        <tbody>
          ${Object.entries(d).map(
            ([name, { rows, scores }]) =>
              html`<tr>
                <td>${name}</td>
                <td class="n">${whole(rows)}</td>
                <td class="n">${value(scores["ccc"], asNumber)}</td>
                <td class="n">${value(scores["pearson"], asNumber)}</td>
                <td class="n">${value(scores["rmse"], asNumber)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function transcription({ transcription: t }: MetricsSummary): Html | null {
  if (!t) return null;
  return html`<section>
    <h2>Transcription</h2>
    <p>
      ${plural(t.rows, "utterance")}${t.normalized ? ", texts normalised (case, punctuation, notes in brackets)" : ", texts as they are"}.
    </p>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th></th>
            <th class="n">error rate</th>
            <th class="n">right</th>
            <th class="n">replaced</th>
            <th class="n">missing</th>
            <th class="n">added</th>
          </tr>
        </thead>
        <tbody>
          ${[t.word, t.character].map(
            (r) =>
              html`<tr>
                <td>${r.unit}s</td>
                <td class="n">
                  ${value(r.interval, asPercent)}<br /><span class="range">${range(r.interval, asPercent)}</span>
                </td>
                ${[r.hits, r.substitutions, r.deletions, r.insertions].map((n) => html`<td class="n">${whole(n)}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function hardestSection(list: readonly HardUtterance[], audio: ReadonlyMap<string, string> | undefined): Html | null {
  if (list.length === 0) return null;
  const known = list.some((u) => u.probability !== null);
  return html`<section class="wide">
    <h2>Hardest utterances</h2>
    <p>Wrong answers${known ? ", least probability on the truth first" : ""}.</p>
    <ol class="hard">
      ${list.map((u) => {
        const sound = audio?.get(u.id);
        return html`<li>
          <span class="verdict"
            ><b class="truth">${u.label}</b>${u.probability === null ? "" : ` (${percent(u.probability, 1)})`} heard as
            <b class="answer">${u.prediction ?? "no label"}</b
            >${u.confidence === null ? "" : ` (${percent(u.confidence, 1)})`}</span
          >${u.text ? html`<q>${u.text}</q>` : null}<span class="id">${u.id}${u.speaker ? ` · ${u.speaker}` : ""}</span
          >${sound ? html`<audio controls preload="none" src="${sound}"></audio>` : null}
        </li>`;
      })}
    </ol>
  </section>`;
}

function method({ intervals: i }: MetricsSummary): string {
  const unit = i.unit === "row" ? "single utterances" : `whole ${i.unit}s (${whole(i.units)})`;
  return `Ranges are ${percent(i.level)} ${i.method === "bca" ? "BCa" : "percentile"} bootstrap intervals, ${whole(i.rounds)} rounds over ${unit}, seed ${i.seed}.`;
}
