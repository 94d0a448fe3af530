/** @file Starts a worker thread on a module of this folder, after a build (JavaScript) and from sources (TypeScript). */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

/** A worker thread that runs `./<name>` with `workerData`. */
export function startThread(name: string, workerData: unknown): Worker {
  const here = import.meta.url;
  if (!here.endsWith(".ts")) return new Worker(new URL(`./${name}.js`, here), { workerData });
  // A thread does not inherit the hooks that let its parent load TypeScript (tsx issue 354), so it brings its own first.
  const tsx = new URL("dist/esm/api/index.mjs", pathToFileURL(createRequire(here).resolve("tsx/package.json"))).href;
  const file = new URL(`./${name}.ts`, here).href;
  const code = `import(${JSON.stringify(tsx)}).then(({ register }) => { register(); return import(${JSON.stringify(file)}); });`;
  return new Worker(code, {
    eval: true,
    workerData,
    execArgv: ["--conditions=@emosllm/source"],
  });
}
