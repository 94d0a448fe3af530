// Compiles wasm/pack.as and writes it, base64, into src/generated/pack-wasm.ts; with --check only says whether that file is current.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { main } from "assemblyscript/asc";

const source = readFileSync(new URL("pack.as", import.meta.url), "utf8");
const target = new URL("../src/generated/pack-wasm.ts", import.meta.url);
let binary;
const { error, stderr } = await main(
  // binaryen's own defaults; no runtime, so that the module imports nothing and owns its memory
  ["pack.ts", "-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--use", "abort=", "-o", "out.wasm"],
  {
    readFile: (name) => (name === "pack.ts" ? source : null),
    writeFile: (_name, contents) => (binary = contents),
    listFiles: () => [],
  },
);
if (error) throw new Error(String(stderr), { cause: error });
const base64 = Buffer.from(binary).toString("base64");
const sha256 = createHash("sha256").update(source).digest("hex");
const text = `/** wasm/pack.as (SHA-256 ${sha256}), compiled by wasm/build.mjs. */\nexport const PACK_WASM: string =\n  "${base64}";\n`;
if (!process.argv.includes("--check")) writeFileSync(target, text);
else if (readFileSync(target, "utf8") !== text) {
  console.error("src/generated/pack-wasm.ts is not what wasm/pack.as compiles to; run npm run build:wasm");
  process.exitCode = 1;
}
