import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AnswerScores, type BatchRow, type Scorer, layOutBatch, openScorer } from "../src/index.ts";
import { AUDIO_SIZE, QUERIES, randoms, tinyModel } from "./tiny.ts";

let model: Awaited<ReturnType<typeof tinyModel>>;
let scorer: Scorer;
beforeAll(async () => {
  model = await tinyModel(3);
  scorer = openScorer(model.parts);
});
afterAll(() => scorer.dispose());

const r = randoms(9);
const ids = (n: number): number[] => Array.from({ length: n }, () => Math.floor((r() + 1) * 19.9));
const frames = (length: number): BatchRow["frames"] => ({
  length,
  data: Float32Array.from({ length: length * AUDIO_SIZE }, () => r()),
});
const score = (rows: readonly BatchRow[], sharedPrefix = true): Promise<AnswerScores> =>
  scorer.score(rows, model.parameters, { sharedPrefix });

/** f32 sums in another order: a few units in the last place of log-likelihoods of size 1 to 10. */
const close = (a: AnswerScores, b: AnswerScores): void =>
  a.forEach((row, i) =>
    row.forEach((answer, j) => answer.forEach((v, k) => expect(v).toBeCloseTo(b[i]?.[j]?.[k] as number, 4))),
  );

const shared = ids(6);
const CASES: Record<string, BatchRow[]> = {
  "a common prompt": [0, 1, 2].map((i) => ({
    before: shared,
    after: ids(2 + i),
    answers: [ids(1), ids(2), ids(3)],
    frames: frames(4 + 5 * i),
  })),
  "no common prompt": [0, 1].map(() => ({
    before: ids(4),
    after: ids(3),
    answers: [ids(2), ids(1)],
    frames: frames(7),
  })),
  "one row": [{ before: shared, after: [], answers: [ids(1), ids(1), ids(1), ids(1)], frames: frames(3) }],
  "prompt longer than the rest": [0, 1].map(() => ({
    before: [...shared, ...shared, ...shared],
    after: [],
    answers: [ids(1)],
    frames: frames(2),
  })),
  "words alone": [0, 1].map((i) => ({
    before: shared,
    after: ids(2 + i),
    answers: [ids(2), ids(1)],
    frames: undefined,
  })),
  "words alone, all the same": [0, 1].map(() => ({
    before: shared,
    after: [5],
    answers: [[7], [8, 9]],
    frames: undefined,
  })),
};

describe.each(Object.entries(CASES))("%s", (_, rows) => {
  test("answers scored together equal each answer scored by itself", async () => {
    const together = await score(rows);
    const apart = await Promise.all(
      rows.map(async (row) =>
        (await Promise.all(row.answers.map((a) => score([{ ...row, answers: [a] }])))).map((s) => s[0]?.[0] ?? []),
      ),
    );
    close(together, apart);
  });

  test("a shared prefix changes nothing", async () => close(await score(rows), await score(rows, false)));

  test("a row's numbers do not depend on its neighbours", async () => {
    const alone = await Promise.all(rows.map(async (row) => (await score([row]))[0] ?? []));
    close(await score(rows), alone);
    close((await score(rows.toReversed())).toReversed(), alone);
  });
});

test("rows that cannot be run are refused with their number", () => {
  const good: BatchRow = { before: [1], after: [2], answers: [[3]], frames: frames(2) };
  const options = { vectors: () => QUERIES, audioSize: AUDIO_SIZE };
  expect(() => layOutBatch([], options)).toThrow(/no rows/);
  expect(() => layOutBatch([good, { ...good, answers: [[]] }], options)).toThrow(/row 1 has no answer/);
  expect(() => layOutBatch([good, { ...good, frames: undefined }], options)).toThrow(/row 1 has no audio/);
  expect(() => layOutBatch([{ ...good, frames: { length: 2, data: new Float32Array(3) } }], options)).toThrow(
    /row 0 has 3 values for 2 frames of 5/,
  );
});
