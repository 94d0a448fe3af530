import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "vitest";

test("the committed kernel is what its source compiles to", () => {
  execFileSync(process.execPath, [fileURLToPath(new URL("../wasm/build.mjs", import.meta.url)), "--check"], {
    stdio: "pipe",
  });
});
