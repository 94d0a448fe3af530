/** @file TensorFlow.js as the second executor: every op and every gradient against the same PyTorch cases, on every device there is here. */
import { expect, test } from "vitest";
import { check } from "./check-case.ts";
import { casesByOp, withoutNames } from "./op-cases.ts";
import { TFJS } from "./tfjs-devices.ts";

/** f32: its `erf` is a polynomial right to 1.5e-7, its wasm kernels round differently; the largest error seen was 3e-6. */
const TOLERANCE = 1e-5;

for (const device of TFJS)
  test.each([...casesByOp])(`${device}: %s`, { timeout: 60_000 }, async (_, list) => {
    const problems: string[] = [];
    for (const [c, key] of list) {
      // Numeric dimensions once in a while: there the graph is the same but for the names.
      const found = await check(key.endsWith("0") ? withoutNames(c) : c, key, { device, tolerance: TOLERANCE }).catch(
        (e: unknown) => [String((e as Error).stack)],
      );
      problems.push(...found.map((p) => `${key} (${c.note || "plain"}; ${JSON.stringify(c.attrs)}): ${p}`));
    }
    expect(problems).toEqual([]);
  });
