/** @file `tsx build.ts BUNDLE OUT`: everything the page needs in one folder, for any static server. */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { bundleForPage } from "./bundle.ts";

const [bundle, out] = process.argv.slice(2);
if (!bundle || !out)
  throw new Error("Usage: npm start -- BUNDLE OUT (a trained bundle such as runs/demo/best, a folder to write)");
const { outputFiles } = await bundleForPage(join(import.meta.dirname, "app.ts"), ["@emosllm/source"]);
await mkdir(join(out, "ort"), { recursive: true });
await writeFile(join(out, "app.js"), outputFiles[0]?.contents ?? "");
await cp(join(import.meta.dirname, "index.html"), join(out, "index.html"));
await cp(bundle, join(out, "bundle"), { recursive: true });
const wasm = "ort-wasm-simd-threaded.wasm";
await cp(join(dirname(createRequire(import.meta.url).resolve("onnxruntime-web")), wasm), join(out, "ort", wasm));
process.stdout.write(`Serve ${out} (for example: python3 -m http.server --directory ${out}) and open it.\n`);
