/** Learning curves: what is drawn of a run's log, and what is not. */
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { learningPanels, stageStarts } from "../src/learning.ts";
import { type LogLine, renderReport, summarizePredictions } from "../src/index.ts";
import { rows, writeLines } from "./fixtures.ts";

const log: LogLine[] = Array.from({ length: 1000 }, (_, i) => ({
  step: i + 1,
  stage: i < 400 ? "hear" : "feel <both>",
  loss: 1000 - i,
  learning_rate: 10 ** (-3 - i / 500),
  grad_norm: 1,
}));
const evaluated: LogLine[] = [...log, { step: 500, eval_ua: 0.5, eval_loss: 1 }, { step: 1000, eval_ua: 0.75, eval_loss: 0.5 }, { step: 1000, test_ua: 0.7 }]; // prettier-ignore

describe("panels", () => {
  test("figures of one kind together; the test's are no curve", () => {
    const panels = learningPanels(evaluated).map((p) => [p.title, p.curves.map((c) => c.name)]);
    expect(panels).toEqual([
      ["Loss", ["loss", "eval_loss"]],
      ["Scores on validation", ["eval_ua"]],
      ["Learning rate", ["learning_rate"]],
      ["Norm of the gradient", ["grad_norm"]],
    ]);
  });
  test("many points become means of neighbours", () => {
    const [loss] = learningPanels(log);
    // 1000 points at most 300: groups of four.
    expect(loss?.curves[0]?.points).toHaveLength(250);
    expect(loss?.curves[0]?.points[0]).toEqual({ step: 2.5, value: 998.5 });
    expect(loss?.curves[0]?.points.at(-1)).toEqual({ step: 998.5, value: 2.5 });
  });
  test("one point, none, or no number: no panel", () => {
    expect(learningPanels([{ step: 1, loss: 2 }])).toEqual([]);
    expect(learningPanels([])).toEqual([]);
    expect(learningPanels([{ step: 1, loss: "x" }, { step: 2, loss: Number.NaN }])).toEqual([]); // prettier-ignore
  });
  test("stages begin after the last step of the one before", () =>
    expect(stageStarts(log)).toEqual([
      { step: 0, stage: "hear" },
      { step: 400, stage: "feel <both>" },
    ]));
});

test("the page has the curves, escaped, and is the same without a log", async () => {
  const summary = await summarizePredictions(writeLines(rows(40)), { rounds: 20 });
  const page = renderReport(summary, { log: evaluated });
  const { document } = parseHTML(page);
  const headings = [...document.querySelectorAll("h3")].map((h) => h.textContent);
  expect(headings).toEqual(expect.arrayContaining(["Loss", "Scores on validation", "Learning rate"]));
  expect(document.querySelector('svg[aria-label="Loss by step"]')?.textContent).toContain("feel <both>");
  expect(page).not.toContain("<both>");
  expect(page).not.toContain("NaN");
  expect(renderReport(summary, { log: [] })).toBe(renderReport(summary));
  expect(renderReport(summary)).not.toContain("Learning curves");
});
