/** @file Native memory is given back: JavaScript's garbage collector does not see it. */
import { expect, test } from "vitest";
import { runChild } from "./children/run-child.ts";

test("resident memory stays flat over 500 rounds of compile, run, release", () => {
  const child = runChild("./memory.ts", ["500"], ["--expose-gc"]);
  expect(child.code, child.stderr).toBe(0);
  const rss = JSON.parse(child.stdout) as number[];
  console.log(`resident memory every 50 rounds (MB): ${rss.join(" ")}`);
  // A program that is not released keeps 0.3 MB (its weight) and more: 450 of them would be 130 MB.
  expect(Math.max(...rss.slice(1)) - (rss[1] as number)).toBeLessThan(20);
});
