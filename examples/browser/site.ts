/** @file Everything the page needs in one folder, for any static server. */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { bundleForPage } from "./bundle.ts";

/** onnxruntime-web's binaries: for WebAssembly, and for WebGPU. */
const BINARIES = ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.asyncify.wasm"];

/** Writes the site of a trained bundle to `out`; gives the source files that are in its script. */
export async function writeSite(bundle: string, out: string): Promise<readonly string[]> {
  const { code, inputs } = await bundleForPage(join(import.meta.dirname, "app.ts"), ["@emosllm/source"]);
  await mkdir(join(out, "ort"), { recursive: true });
  await writeFile(join(out, "app.js"), code);
  await cp(join(import.meta.dirname, "index.html"), join(out, "index.html"));
  await cp(bundle, join(out, "bundle"), { recursive: true });
  const runtime = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  for (const file of BINARIES) await cp(join(runtime, file), join(out, "ort", file));
  return inputs;
}
