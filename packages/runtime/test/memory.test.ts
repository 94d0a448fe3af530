/** @file Native memory is given back: JavaScript's garbage collector does not see it. */
import { expect, test } from "vitest";
import { runChild } from "./children/run-child.ts";

test("resident memory stays flat over 500 rounds of compile, run, release", () => {
  const child = runChild("./memory.ts", ["500"], ["--expose-gc"]);
  expect(child.code, child.stderr).toBe(0);
  const rss = JSON.parse(child.stdout) as number[];
  console.log(`resident memory every 50 rounds (MB): ${rss.join(" ")}`);
  // A program that is not released keeps 0.9 MB: 450 of them are 400 MB. JavaScript's own heap moves by 30 or less.
  expect(Math.max(...rss.slice(1)) - (rss[1] as number)).toBeLessThan(60);
  const later = (from: number): number => Math.min(...rss.slice(from, from + 3));
  expect(later(8) - later(3)).toBeLessThan(20);
});
