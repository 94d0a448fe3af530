/** @file Draws a run's events: one line that renews itself in a terminal, plain lines otherwise. */
import type { TrainEvent } from "./training/events.ts";

const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const list = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, n]) => `${name} ${n}`)
    .join(", ");

const TEXTS: { readonly [K in TrainEvent["type"]]: (e: Extract<TrainEvent, { type: K }>) => string } = {
  data: (e) => `   ${e.done}/${e.total} ${e.what}`,
  split: (e) =>
    `   split: ${e.train} training, ${e.validation} validation, ${e.test} test utterances (sha256 ${e.sha256.slice(0, 12)})`,
  step: (e) =>
    `   step ${e.step}/${e.total}  loss ${e.loss.toFixed(3)}  lr ${e.learningRate.toExponential(1)}  ${e.utterancesPerSecond.toFixed(0)} utterances/s  ${clock(e.secondsLeft)} left  ${Math.round(e.memory / 2 ** 20)} MiB`,
  stage: (e) => `   stage ${e.name}: ${e.step > 0 ? `goes on after step ${e.step} of ` : ""}${e.steps} steps`,
  validation: (e) =>
    `   validation at step ${e.step}: ${list(Object.fromEntries(Object.entries(e.figures).map(([k, v]) => [k, Number(v.toFixed(3))])))}`,
  "early stop": (e) => `   stopped at step ${e.step}: no gain in ${e.evaluations} validations`,
  checkpoint: (e) => `   saved ${e.folder}`,
  resume: (e) => `   going on from ${e.folder}`,
  "finished before": (e) =>
    `   ${e.folder} holds this run, finished after ${e.steps} steps: nothing to do (overwrite_output_dir=true trains anew)`,
  log: () => "",
  "labels outside": (e) => `   left out, because scheme ${e.scheme} lacks their label: ${list(e.counts)}`,
  "bad audio": (e) =>
    `   left out, because their sound cannot be read (${e.bad.length}):${e.bad.map((b) => `\n     ${b.id}: ${b.message}`).join("")}`,
  scoring: (e) =>
    `   temperature ${e.temperature.toFixed(2)} on ${e.rows} validation utterances (log loss ${e.lossBefore.toFixed(3)} to ${e.lossAfter.toFixed(3)})${e.abstain_below === null ? "" : `; answers from a confidence of ${e.abstain_below.toFixed(3)}: ${(100 * e.coverage).toFixed(0)} % answered`}`,
  note: (e) => `   ${e.text}`,
  evaluate: (e) => `   test with ${e.name}: UA ${(100 * e.ua).toFixed(1)} %, WA ${(100 * e.wa).toFixed(1)} %`,
};

/** Options of {@link progressWriter}. */
export interface ProgressOptions {
  readonly stream?: NodeJS.WriteStream;
  /** A plain line every so many steps where there is no terminal. */
  readonly every?: number;
}

/** A function to hand events to. */
export function progressWriter({ stream = process.stderr, every = 10 }: ProgressOptions = {}): (
  event: TrainEvent,
) => void {
  const live = stream.isTTY === true && !process.env["CI"] && process.env["TERM"] !== "dumb";
  let ua = "";
  let open = false;
  return (event) => {
    if (event.type === "log") return;
    if (event.type === "validation" && event.figures["ua"] !== undefined)
      ua = `  UA ${(100 * event.figures["ua"]).toFixed(1)} %`;
    const text = (TEXTS[event.type] as (e: TrainEvent) => string)(event) + (event.type === "step" ? ua : "");
    const passing =
      event.type === "data" ? event.done < event.total : event.type === "step" ? event.step < event.total : false;
    if (live) {
      stream.write(`${open ? "\r\u001b[2K" : ""}${text.slice(0, (stream.columns ?? 100) - 1)}`);
      open = passing;
      if (!passing) stream.write("\n");
      return;
    }
    const at = event.type === "data" ? event.done : event.type === "step" ? event.step : 0;
    if (!passing || at === 1 || at % (event.type === "data" ? 200 : every) === 0) stream.write(`${text}\n`);
  };
}
