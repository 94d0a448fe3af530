/**
 * @file A batch with a shared prefix, packed rows and a last layer of label tokens only, against each row alone with its whole text: same
 * loss, same gradients. The second way is what `tools/oracle` compares with PyTorch.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BatchRow, layOutBatch } from "@emosllm/model";
import { AUDIO_SIZE, randoms, tinyModel } from "../../model/test/tiny.ts";
import { type EmoSllmTrainer, adamW, constantRate, openEmoSllmTrainer } from "../src/index.ts";

let model: Awaited<ReturnType<typeof tinyModel>>;
let trainer: EmoSllmTrainer;
let sparing: EmoSllmTrainer;
let packed: EmoSllmTrainer;
beforeAll(async () => {
  model = await tinyModel(11);
  trainer = await openEmoSllmTrainer({ parts: model.parts, optimiser: adamW(constantRate(0.01)), prepack: false });
  sparing = await openEmoSllmTrainer({
    parts: model.parts,
    optimiser: adamW(constantRate(0.01)),
    gradientCheckpointing: true,
  });
  packed = await openEmoSllmTrainer({ parts: model.parts, optimiser: adamW(constantRate(0.01)) });
  for (const [name, t] of Object.entries(model.parameters))
    for (const { parameters } of [trainer, sparing, packed]) parameters.tensors[name]?.data.set(t.data);
});
afterAll(async () => {
  await trainer.dispose();
  await sparing.dispose();
  await packed.dispose();
});

const random = randoms(77);
const whole = (lo: number, hi: number): number => lo + Math.floor(((random() + 1) / 2) * (hi - lo + 1));
const ids = (n: number): number[] => Array.from({ length: n }, () => whole(0, 39));

interface Lengths {
  readonly rows: number;
  readonly before: number;
  /** Ids that all rows begin with. */
  readonly common: number;
  readonly after: number;
  readonly answers: number;
  readonly audio: boolean;
}

function rowsOf({ rows, before, common, after, answers, audio }: Lengths): BatchRow[] {
  const shared = ids(common);
  return Array.from({ length: rows }, () => ({
    before: [...shared, ...ids(before - common)],
    after: ids(whole(audio ? 0 : 1, after)),
    answers: Array.from({ length: answers }, () => ids(whole(1, 4))),
    frames: audio
      ? ((length) => ({ length, data: Float32Array.from({ length: length * AUDIO_SIZE }, random) }))(whole(1, 9))
      : undefined,
  }));
}

async function gradientsOf(rows: readonly BatchRow[], together: boolean, by = trainer) {
  const labels = rows.reduce((n, r) => n + r.answers.reduce((m, a) => m + a.length, 0), 0);
  const options = {
    vectors: model.parts.projector.vectors,
    audioSize: AUDIO_SIZE,
    sharedPrefix: together,
    labelWeights: () => 1 / labels,
  };
  let loss = 0;
  for (const [i, batch] of (together ? [rows] : rows.map((r) => [r])).entries())
    loss += (await by.accumulate(layOutBatch(batch, options), i === 0)).loss;
  return { loss, flat: by.gradients.flat.slice() };
}

const CASES: Readonly<Record<string, Lengths>> = {
  "a common prompt": { rows: 4, before: 9, common: 9, after: 6, answers: 1, audio: true },
  "nothing in common": { rows: 3, before: 5, common: 0, after: 4, answers: 1, audio: true },
  "all but the audio in common": { rows: 3, before: 7, common: 7, after: 0, answers: 1, audio: true },
  "a prompt longer than the rest": { rows: 2, before: 40, common: 38, after: 3, answers: 1, audio: true },
  "one row": { rows: 1, before: 6, common: 6, after: 5, answers: 1, audio: true },
  "no prompt at all": { rows: 2, before: 0, common: 0, after: 3, answers: 1, audio: true },
  "words alone": { rows: 3, before: 6, common: 5, after: 5, answers: 1, audio: false },
  "several answers": { rows: 3, before: 8, common: 6, after: 4, answers: 3, audio: true },
};

describe("a batch is the sum of its rows, each alone with its whole text", () => {
  test.each(Object.entries(CASES))("%s", async (_, lengths) => {
    for (let draw = 0; draw < 2; draw++) {
      const rows = rowsOf(lengths);
      const [wanted, found] = [await gradientsOf(rows, false), await gradientsOf(rows, true)];
      // f32 sums in another order: a few units in the last place of the largest gradient.
      expect(Math.abs(found.loss - wanted.loss)).toBeLessThan(2e-6 * Math.abs(wanted.loss));
      const largest = wanted.flat.reduce((m, g) => Math.max(m, Math.abs(g)), 0);
      const error = wanted.flat.reduce((m, g, i) => Math.max(m, Math.abs(g - (found.flat[i] as number))), 0);
      expect(largest).toBeGreaterThan(1e-3);
      expect(error / largest).toBeLessThan(3e-6);
    }
  });
});

test("layers computed again for the gradient, and weights in the products' layout, give the same bits", async () => {
  const rows = rowsOf(CASES["a common prompt"] as Lengths);
  const kept = await gradientsOf(rows, true);
  for (const other of [sparing, packed]) {
    const again = await gradientsOf(rows, true, other);
    expect(again.loss).toBe(kept.loss);
    expect(again.flat).toEqual(kept.flat);
  }
});

test("the same with frozen layers as 8-bit rows, which forward pass and recomputation share", async () => {
  const { parts } = await tinyModel(11, undefined, {
    precision: "int8",
    blockSize: "row",
    backward: "quantised",
  });
  const rows = rowsOf(CASES["a common prompt"] as Lengths);
  const results = [];
  for (const gradientCheckpointing of [false, true]) {
    const own = await openEmoSllmTrainer({ parts, optimiser: adamW(constantRate(0.01)), gradientCheckpointing });
    for (const [name, t] of Object.entries(model.parameters)) own.parameters.tensors[name]?.data.set(t.data);
    results.push(await gradientsOf(rows, true, own));
    await own.dispose();
  }
  const [kept, again] = results;
  expect(again).toEqual(kept);
  expect(kept?.loss).not.toBe((await gradientsOf(rows, true)).loss);
});
