/** @file The parts of the page about probabilities, soft labels, dimensions and transcripts. */
import { confidenceChart, reliabilityChart } from "../charts/reliability.ts";
import { riskCoverageChart } from "../charts/risk-coverage.ts";
import { percent } from "../charts/svg.ts";
import type { MetricsSummary } from "../summary.ts";
import { asNumber, asPercent, plural, range, value, whole } from "./format.ts";
import { type Html, html, raw } from "./html.ts";

/** Reliability and risk-coverage. */
export function probabilities({ probabilities: p }: MetricsSummary): Html | null {
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

/** Predicted distributions against the raters. */
export function softLabels({ soft_labels: s }: MetricsSummary): Html | null {
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

/** Valence, activation, dominance. */
export function dimensions({ dimensions: d }: MetricsSummary): Html | null {
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

/** Word and character error rates. */
export function transcription({ transcription: t }: MetricsSummary): Html | null {
  if (!t) return null;
  const units = [t.word, t.character];
  const counts = [
    ["right", "hits"],
    ["replaced", "substitutions"],
    ["missing", "deletions"],
    ["added", "insertions"],
  ] as const;
  return html`<section>
    <h2>Transcription</h2>
    <p>
      ${plural(t.rows, "utterance")}${
        t.normalized ? ", texts normalised (case, punctuation, notes in brackets)" : ", texts as they are"
      }.
    </p>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th></th>
            ${units.map((r) => html`<th class="n">${r.unit}s</th>`)}
          </tr>
        </thead>
        <tbody>
          <tr>
            <td>error rate</td>
            ${units.map(
              (r) =>
                html`<td class="n">
                  ${value(r.interval, asPercent)}<br /><span class="range">${range(r.interval, asPercent)}</span>
                </td>`,
            )}
          </tr>
          ${counts.map(
            ([name, key]) =>
              html`<tr>
                <td>${name}</td>
                ${units.map((r) => html`<td class="n">${whole(r[key])}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}
