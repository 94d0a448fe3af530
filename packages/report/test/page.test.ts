import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { renderReport, summarizePredictions } from "../src/index.ts";
import { rows, writeLines } from "./fixtures.ts";

const quick = { rounds: 50, permutations: 50 };
const everything = (i: number): object => ({
  speaker: `s${i % 12}`,
  gender: i % 2 ? "F" : "M",
  fold: `f${i % 3}`,
  text: `line ${i}`,
  reference: "a b c",
  hypothesis: "a b",
  valence: i,
  valence_prediction: i + (i % 3),
  soft_label: { angry: 0.2, happy: 0.3, sad: 0.5 },
  audio: `clip${i}.wav`,
});

async function page(): Promise<string> {
  const summary = await summarizePredictions(writeLines(rows(120, { extra: everything })), {
    ...quick,
    compare: writeLines(rows(120, { shift: 1 })),
  });
  const audio = new Map([[summary.hardest[0]!.id, "data:audio/wav;base64,UklGRg=="]]);
  return renderReport(summary, { title: "A test", audio });
}

test("the page has every part, one player per known sound, and asks nothing of the network", async () => {
  const text = await page();
  const { document } = parseHTML(text);
  expect([...document.querySelectorAll("h2")].map((h) => h.textContent)).toEqual([
    "Confusion",
    "Classes",
    "Numbers",
    "Reliability",
    "Answering only when sure",
    expect.stringMatching(/^Against predictions-/),
    "Folds",
    "Slices",
    "Soft labels",
    "Dimensions",
    "Transcription",
    "Hardest utterances",
  ]);
  expect(document.querySelectorAll("audio")).toHaveLength(1);
  expect(document.querySelectorAll("ol.hard li")).toHaveLength(20);
  expect(document.querySelectorAll("svg").length).toBeGreaterThanOrEqual(8);
  for (const svg of document.querySelectorAll("svg")) expect(svg.getAttribute("aria-label")).toMatch(/\w/);
  expect(document.querySelectorAll("script, link, iframe, img, object")).toHaveLength(0);
  // Nothing is fetched: no address but in-page and data ones, and a policy that would stop it.
  for (const match of text.matchAll(/(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]*)/g))
    expect(match[1]).toMatch(/^(data:|#)/);
  expect(text).not.toMatch(/https?:\/\//);
  expect(text).toContain("default-src 'none'");
  expect(text).not.toMatch(/NaN|undefined|\[object|Infinity/);
});

test("a figure shows the matrix: a cell per pair with its share and count", async () => {
  const file = writeLines([
    { id: "1", label: "a", prediction: "a" },
    { id: "2", label: "a", prediction: "b" },
    { id: "3", label: "b", prediction: "b" },
  ]);
  const { document } = parseHTML(renderReport(await summarizePredictions(file, quick)));
  const svg = document.querySelector('svg[aria-label^="Confusion"]')!;
  const texts = [...svg.querySelectorAll("text")].map((t) => t.textContent?.replace("\u00a0", " "));
  expect(texts).toEqual(expect.arrayContaining(["50 %", "100 %", "0 %", "1", "0"]));
  expect(svg.querySelectorAll('g[aria-label="cell"] rect')).toHaveLength(4);
});

test("names and texts from the data cannot become markup", async () => {
  const evil = "<img src=x onerror=alert(1)>\"&'";
  const file = writeLines(
    Array.from({ length: 30 }, (_, i) => ({
      id: `${evil}${i}`,
      label: i % 2 ? evil : "</style><script>1</script>",
      prediction: i % 3 ? evil : "</svg><script>2</script>",
      speaker: `${evil}${i % 2}`,
      text: evil,
      audio: evil,
    })),
  );
  const summary = await summarizePredictions(file, quick);
  const audio = new Map(summary.hardest.map((u) => [u.id, '"><script>3</script>']));
  const { document } = parseHTML(renderReport(summary, { title: evil, audio }));
  expect(document.querySelectorAll("script, img")).toHaveLength(0);
  expect(document.querySelector("h1")!.textContent).toBe(evil);
});

test("small and odd files make pages too", async () => {
  const files = [
    [{ id: "1", label: "only", prediction: "only" }],
    [{ id: "1", label: "a", prediction: null }],
    [{ id: "1", label: "a", probabilities: { a: 1 } }],
    [{ id: "1", reference: "x", hypothesis: "x" }],
    Array.from({ length: 60 }, (_, i) => ({
      id: `${i}`,
      label: `a very long emotion name, number ${i % 30}`,
      prediction: `a very long emotion name, number ${i % 29}`,
    })),
  ];
  for (const lines of files) {
    const text = renderReport(await summarizePredictions(writeLines(lines), quick));
    expect(text).not.toMatch(/NaN|undefined|\[object|Infinity/);
  }
});
