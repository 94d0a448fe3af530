/** @file The part of the page about how the run learnt. */
import { curveColor, learningChart } from "../charts/learning.ts";
import { type LogLine, learningPanels, stageStarts } from "../learning.ts";
import { key } from "./format.ts";
import { type Html, html, raw } from "./html.ts";

const NAMES: Readonly<Record<string, string>> = {
  loss: "training",
  eval_loss: "validation",
  eval_ua: "UA",
  eval_wa: "WA",
  eval_macro_f1: "macro F1",
};

/** `eval_valence_ccc` as `valence`. */
const nameOf = (name: string): string =>
  NAMES[name] ??
  name
    .replace(/^eval_/, "")
    .replace(/_(ccc|loss)$/, "")
    .replaceAll("_", " ");

/** A section with a panel for each kind of figure; nothing where the log has fewer than two points. */
export function learningSection(log: readonly LogLine[]): Html | false {
  const panels = learningPanels(log);
  if (panels.length === 0) return false;
  const stages = stageStarts(log);
  return html`<section class="wide">
    <h2>Learning curves</h2>
    <p>
      Figures of the run by step, as <code>log.jsonl</code> has them; training figures are means over a line's steps.
    </p>
    <div class="slices">
      ${panels.map(
        (panel) =>
          html`<div>
            <h3>${panel.title}</h3>
            ${panel.curves.length > 1 && html`<p class="legend">${panel.curves.map((c, i) => html`${key(curveColor(i), nameOf(c.name))} `)}</p>`}
            ${raw(learningChart(panel, stages))}
          </div>`,
      )}
    </div>
  </section>`;
}
