import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import {
  type ProbeStudy,
  type SensitivityStudy,
  renderReport,
  renderStudies,
  summarizePredictions,
} from "../src/index.ts";
import { rows, writeLines } from "./fixtures.ts";

const score = (ua: number) => ({ ua, low: ua - 0.1, high: ua + 0.1, n: 40 });
const probe: ProbeStudy = {
  about: { corpus: "iemocap:x" },
  conditions: [
    { condition: "all", ...score(0.7) },
    { condition: "swapped <audio>", ...score(0.2) },
  ],
  reliance: [
    {
      modality: "audio",
      follows_swapped: 6,
      follows_rest: 2,
      neither: 1,
      share: { estimate: 0.75, low: 0.4, high: 0.9 },
    },
    { modality: "voice", follows_swapped: 0, follows_rest: 0, neither: 9, share: null },
  ],
  corruptions: [
    { corruption: "none", severity: null, unit: "", ...score(0.7) },
    { corruption: "noise", severity: 0, unit: "dB", ...score(0.3) },
    { corruption: "noise", severity: 20, unit: "dB", ...score(0.6) },
    { corruption: "telephone", severity: null, unit: "", ...score(0.5) },
    { corruption: "wer", severity: 0.3, unit: "", measured_wer: 0.29, ...score(0.65) },
  ],
};
const run = (prompt: string, order: string, ua: number) => ({
  name: `${prompt} ${order}`,
  factors: { prompt, order },
  ...score(ua),
});
const sensitivity: SensitivityStudy = {
  about: {},
  runs: [
    run("emotion-plain", "ab", 0.6),
    run("emotion-plain", "ba", 0.5),
    run("emotion-expert", "ab", 0.7),
    run("emotion-expert", "ba", 0.7),
  ],
  mean: 0.625,
  worst: 0.5,
  best: 0.7,
  spread: 0.2,
  deviation: 0.1,
  agreement: 0.8,
  unanimous: 0.4,
  majority: 0.66,
  factors: [
    { factor: "order", levels: { ab: 0.65, ba: 0.6 }, range: 0.05, changed: 0.1 },
    { factor: "words", levels: { adjective: 0.625 }, range: 0, changed: null },
  ],
  most_sensitive: "order",
  slots: [{ slot: "audio", with: 0.7, without: 0.3, changed: 0.5 }],
  most_sensitive_slot: "audio",
};
const textOf = (page: string): string => parseHTML(page).document.body.textContent.replace(/\s+/g, " ");

describe("a page of studies", () => {
  const page = renderStudies("Studies", { sensitivity, probe });

  test("has a figure for each, escapes what comes from data, and asks nothing of the network", () => {
    expect(page.match(/<svg/g)).toHaveLength(4);
    expect(page).not.toContain("<audio>");
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    expect(page).toContain("default-src 'none'");
  });

  test("says the figures", () => {
    const text = textOf(page);
    expect(text).toContain("UA 62.5 % on average, 50.0 % at worst, 70.0 % at best");
    expect(text).toMatch(/order of the labels ?2 10.0/);
    expect(text).not.toContain("form of the label words");
    expect(text).toContain("75.0 %");
  });

  test("draws severities from mild to harsh", () => {
    const text = textOf(page);
    const panel = text.slice(text.indexOf("noise (dB)"));
    expect(panel).toContain("telephone");
    expect(panel).toMatch(/%200 ?30/);
  });
});

test("a report takes studies in, and does without", async () => {
  const summary = await summarizePredictions(writeLines(rows(40)), { rounds: 20, permutations: 20 });
  expect(textOf(renderReport(summary, { studies: { probe } }))).toContain("Who decides");
  expect(textOf(renderReport(summary))).not.toContain("Who decides");
});
