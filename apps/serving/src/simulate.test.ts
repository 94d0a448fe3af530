import { expect, test } from "vitest";
import { simulateReplica } from "./simulate.ts";

test("without batching and with one process it is the queue of the textbook (M/D/1)", () => {
  // Mean wait of M/D/1 is rho * s / (2 (1 - rho)); its median and 99th percentile have no closed form, the share of busy time has.
  const load = { rate: 50, processes: 1, fixedMs: 0, itemMs: 10, maxBatch: 1, maxQueue: 1e6 };
  const { busy, p50_ms: median } = simulateReplica(load);
  expect(busy).toBeCloseTo(0.5, 1);
  expect(median).toBeGreaterThanOrEqual(10);
  expect(median).toBeLessThan(20);
});

test("batches carry a load that single requests could not; too much is refused", () => {
  const base = { rate: 150, processes: 1, fixedMs: 8, itemMs: 2, maxQueue: 100 };
  expect(simulateReplica({ ...base, maxBatch: 1 }).refused).toBeGreaterThan(0.2);
  const batched = simulateReplica({ ...base, maxBatch: 8 });
  expect(batched.refused).toBe(0);
  expect(batched.p99_ms).toBeLessThan(200);
});
