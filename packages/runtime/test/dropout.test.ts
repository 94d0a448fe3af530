/** @file Dropout: the share, the scale, independence of neighbours, keys and streams (five standard deviations each), and its gradient. */
import { dropout, gradients, input, mul, sum } from "@emosllm/graph";
import { describe, expect, test } from "vitest";
import { compile, f32, i64 } from "../src/index.ts";

const [rows, width] = [200, 250];
const n = rows * width;
const x = input("x", ["rows", width]);
const key = input("key", [], "i64");

/** 1 where an element was kept, by key, rate and stream. */
async function masks(rate: number, stream: number, keys: readonly number[]): Promise<number[][]> {
  using program = await compile({ y: dropout(x, key, { rate, stream }) });
  const found: number[][] = [];
  for (const k of keys) {
    const { y } = await program.run({ x: f32(new Float32Array(n).fill(3), [rows, width]), key: i64([k], []) });
    const values = [...(y!.data as Float32Array)];
    const scaled = Math.fround(3 * Math.fround(1 / (1 - rate)));
    expect(values.every((v) => v === 0 || Math.abs(v - scaled) < 1e-5)).toBe(true);
    found.push(values.map((v) => Number(v !== 0)));
  }
  return found;
}

/** The share of `n` pairs that agree must be what independent ones give. */
function expectIndependent(a: readonly number[], b: readonly number[], rate: number, what: string): void {
  const agree = (1 - rate) ** 2 + rate ** 2;
  const seen = a.filter((v, i) => v === b[i]).length / a.length;
  expect(Math.abs(seen - agree), what).toBeLessThan(5 * Math.sqrt((agree * (1 - agree)) / a.length));
}

describe.each([0.1, 0.5])("rate %d", (rate) => {
  test("drops its share, without a pattern along rows, columns, keys or streams", async () => {
    const [first, again, next, large] = (await masks(rate, 0, [7, 7, 8, -1234567890123])) as [
      number[],
      number[],
      number[],
      number[],
    ];
    const [other] = (await masks(rate, 1, [7])) as [number[]];
    expect(again).toEqual(first);
    for (const [name, mask] of Object.entries({ first, next, large, other })) {
      const kept = sum1(mask) / n;
      expect(Math.abs(kept - (1 - rate)), name).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / n));
      for (const step of [1, 2, width, width + 1, 2 * width, 17 * width + 3])
        expectIndependent(mask.slice(step), mask.slice(0, -step), rate, `${name}, ${step} apart`);
      // Corners of rectangles: hashing rows and columns apart would show here.
      const corners = mask
        .slice(0, -width - 1)
        .map((v, i) => (v + mask[i + 1]! + mask[i + width]! + mask[i + width + 1]!) % 2);
      const odd = (1 - (1 - 2 * rate) ** 4) / 2;
      expect(Math.abs(sum1(corners) / corners.length - odd), name).toBeLessThan(
        5 * Math.sqrt((odd * (1 - odd) * 4) / n),
      );
      // Whole rows and columns keep their share as well.
      for (const lines of [rowsOf(mask), columnsOf(mask)])
        for (const line of lines)
          expect(Math.abs(sum1(line) / line.length - (1 - rate))).toBeLessThan(
            6 * Math.sqrt((rate * (1 - rate)) / line.length),
          );
    }
    expectIndependent(first, next, rate, "keys");
    expectIndependent(first, large, rate, "keys");
    expectIndependent(first, other, rate, "streams");
  });
});

const sum1 = (v: readonly number[]): number => v.reduce((p, q) => p + q, 0);
const rowsOf = (m: readonly number[]): number[][] =>
  Array.from({ length: rows }, (_, i) => m.slice(i * width, (i + 1) * width));
const columnsOf = (m: readonly number[]): number[][] =>
  Array.from({ length: width }, (_, j) => m.filter((_, i) => i % width === j));

test("the gradient passes through what was kept", async () => {
  const y = dropout(x, key, { rate: 0.3, stream: 2 });
  const [dx] = gradients(sum(mul(y, y)), [x]);
  using program = await compile({ y, dx: dx! });
  const data = Float32Array.from({ length: n }, (_, i) => 1 + (i % 5));
  const result = await program.run({ x: f32(data, [rows, width]), key: i64([3], []) });
  // y = m x / 0.7, so d(y^2)/dx = 2 y m / 0.7: 0 where dropped, 2 y / 0.7 where kept.
  const expected = (result.y!.data as Float32Array).map((v) => (2 * v) / 0.7);
  expect(
    Math.max(...expected.map((v, i) => Math.abs(v - (result.dx!.data[i] as number)) / (1 + Math.abs(v)))),
  ).toBeLessThan(1e-6);
});

test("other ranks; nothing to drop; what it refuses", async () => {
  const scalarIn = input("s", []);
  const cube = input("c", [2, "t", 3]);
  using program = await compile({ s: dropout(scalarIn, key, { rate: 0.5 }), c: dropout(cube, key, { rate: 0.5 }) });
  const feeds = { s: f32([1], []), key: i64([1], []) };
  expect((await program.run({ ...feeds, c: f32([], [2, 0, 3]) })).c?.shape).toEqual([2, 0, 3]);
  expect((await program.run({ ...feeds, c: f32(new Float32Array(24), [2, 4, 3]) })).s?.shape).toEqual([]);
  expect(dropout(x, key, { rate: 0 })).toBe(x);
  expect(() => dropout(x, key, { rate: 1 })).toThrow("dropout: the rate must be in [0, 1), not 1");
  expect(() => dropout(x, x, { rate: 0.1 })).toThrow("dropout: the key must be an i64 scalar, not f32[rows,250]");
  expect(() => dropout(x, key, { rate: 0.1, stream: -1 })).toThrow("the stream must be a whole number >= 0, not -1");
});
