import { MetricsError } from "@emosllm/eval-metrics";
import { EmosllmError } from "@emosllm/interfaces";
import * as fc from "fast-check";
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { renderReport, summarizePredictions } from "../src/index.ts";
import { nowhere, writeLines } from "./fixtures.ts";

const quick = { rounds: 10, permutations: 10 };
// EMOSLLM_FULL=1 tries fifty times as many.
const numRuns = process.env["EMOSLLM_FULL"] ? 10_000 : 200;

/** Either a page, or an error of ours; anything else is a crash. */
async function summarizes(file: string, labels?: string[]): Promise<void> {
  try {
    const page = renderReport(await summarizePredictions(file, { ...quick, labels }));
    expect(page).not.toMatch(/NaN|Infinity|\[object/);
  } catch (error) {
    if (error instanceof EmosllmError) expect(error.message).toContain(".jsonl");
    else if (!(error instanceof MetricsError)) throw error;
  }
}

const name = fc.constantFrom("a", "b", "c", "__proto__", "");
const share = fc.constantFrom(0, 0.25, 0.5, 1, -1, 1e-320);
const anything = fc.oneof(fc.jsonValue(), name, fc.double());
/** Lines that are nearly right: known keys with mostly fitting values. */
const line = fc.record(
  {
    id: fc.oneof({ weight: 9, arbitrary: fc.uuid() }, anything),
    label: fc.oneof({ weight: 9, arbitrary: name }, anything),
    prediction: fc.oneof({ weight: 9, arbitrary: fc.option(name) }, anything),
    probabilities: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom({ a: 1 }, { a: 0.5, b: 0.5 }, { a: 0, b: 0, c: 1 }) },
      fc.dictionary(name, share),
      anything,
    ),
    soft_label: fc.oneof(fc.constantFrom({ a: 0.5, b: 0.5 }, { c: 1 }), anything),
    reference: fc.string({ unit: "binary" }),
    hypothesis: fc.string({ unit: "binary" }),
    valence: fc.oneof(fc.double(), anything),
    valence_prediction: fc.double(),
    speaker: fc.oneof({ weight: 9, arbitrary: name }, anything),
    fold: fc.oneof(fc.nat(3), name),
    duration: fc.double(),
    audio: fc.oneof(name, anything),
    text: anything,
  },
  { requiredKeys: ["id", "label", "prediction"] },
);

test("nearly right lines give a page or a named error", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 12 }), fc.boolean(), (lines, listed) =>
      summarizes(writeLines(lines), listed ? ["a", "b", "c", "__proto__", ""] : undefined),
    ),
    { numRuns, seed: 1 },
  );
});

test("any bytes give a page or a named error", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      writeFileSync(nowhere, bytes);
      return summarizes(nowhere);
    }),
    { numRuns, seed: 2 },
  );
});
