import { expect, test } from "vitest";
import { ascendingOrder } from "./order.ts";
import { randomStream } from "./random.ts";

test.each([0, 1, 5, 4095, 4096, 50_000])("the order of %d numbers is that of a stable comparing sort", (n) => {
  const random = randomStream(n);
  // Many ties, both signs, zero with both signs, tiny and huge.
  const pool = [0, -0, 1, -1, 0.5, 1e-310, -1e-310, 1e300, -1e300, Math.PI];
  const values = Float64Array.from({ length: n }, () =>
    random.uniform() < 0.5 ? pool[random.below(pool.length)]! : (random.uniform() - 0.5) * 2 ** (random.below(40) - 20),
  );
  const expected = Array.from(values.keys()).sort((a, b) => values[a]! - values[b]! || a - b);
  expect(Array.from(ascendingOrder(values))).toEqual(expected);
});
