/** @file The parts of the page about ways of asking, inputs and corruptions. */
import { percent } from "../charts/svg.ts";
import { conditionChart, corruptionChart, relianceChart, sensitivityChart } from "../charts/studies.ts";
import type { ProbeStudy, SensitivityStudy, Studies } from "../studies.ts";
import { plural } from "./format.ts";
import { type Html, html, raw } from "./html.ts";

/** Sections of what there is. */
export const studySections = ({ sensitivity, probe }: Studies): Html =>
  html`${sensitivity && sensitivitySections(sensitivity)}${probe && probeSections(probe)}`;

const share = (v: number | null): string => (v === null ? "–" : percent(v, 1));

const NAMES: Readonly<Record<string, string>> = {
  prompt: "prompt",
  words: "form of the label words",
  order: "order of the labels",
  slots: "slots that are filled",
};

function sensitivitySections(s: SensitivityStudy): Html {
  const moving = s.factors.filter((f) => Object.keys(f.levels).length > 1);
  return html`<section class="wide">
      <h2>Ways of asking</h2>
      <p>
        ${plural(s.runs.length, "way")} of asking the same utterances: UA ${share(s.mean)} on average, ${share(s.worst)}
        at worst, ${share(s.best)} at best. Two ways agree in ${share(s.agreement)} of answers; all agree on
        ${share(s.unanimous)} of utterances. The majority answer over all ways has ${share(s.majority)}.
      </p>
      ${raw(sensitivityChart(s))}
    </section>
    <section>
      <h2>What moves answers</h2>
      <p>Share of answers that change when this alone changes, and how far the means of its levels lie apart.</p>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>asking</th>
              <th class="n">levels</th>
              <th class="n">changed</th>
              <th class="n">range of UA</th>
            </tr>
          </thead>
          <tbody>
            ${moving.map(
              (f) =>
                html`<tr>
                  <td>${NAMES[f.factor] ?? f.factor}</td>
                  <td class="n">${Object.keys(f.levels).length}</td>
                  <td class="n">${share(f.changed)}</td>
                  <td class="n">${share(f.range)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
        <table style="margin-top:12px">
          <thead>
            <tr>
              <th>slot left out</th>
              <th class="n">changed</th>
              <th class="n">UA with</th>
              <th class="n">without</th>
            </tr>
          </thead>
          <tbody>
            ${s.slots.map(
              (e) =>
                html`<tr>
                  <td>${e.slot}</td>
                  <td class="n">${share(e.changed)}</td>
                  <td class="n">${share(e.with)}</td>
                  <td class="n">${share(e.without)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>`;
}

function probeSections({ conditions, reliance, corruptions }: ProbeStudy): Html {
  return html`${
    conditions.length > 0 &&
    html`<section>
      <h2>Inputs taken away and exchanged</h2>
      <p>
        Unweighted average recall of what the model is left with; shuffled: from any other utterance, swapped: from one
        of another label. The voice is what is said of it in words: swapped, it contradicts the sound.
      </p>
      ${raw(conditionChart(conditions))}
    </section>`
  }${
    reliance.length > 0 &&
    html`<section>
      <h2>Who decides</h2>
      <p>
        Share of decisions that follow an input when it contradicts the others (of those that follow either side), with
        Wilson intervals.
      </p>
      ${raw(relianceChart(reliance))}
    </section>`
  }${
    corruptions.length > 0 &&
    html`<section class="wide">
      <h2>Corrupted inputs</h2>
      <p>
        Unweighted average recall against severity, with 95&nbsp;% intervals; the dashed line is the clean
        ${share(corruptions[0]!.ua)}.
      </p>
      ${raw(corruptionChart(corruptions))}
    </section>`
  }`;
}
