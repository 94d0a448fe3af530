/** @file The parts of the page about class answers: matrix, classes, two systems, folds, slices. */
import { classChart } from "../charts/classes.ts";
import { confusionChart, confusionHasCounts } from "../charts/confusion.ts";
import { differenceChart, sliceChart } from "../charts/intervals.ts";
import { COLORS, percent } from "../charts/svg.ts";
import type { ComparisonSummary, MetricsSummary } from "../summary.ts";
import { asNumber, asPercent, key, plural, pValue, range, value, whole } from "./format.ts";
import { type Html, html, raw } from "./html.ts";

/** Matrix, bars and the table of classes. */
export function classification({ classification: c, intervals }: MetricsSummary): Html | null {
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

/** Differences to another system. */
export function comparison(c: ComparisonSummary | null): Html | null {
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

/** Scores over the folds. */
export function folds({ folds: f }: MetricsSummary): Html | null {
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
            <th class="n">mean ± sd</th>
            <th class="n">pooled</th>
            ${names.map((n) => html`<th class="n">${n}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${Object.entries(f).map(
            ([name, s]) =>
              html`<tr>
                <td>${name.replace("_", " ").replace("uar", "UAR").replace("f1", "F1")}</td>
                <td class="n"><b>${(100 * s.mean).toFixed(1)} ± ${percent(s.standard_deviation, 1)}</b></td>
                <td class="n">${asPercent(s.pooled)}</td>
                ${names.map((n) => html`<td class="n">${asPercent(s.values[n]!)}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

/** Scores by part of the data. */
export function slices({ slices: list, classification: c }: MetricsSummary): Html | null {
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
