import { expect, test } from "vitest";
import { averageParameters, averagedValues, openTrainer, shuffledOrder, streamSet } from "../src/index.ts";
import { input, mean, mul, sub } from "@emosllm/graph";
import { f32 } from "@emosllm/runtime";
import { scaleByLearningRate, constantRate, chain, tensorStore } from "../src/index.ts";

const items = Array.from({ length: 7 }, (_, i) => i);

test("every item comes once before any comes again", () => {
  const order = shuffledOrder(items, { seed: 3, name: "order" });
  for (let pass = 0; pass < 4; pass++) expect(order.take(7).sort()).toEqual(items);
});

test("an order goes on from every state as if it had not stopped, also within a shuffle of later passes", () => {
  const whole = shuffledOrder(items, { seed: 3, name: "order" }).take(40);
  for (let at = 0; at < 30; at++) {
    const first = shuffledOrder(items, { seed: 3, name: "order" });
    const head = first.take(at);
    const saved = JSON.parse(JSON.stringify(first.state())) as ReturnType<typeof first.state>;
    const rest = shuffledOrder(items, { seed: 3, name: "order", saved });
    expect([...head, ...rest.take(40 - at)]).toEqual(whole);
  }
});

test("takes of any size give the same sequence; more than a pass at once too", () => {
  const one = shuffledOrder(items, { seed: 1, name: "x" });
  const other = shuffledOrder(items, { seed: 1, name: "x" });
  expect([...one.take(20)]).toEqual([...other.take(3), ...other.take(9), ...other.take(8)]);
  expect(() => shuffledOrder([], { seed: 1, name: "x" })).toThrow(/'x' has no items/);
});

test("grouped by length: each once, batches of like lengths in any order, and as exactly resumable", () => {
  const lengths = Array.from({ length: 203 }, (_, i) => (i * 7919) % 500);
  const groups = { size: 8, length: (n: number) => n, window: 5 };
  const options = { seed: 3, name: "order", groups };
  const order = shuffledOrder(lengths, options);
  const passes = Array.from({ length: 3 }, () => order.take(203));
  for (const pass of passes) expect(pass.toSorted((a, b) => a - b)).toEqual(lengths.toSorted((a, b) => a - b));
  const all = passes.flat();
  const spread = (batches: number[]): number => {
    let padding = 0;
    for (let at = 0; at + 8 <= batches.length; at += 8) {
      const batch = batches.slice(at, at + 8);
      padding += Math.max(...batch) * 8 - batch.reduce((a, b) => a + b, 0);
    }
    return padding / batches.reduce((a, b) => a + b, 0);
  };
  // Batches stay whole where a pass ends within one: 203 is no multiple of 8.
  const plain = shuffledOrder(lengths, { seed: 3, name: "order" }).take(609);
  expect(spread(plain)).toBeGreaterThan(0.6);
  expect(spread(all)).toBeLessThan(0.2);
  const tops = Array.from({ length: 25 }, (_, i) => Math.max(...all.slice(i * 8, i * 8 + 8)));
  expect(tops).not.toEqual(tops.toSorted((a, b) => b - a));
  for (const at of [0, 1, 8, 100, 203, 204, 320, 406, 500]) {
    const first = shuffledOrder(lengths, options);
    const head = first.take(at);
    const saved = JSON.parse(JSON.stringify(first.state())) as ReturnType<typeof first.state>;
    const rest = shuffledOrder(lengths, { ...options, saved });
    expect([...head, ...rest.take(609 - at)]).toEqual(all);
  }
});

test("streams are restored by name, and new ones do not disturb them", () => {
  const a = streamSet(5);
  a.get("one").next();
  a.get("two").next();
  const saved = JSON.parse(JSON.stringify(a.states())) as ReturnType<typeof a.states>;
  const b = streamSet(5, saved);
  b.get("three").next();
  expect(b.get("one").next()).toBe(a.get("one").next());
  expect(b.get("two").next()).toBe(a.get("two").next());
});

test("averaged values are the exponentially weighted mean of the values after each update", async () => {
  const decay = 0.9;
  const trainer = await openTrainer({
    shapes: { w: [2] },
    optimiser: chain(scaleByLearningRate(constantRate(0.1)), averageParameters(decay)),
    graph: () => {
      const w = input("w", [2]);
      const error = sub(w, input("y", [2]));
      return { loss: mean(mul(error, error)), parameters: { w } };
    },
  });
  const seen: number[][] = [];
  for (let i = 0; i < 6; i++) {
    await trainer.accumulate("batch", { y: f32([1, -2], [2]) }, true);
    await trainer.update();
    seen.push(Array.from(trainer.parameters.tensors["w"]?.data ?? []));
  }
  const into = tensorStore({ w: [2] });
  averagedValues(trainer.state, decay, seen.length, into);
  const weights = seen.map((_, i) => decay ** (seen.length - 1 - i));
  const total = weights.reduce((a, b) => a + b, 0);
  for (const k of [0, 1]) {
    const wanted = seen.reduce((sum, w, i) => sum + (w[k] as number) * (weights[i] as number), 0) / total;
    expect(into.tensors["w"]?.data[k]).toBeCloseTo(wanted, 6);
  }
  await trainer.dispose();
});
