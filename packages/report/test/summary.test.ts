import {
  accuracy,
  brierScore,
  confusionMatrix,
  expectedCalibrationError,
  fitTemperature,
  logLoss,
  macroF1,
  mcnemar,
  scoreTable,
  unweightedAverageRecall,
  wordErrorRate,
} from "@emosllm/eval-metrics";
import { expect, test } from "vitest";
import { forEachLine, summarizePredictions } from "../src/index.ts";
import { nowhere, rows, writeLines } from "./fixtures.ts";

type Row = { id: string; label: string; prediction: string; probabilities: Record<string, number> };
const quick = { rounds: 100, permutations: 200 };

test("a file's numbers are those of the metrics on its columns", async () => {
  const list = rows(90) as Row[];
  const summary = await summarizePredictions(writeLines(list), quick);
  const truth = list.map((r) => r.label);
  const matrix = confusionMatrix(
    truth,
    list.map((r) => r.prediction),
  );
  expect(summary).toMatchObject({
    rows: 90,
    labels: ["angry", "happy", "sad"],
    comparison: null,
    transcription: null,
    folds: null,
  });
  expect(summary.classification!.confusion).toEqual(matrix);
  expect(summary.classification!.scores["uar"]!.estimate).toBe(unweightedAverageRecall(matrix));
  expect(summary.classification!.scores["macro_f1"]!.estimate).toBe(macroF1(matrix));
  const table = scoreTable(
    truth,
    list.map((r) => r.probabilities),
  );
  expect(summary.probabilities!.scores["log_loss"]!.estimate).toBeCloseTo(logLoss(table), 12);
  expect(summary.probabilities!.scores["brier"]!.estimate).toBeCloseTo(brierScore(table), 12);
  expect(summary.probabilities!.scores["ece"]!.estimate).toBeCloseTo(expectedCalibrationError(table), 12);
  const { low, high, estimate } = summary.classification!.scores["accuracy"]!;
  expect(estimate).toBe(accuracy(matrix));
  expect(low! < estimate! && estimate! < high!).toBe(true);
  expect(summary.hardest.length).toBe(20);
  expect(summary.hardest[0]!.probability!).toBeLessThanOrEqual(summary.hardest[19]!.probability!);
});

test("null and unknown answers are invalid; without a prediction the most probable label is the answer", async () => {
  const file = writeLines([
    { id: "1", label: "a", prediction: null },
    { id: "2", label: "b", prediction: "zzz" },
    { id: "3", label: "a", probabilities: { a: 0.7, b: 0.3 } },
    { id: "4", label: "b", probabilities: { b: 0.5, a: 0.5 } },
  ]);
  const { classification } = await summarizePredictions(file, { ...quick, labels: ["a", "b"] });
  expect(classification!.confusion).toEqual({
    labels: ["a", "b"],
    counts: [
      [1, 0],
      [1, 0],
    ],
    invalid: [1, 1],
  });
  const open = await summarizePredictions(file, quick);
  expect(open.labels).toEqual(["a", "b", "zzz"]);
});

test("speakers are drawn whole when ten or more are known, or any key that is asked for", async () => {
  const extra = (i: number): object => ({ speaker: `s${i % 10}`, dialogue: `d${i % 4}`, gender: i % 2 ? "F" : "M" });
  const file = writeLines(rows(200, { extra }));
  const byDefault = await summarizePredictions(file, quick);
  expect(byDefault.intervals).toMatchObject({ unit: "speaker", units: 10 });
  expect(byDefault.slices.map((s) => s.key)).toEqual(["speaker", "gender"]);
  expect((await summarizePredictions(file, { ...quick, cluster: "none" })).intervals.unit).toBe("row");
  expect((await summarizePredictions(file, { ...quick, cluster: "dialogue" })).intervals).toMatchObject({
    unit: "dialogue",
    units: 4,
  });
  await expect(summarizePredictions(file, { ...quick, cluster: "room" })).rejects.toThrow(
    /200 of 200 lines have no "room"/,
  );
});

test("transcripts, dimensions, soft labels and folds appear when lines have them", async () => {
  const soft = { angry: 0.5, happy: 0.25, sad: 0.25 };
  const extra = (i: number): object => ({
    reference: "I DON'T know, why",
    hypothesis: i % 2 ? "i don't know why" : "i don't no",
    valence: i / 10,
    valence_prediction: i / 12 + 0.1,
    soft_label: soft,
    fold: i % 3,
    duration: 1 + (i % 20) / 4,
  });
  const summary = await summarizePredictions(writeLines(rows(60, { extra })), quick);
  expect(summary.transcription!.word.errorRate).toBe(wordErrorRate(["a b c d"], ["a b x"]) / 2);
  expect(
    (await summarizePredictions(writeLines(rows(6, { extra })), { ...quick, normalize: false })).transcription!
      .normalized,
  ).toBe(false);
  expect(summary.dimensions!["valence"]!.scores["pearson"]!.estimate).toBeCloseTo(1, 12);
  expect(summary.soft_labels).toMatchObject({ rows: 60, kl_infinite: 0, annotator_match: { any: 1 } });
  expect(Object.keys(summary.folds!["uar"]!.values)).toEqual(["0", "1", "2"]);
  expect(summary.slices.map((s) => s.key)).toEqual(["duration"]);
  expect(summary.slices[0]!.slices).toHaveLength(4);
});

