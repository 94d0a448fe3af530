/** @file Runs a TypeScript file of this folder in a process of its own, from sources. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const tsx = new URL("dist/esm/index.mjs", pathToFileURL(createRequire(import.meta.url).resolve("tsx/package.json")))
  .href;

/** Its exit code (null when a signal ended it) and what it printed. */
export function runChild(
  file: string,
  args: readonly string[] = [],
  nodeOptions: readonly string[] = [],
  env: NodeJS.ProcessEnv = process.env,
): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const child = spawnSync(
    process.execPath,
    [
      ...nodeOptions,
      "--conditions=@emosllm/source",
      `--import=${tsx}`,
      fileURLToPath(new URL(file, import.meta.url)),
      ...args,
    ],
    { encoding: "utf8", timeout: 55_000, env },
  );
  return { code: child.status, stdout: child.stdout, stderr: child.stderr };
}
