import { readFileSync } from "node:fs";
import { input } from "@emosllm/graph";
import { compile, f32, feedsOf } from "@emosllm/runtime";
import { expect, test } from "vitest";
import { type ScheduleOptions, type SchedulerType, schedule } from "../src/index.ts";

interface Case extends ScheduleOptions {
  readonly rates: readonly number[];
}
// Made by tools/oracle/schedules.py with transformers' get_scheduler, up to the last step: past it transformers' cosine rises again, ours stays.
const cases = JSON.parse(readFileSync(new URL("fixtures/schedules.json", import.meta.url), "utf8")) as Case[];

test.each(cases)("$type, warm-up $warmupSteps of $totalSteps, equals transformers", async ({ rates, ...options }) => {
  const program = await compile({ rate: schedule(options)(input("count", [])) });
  for (const [i, rate] of rates.entries()) {
    const { rate: ours } = await program.run(feedsOf(program, { count: f32([i], []) }));
    // f32 cosine near its zero: 1e-7 of the full rate.
    expect(Math.abs(Number(ours?.data[0]) - rate)).toBeLessThan(options.learningRate * 3e-7);
  }
  await program.dispose();
});

test("an unknown kind is refused with the known ones", () => {
  expect(() => schedule({ type: "polynomial" as SchedulerType, learningRate: 1 })).toThrow(
    /'polynomial' is not one of constant, /,
  );
});