test("two files are compared on their common ids", async () => {
  const [first, second] = [rows(120), rows(130, { shift: 1 })] as [Row[], Row[]];
  const files = [writeLines(first), writeLines(second.toReversed())];
  const { comparison } = await summarizePredictions(files[0]!, { ...quick, compare: files[1] });
  const right = (list: Row[], i: number): boolean => list[i]!.prediction === list[i]!.label;
  const count = (test: (i: number) => boolean): number => first.filter((_, i) => test(i)).length;
  const expected = mcnemar(
    count((i) => right(first, i) && !right(second, i)),
    count((i) => !right(first, i) && right(second, i)),
  );
  expect(comparison).toMatchObject({ rows: 120, only_first: 0, only_second: 10 });
  expect(comparison!.mcnemar).toEqual({
    only_first_right: expected.onlyFirst,
    only_second_right: expected.onlySecond,
    p_value: expected.pValue,
  });
  const wrong = writeLines([{ id: "u0", label: "happy", prediction: "happy" }]);
  await expect(summarizePredictions(files[0]!, { ...quick, compare: wrong })).rejects.toThrow(
    /id "u0": label "angry" in .* but "happy" in/,
  );
  const other = writeLines([{ id: "else", label: "happy", prediction: "happy" }]);
  await expect(summarizePredictions(files[0]!, { ...quick, compare: other })).rejects.toThrow(/share no id/);
  const twice = writeLines([first[0], first[0]]);
  await expect(summarizePredictions(files[0]!, { ...quick, compare: twice })).rejects.toThrow(/id "u0" occurs twice/);
});

test("a temperature from validation rows is applied to the probabilities", async () => {
  const held = rows(60, { shift: 1 }) as Row[];
  const { probabilities } = await summarizePredictions(writeLines(rows(90)), {
    ...quick,
    validation: writeLines(held),
  });
  const fit = fitTemperature(
    scoreTable(
      held.map((r) => r.label),
      held.map((r) => r.probabilities),
    ),
  );
  expect(probabilities!.temperature).toMatchObject({ temperature: fit.temperature, validation_rows: 60 });
  expect(probabilities!.scores["log_loss"]!.estimate).not.toBe(probabilities!.temperature!.log_loss_before);
});

test.each([
  ["not json", ":1: not JSON"],
  ["[1]", ":1: [1] is not a JSON object"],
  [{ label: "a", prediction: "a" }, ':1: "id" is missing'],
  [{ id: 7, label: "a", prediction: "a" }, ':1: "id" is 7; it must be a string'],
  [{ id: "x", label: 3, prediction: "a" }, ':1: "label" is 3; it must be a string'],
  [{ id: "x", label: "a" }, 'has a "label" but neither "prediction" nor "probabilities"'],
  [
    { id: "x", label: "a", probabilities: { a: 1.5 } },
    '"probabilities" of "a" is 1.5; it must be a number from 0 to 1',
  ],
  [{ id: "x", label: "a", probabilities: { a: 0.5 } }, '"probabilities" sums to 0.5; it must sum to 1'],
  [{ id: "x", label: "a", probabilities: [1] }, '"probabilities" is [1]; it must be an object'],
  [{ id: "x", label: "a", prediction: "a", speaker: {} }, '"speaker" is {}; to slice by it'],
  [{ id: "x", valence: "1", valence_prediction: 2 }, '"valence" is "1"; it must be a finite number'],
])("a bad line is refused with file, line, key and value: %j", async (line, message) => {
  const file = writeLines([line]);
  await expect(summarizePredictions(file, quick)).rejects.toThrow(message);
  await expect(summarizePredictions(file, quick)).rejects.toThrow(file);
});

test("missing files, folders and empty files are named", async () => {
  await expect(summarizePredictions(nowhere)).rejects.toThrow(/missing.jsonl: no such file/);
  await expect(summarizePredictions(".")).rejects.toThrow(/not a readable file/);
  await expect(summarizePredictions(writeLines([""]))).rejects.toThrow(/no lines; at least one prediction is needed/);
});

test("lines are read across chunks, with a byte order mark, CRLF, blank lines and no last line break", async () => {
  const long = "é🙂".repeat(400_000); // 2.4 MB: characters lie across every chunk border
  const file = writeLines([`\uFEFF{"id":"1"}\r`, "", `{"id":"${long}"}`, `{"id":"3"}`]);
  const seen: unknown[] = [];
  await forEachLine(file, (line, place) => seen.push([line["id"], place.split(":").at(-1)]));
  expect(seen).toEqual([
    ["1", "1"],
    [long, "3"],
    ["3", "4"],
  ]);
});

test("labels may be called like object members", async () => {
  const names = ["__proto__", "constructor", "toString"];
  const lines = names.flatMap((label, i) =>
    [0, 1].map(
      (k) =>
        `{"id":"${i}${k}","label":"${label}","probabilities":{${names.map((n, j) => `"${n}":${i === j ? 0.5 : 0.25}`).join(",")}}}`,
    ),
  );
  const { classification, probabilities } = await summarizePredictions(writeLines(lines), quick);
  expect(classification!.scores["accuracy"]!.estimate).toBe(1);
  expect(probabilities!.scores["auroc_macro"]!.estimate).toBe(1);
});
