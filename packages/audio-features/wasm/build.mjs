// Compiles wasm/spectra.as and writes it, base64, into src/generated/spectra-wasm.ts; with --check only says whether that file is current.
import { readFileSync, writeFileSync } from "node:fs";
import { main } from "assemblyscript/asc";

const source = readFileSync(new URL("spectra.as", import.meta.url), "utf8");
const target = new URL("../src/generated/spectra-wasm.ts", import.meta.url);
let binary;
const { error, stderr } = await main(
  // binaryen's own defaults; no runtime, so that the module imports nothing and owns its memory
  ["spectra.ts", "-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--use", "abort=", "-o", "out.wasm"],
  {
    readFile: (name) => (name === "spectra.ts" ? source : null),
    writeFile: (_name, contents) => (binary = contents),
    listFiles: () => [],
  },
);
if (error) throw new Error(String(stderr), { cause: error });
const base64 = Buffer.from(binary).toString("base64");
const text = `/** wasm/spectra.as, compiled by wasm/build.mjs. */\nexport const SPECTRA_WASM: string =\n  "${base64}";\n`;
if (!process.argv.includes("--check")) writeFileSync(target, text);
else if (readFileSync(target, "utf8") !== text) {
  console.error("src/generated/spectra-wasm.ts is not what wasm/spectra.as compiles to; run npm run build:wasm");
  process.exitCode = 1;
}
