/** @file The README's table has every op. (Its example is run with those of all packages.) */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { shapeRules } from "../src/shape-rules.ts";

const folder = new URL("../", import.meta.url);
const readme = readFileSync(new URL("README.md", folder), "utf8");

test("the table of ops", () => {
  const rows = readme.split("\n").filter((line) => line.startsWith("|"));
  const listed = new Set(rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map((m) => m[1])));
  const ops = [...Object.keys(shapeRules), "input", "weight", "constant", "range", "size"];
  expect(ops.filter((op) => !listed.has(op))).toEqual([]);
  expect([...listed].filter((op) => !ops.includes(op as string))).toEqual([]);
});
