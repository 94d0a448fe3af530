/** @file Starts a model process, after a build (JavaScript) and from sources (TypeScript). */
import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A child process that runs `model-process`; messages keep their typed arrays. */
export function startProcess(): ChildProcess {
  const here = import.meta.url;
  const source = here.endsWith(".ts");
  const execArgv = source ? ["--conditions=@emosllm/source", `--import=${tsx(here)}`] : [];
  const file = fileURLToPath(new URL(source ? "./model-process.ts" : "./model-process.js", here));
  return fork(file, [], { serialization: "advanced", execArgv, stdio: ["ignore", "ignore", "pipe", "ipc"] });
}

const tsx = (here: string): string =>
  new URL("dist/esm/index.mjs", pathToFileURL(createRequire(here).resolve("tsx/package.json"))).href;
