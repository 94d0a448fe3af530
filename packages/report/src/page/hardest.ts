/** @file The list of hardest utterances, with players. */
import { percent } from "../charts/svg.ts";
import type { HardUtterance } from "../summary.ts";
import { type Html, html } from "./html.ts";

/** A card per utterance; a player where `audio` has its sound. */
export function hardestSection(
  list: readonly HardUtterance[],
  audio: ReadonlyMap<string, string> | undefined,
): Html | null {
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
