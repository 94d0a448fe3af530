/** @file Work counted by hand. */
import { add, conv1d, input, matmul, softmax } from "@emosllm/graph";
import { expect, test } from "vitest";
import { graphWork } from "../src/index.ts";

test("products by their sides, everything else by the bytes it moves, equal ops once", () => {
  const [x, w] = [input("x", ["rows", 64]), input("w", [32, 64])];
  const product = matmul(x, w, { transB: true });
  const again = matmul(x, w, { transB: true });
  const work = graphWork([softmax(add(product, again), 1)], { rows: 16 });
  // 2 x 16 x 32 x 64, and what a product of such sides takes beside its arithmetic.
  expect(work.f32).toBeCloseTo(65_536 * (1 + 8 / 16 + 10 / 32 + 40 / 64), 6);
  // The sum reads two values (the same one) and writes one; the softmax reads and writes one, five times as slow.
  expect(work.bytes).toBe(3 * 16 * 32 * 4 + 5 * 2 * 16 * 32 * 4);
  expect(work.ops).toBe(3);
  expect([work.int8, work.blocks]).toEqual([0, 0]);
});

test("a convolution is a product for each place", () => {
  const y = conv1d(input("x", [2, 6, 50]), input("w", [4, 3, 5]), { groups: 2 });
  expect(graphWork([y], {}).f32).toBe(2 * 2 * 4 * 46 * 3 * 5);
});

test("a dimension without a size is named", () => {
  expect(() => graphWork([add(input("x", ["rows"]), 1)], {})).toThrow(/rows/);
});
