/** @file Every op and every gradient against PyTorch in float64 (tools/oracle/ops.py), with named and with numeric dimensions. */
import { describe, expect, test } from "vitest";
import { check } from "./check-case.ts";
import { casesByOp, withoutNames } from "./op-cases.ts";

describe("equal to PyTorch", () => {
  test.each([...casesByOp])("%s", async (_, list) => {
    expect(list.length, "cases in the fixture; add some to tools/oracle/ops.py").toBeGreaterThan(1);
    const problems: string[] = [];
    for (const [named, key] of list)
      for (const [kind, c] of [
        ["named", named],
        ["numbers", withoutNames(named)],
      ] as const) {
        const found = await check(c, key).catch((e: unknown) => [String(e)]);
        problems.push(
          ...found.map(
            (p) =>
              `${key} (${kind}; ${c.note || "plain"}; ${JSON.stringify(c.attrs)}, ${c.inputs.map((i) => `[${i.dims.join()}]`).join(" ")}): ${p}`,
          ),
        );
      }
    expect(problems).toEqual([]);
  });
});
