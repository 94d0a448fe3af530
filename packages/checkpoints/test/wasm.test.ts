import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

test("the committed kernel was made from the committed source", () => {
  const sha256 = createHash("sha256")
    .update(readFileSync(join(root, "wasm", "pack.as")))
    .digest("hex");
  expect(readFileSync(join(root, "src", "generated", "pack-wasm.ts"), "utf8")).toContain(sha256);
});

test("the committed kernel is what the source compiles to", () => {
  execFileSync(process.execPath, [join(root, "wasm", "build.mjs"), "--check"], { stdio: "pipe" });
});
