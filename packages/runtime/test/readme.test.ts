/** @file The README's example prints what the README says. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";

const folder = new URL("../", import.meta.url);
const readme = readFileSync(new URL("README.md", folder), "utf8");

test("the example", () => {
  const [, code, output] = /```js\n([^]*?)```\n\n```text\n([^]*?)```/.exec(readme) ?? [];
  const tsx = new URL("dist/esm/index.mjs", pathToFileURL(createRequire(import.meta.url).resolve("tsx/package.json")))
    .href;
  const child = spawnSync(
    process.execPath,
    ["--conditions=@emosllm/source", `--import=${tsx}`, "--input-type=module", "-e", code as string],
    { cwd: fileURLToPath(folder), encoding: "utf8", timeout: 50_000 },
  );
  expect(child.stderr).toBe("");
  expect(child.stdout).toBe(output);
});
