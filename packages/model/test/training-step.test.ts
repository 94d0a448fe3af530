/** @file Predicted memory of training against what a program really takes; whole processes: `npm run -s bench -- memory`. */
import { checkpoint, gradients, input, matmul, mul, reshape, silu, sum, tanh } from "@emosllm/graph";
import { compile, evaluate, feedsOf, liveBytes } from "@emosllm/runtime";
import { expect, test } from "vitest";
import {
  type BatchRow,
  type TrainingStepOptions,
  buildGraph,
  layOutBatch,
  predictTrainingStep,
  sizesOf,
  trainedShapes,
  weightedLoss,
  weightsOf,
} from "../src/index.ts";
import { AUDIO_SIZE, randoms, tinyModel } from "./tiny.ts";

test("values are held from the op that makes them to their last reader", () => {
  const x = input("x", ["n", 10]);
  const y = matmul(x, input("w", [10, 30])); // 120n bytes
  const z = mul(reshape(y, ["n", 3, 10]), 2); // in y's place
  const back = matmul(reshape(z, ["n", 30]), input("v", [30, 5])); // 20n
  expect(liveBytes([sum(back)], { n: 4 })).toMatchObject({ peak: (120 + 20) * 4 });
  // Read again at the end, y stays, and z has memory of its own.
  const both = sum(mul(y, reshape(z, ["n", 30])));
  expect(liveBytes([both], { n: 4 })).toMatchObject({ peak: 240 * 4 });
  expect(() => liveBytes([both], {})).toThrow("No value for the dimension 'n'");
});

test("layers that are computed again keep what enters them", () => {
  const of = (recompute: boolean): number => {
    const w = input("w", [8, 8]);
    let h = input("x", ["n", 8]);
    for (let layer = 0; layer < 10; layer++) {
      h = checkpoint(h, { recompute });
      for (let i = 0; i < 4; i++) h = tanh(matmul(h, w));
    }
    return liveBytes(gradients(sum(h), [w]), { n: 1000 }).peak / (1000 * 8 * 4);
  };
  // Four values of each of ten layers and a few at work; or one of each, four of one layer, and a few.
  expect(of(false)).toBeGreaterThan(40);
  expect(of(false)).toBeLessThan(44);
  expect(of(true)).toBeGreaterThan(13);
  expect(of(true)).toBeLessThan(18);
});

test("of gated units only what enters them is kept", async () => {
  const shapes = { gate: [64, 8], up: [64, 8], down: [8, 64] } as const;
  const build = (parts: boolean) => {
    const { gate, up, down } = {
      gate: input("gate", shapes.gate),
      up: input("up", shapes.up),
      down: input("down", shapes.down),
    };
    let h = input("x", ["n", 8]);
    for (let layer = 0; layer < 10; layer++) {
      if (parts) h = checkpoint(h);
      const units = mul(silu(matmul(h, gate, { transB: true })), matmul(h, up, { transB: true }));
      h = matmul(units, down, { transB: true });
    }
    const loss = sum(mul(h, h));
    return { loss, ds: gradients(loss, [gate, up, down]) };
  };
  const [parted, plain] = [build(true), build(false)];
  const wide = (outputs: typeof plain): number => liveBytes(outputs.ds, { n: 1000 }).peak / (1000 * 64 * 4);
  // Gate, its activation, up and their product of each of ten layers; or gate and up, and a few at work.
  expect(wide(plain)).toBeGreaterThan(40);
  expect(wide(parted)).toBeGreaterThan(20);
  expect(wide(parted)).toBeLessThan(31);

  // The same arithmetic in the same order: the same bits, also where the executor merges what is computed twice.
  const feeds = Object.fromEntries(
    Object.entries({ ...shapes, x: [7, 8] }).map(([name, shape]) => {
      const data = Float32Array.from({ length: shape[0]! * shape[1]! }, () => r());
      return [name, { shape, data, dtype: "f32" as const }];
    }),
  );
  const run = async ({ loss, ds: [a, b, c] }: typeof plain) => evaluate({ loss, a: a!, b: b!, c: c! }, feeds);
  const [one, other] = [await run(parted), await run(plain)];
  for (const name of ["loss", "a", "b", "c"] as const) expect(one[name].data).toEqual(other[name].data);
});

const r = randoms(5);
const ids = (n: number): number[] => Array.from({ length: n }, () => Math.floor((r() + 1) * 19.9));
const rows = (count: number, frames: number): BatchRow[] => {
  const before = ids(6);
  return Array.from({ length: count }, () => ({
    before,
    after: ids(4),
    answers: [ids(2)],
    frames: { length: frames, data: Float32Array.from({ length: frames * AUDIO_SIZE }, () => r()) },
  }));
};

test("the values of a step take what was predicted, within 20 %", async () => {
  const { parts, parameters } = await tinyModel(3);
  const batch = layOutBatch(rows(24, 700), { vectors: parts.projector.vectors, audioSize: AUDIO_SIZE });
  const { values } = predictTrainingStep(parts, sizesOf(batch)).memory;
  const graph = buildGraph(parts, batch.form);
  const loss = weightedLoss(graph);
  const names = Object.keys(graph.parameters);
  const ds = gradients(loss, Object.values(graph.parameters));
  const program = await compile(
    { loss, ...Object.fromEntries(names.map((name, i) => [name, ds[i]!])) },
    { weights: weightsOf(parts) },
  );
  const feeds = feedsOf(program, { ...batch.feeds, ...parameters });
  const before = process.memoryUsage.rss();
  await program.run(feeds);
  const taken = process.memoryUsage.rss() - before;
  await program.dispose();
  expect(values).toBeGreaterThan(250e6); // against which what else the process does is little
  expect(Math.abs(values / taken - 1)).toBeLessThan(0.2);
});

test("each option changes what it is about", async () => {
  const { parts } = await tinyModel(3);
  const sizes = { rows: 4, prefix: 6, suffix: 90, frames: 10, labels: 8 };
  const of = (options?: TrainingStepOptions) => predictTrainingStep(parts, sizes, options).memory;
  const plain = of();
  const trained = Object.values(trainedShapes(parts)).reduce((n, s) => n + s.reduce((a, b) => a * b, 1), 0);
  expect(plain.peak).toBe(plain.process + plain.weights + plain.trained + plain.values);
  expect(of({ gradientAccumulationSteps: 2 }).trained - plain.trained).toBe(4 * trained);
  expect(of({ averages: true }).trained - plain.trained).toBe(4 * trained);
  expect(predictTrainingStep(parts, { ...sizes, rows: 8, labels: 16 }).memory.values).toBeGreaterThan(plain.values);
  expect(of({ precision: "int8", backward: "exact" }).weights).toBeLessThan(plain.weights);
  expect(of({ precision: "int8" }).weights).toBeGreaterThan(of({ precision: "int8", backward: "exact" }).weights);
  expect(() => of({ precision: "int3" as "int8" })).toThrow("precision 'int3' is not one of f32, f16, int8, int4");
});
