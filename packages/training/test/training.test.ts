import { constant, input, matmul, mean, mul, sub } from "@emosllm/graph";
import { f32 } from "@emosllm/runtime";
import { describe, expect, test } from "vitest";
import {
  type TensorStore,
  type Trainer,
  adamW,
  averageParameters,
  chain,
  openTrainer,
  randomStream,
  schedule,
  shuffle,
  tensorStore,
} from "../src/index.ts";

const regression = (options: Parameters<typeof adamW>[1] = {}): Promise<Trainer> =>
  openTrainer({
    shapes: { w: [1, 2], unused: [3] },
    optimiser: adamW(schedule({ type: "cosine", learningRate: 0.1, totalSteps: 200 }), { weightDecay: 0, ...options }),
    graph: () => {
      const w = input("w", [1, 2]);
      const error = sub(matmul(input("x", ["rows", 2]), w, { transB: true }), input("y", ["rows", 1]));
      return { loss: mean(mul(error, error)), parameters: { w }, outputs: { error } };
    },
  });
const feeds = { x: f32([1, 0, 0, 1, 1, 1], [3, 2]), y: f32([3, -1, 2], [3, 1]) };

test("finds the weights of a regression, and leaves a parameter alone that no batch reaches", async () => {
  const trainer = await regression();
  trainer.parameters.tensors["unused"]?.data.set([1, 2, 3]);
  for (let i = 0; i < 200; i++) {
    await trainer.accumulate("batch", feeds, true);
    await trainer.update();
  }
  const { w, unused } = trainer.parameters.tensors;
  expect(w?.data[0]).toBeCloseTo(3, 2);
  expect(w?.data[1]).toBeCloseTo(-1, 2);
  expect(Array.from(unused?.data ?? [])).toEqual([1, 2, 3]);
  await trainer.dispose();
});

test("the learning rate of an update is what the schedule says", async () => {
  const trainer = await regression();
  for (const step of [0, 1, 2]) {
    await trainer.accumulate("batch", feeds, true);
    const { learningRate } = await trainer.update();
    // A cosine from 0.1 over 200 updates, in f32.
    expect(learningRate).toBeCloseTo(0.05 * (1 + Math.cos((Math.PI * step) / 200)), 7);
  }
  await trainer.dispose();
});

test("the pass over memory makes what the update's graph makes", async () => {
  const optimiser = chain(
    adamW(schedule({ type: "linear", learningRate: 0.1, warmupSteps: 2, totalSteps: 20 }), {
      maxGradNorm: 0.5,
      weightDecay: 0.1,
      beta2: 0.98,
      decays: (name) => name === "w",
      rateFactor: (name) => (name === "w" ? 1 : 16),
    }),
    averageParameters(0.9),
  );
  const { host: _host, ...graphOnly } = optimiser;
  const shapes = { w: [2, 3], v: [5] };
  const run = async (by: typeof graphOnly): Promise<unknown[]> => {
    const trainer = await openTrainer({ shapes, optimiser: by, graph: () => ({ loss: constant(0), parameters: {} }) });
    const { next } = randomStream(3, "values");
    for (let i = 0; i < trainer.parameters.flat.length; i++) trainer.parameters.flat[i] = next() - 0.5;
    const seen: unknown[] = [];
    for (let step = 0; step < 12; step++) {
      for (let i = 0; i < trainer.gradients.flat.length; i++) trainer.gradients.flat[i] = 4 * (next() - 0.5) ** 3;
      const { gradNorm, learningRate } = await trainer.update();
      seen.push(gradNorm.toFixed(6), learningRate);
    }
    await trainer.dispose();
    return [seen, trainer.parameters, trainer.state];
  };
  const [a, b] = [await run(optimiser), await run(graphOnly)] as [unknown[], unknown[]];
  expect(a[0]).toEqual(b[0]);
  for (const i of [1, 2]) {
    const [ours, theirs] = [a[i] as TensorStore, b[i] as TensorStore];
    expect(Object.keys(ours.tensors)).toEqual(Object.keys(theirs.tensors));
    // Roundings of f32 in each of 12 steps of at most 1.6.
    ours.flat.forEach((v, at) =>
      expect(Math.abs(v - (theirs.flat[at] as number))).toBeLessThan(2e-6 * (1 + Math.abs(v))),
    );
  }
});

test("accumulated gradients are the sum of the batches', and the next first batch starts over", async () => {
  const trainer = await regression();
  trainer.parameters.tensors["w"]?.data.set([0.5, -0.25]);
  const { outputs } = await trainer.accumulate("batch", feeds, true);
  expect(outputs["error"]?.shape).toEqual([3, 1]);
  const once = trainer.gradients.flat.slice();
  await trainer.accumulate("batch", feeds, false);
  expect(Array.from(trainer.gradients.flat)).toEqual(Array.from(once, (g) => 2 * g));
  await trainer.accumulate("batch", feeds, true);
  expect(trainer.gradients.flat).toEqual(once);
  const { gradNorm } = await trainer.update();
  expect(gradNorm).toBeCloseTo(Math.hypot(...once), 5);
  await trainer.dispose();
});

test("the same start gives the same weights, bit for bit", async () => {
  const run = async (): Promise<Float32Array> => {
    const trainer = await regression({ maxGradNorm: 0.5, weightDecay: 0.1 });
    trainer.parameters.flat.set([0.1, 0.2, 0, 0, 0]);
    for (let i = 0; i < 5; i++) {
      await trainer.accumulate("batch", feeds, true);
      await trainer.update();
    }
    const flat = trainer.parameters.flat.slice();
    await trainer.dispose();
    return flat;
  };
  expect(await run()).toEqual(await run());
});

test("tensors of a store are views of one array", () => {
  const store = tensorStore({ a: [2, 2], b: [3] });
  store.tensors["b"]?.data.set([7, 8, 9]);
  expect(Array.from(store.flat)).toEqual([0, 0, 0, 0, 7, 8, 9]);
});

describe("random streams", () => {
  test("have names, go on from a saved state, and shuffle without losing anything", () => {
    const [a, b] = [randomStream(1, "a"), randomStream(1, "b")];
    expect(a.next()).not.toBe(b.next());
    const saved = a.state();
    const wanted = [a.next(), a.next()];
    const again = randomStream(99, "whatever", saved);
    expect([again.next(), again.next()]).toEqual(wanted);
    const items = Array.from({ length: 50 }, (_, i) => i);
    const mixed = shuffle(items, a);
    expect(mixed).not.toEqual(items);
    expect(mixed.toSorted((x, y) => x - y)).toEqual(items);
  });

  test("are uniform: mean 1/2, variance 1/12", () => {
    const r = randomStream(5, "uniform");
    const values = Array.from({ length: 20000 }, () => r.next());
    const mean = values.reduce((x, y) => x + y, 0) / values.length;
    // Five standard errors of 20,000 draws.
    expect(Math.abs(mean - 0.5)).toBeLessThan((5 * Math.sqrt(1 / 12)) / Math.sqrt(20000));
    expect(values.reduce((x, y) => x + (y - mean) ** 2, 0) / values.length).toBeCloseTo(1 / 12, 2);
  });
});
