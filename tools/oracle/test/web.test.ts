/** @file LoRA fine-tuning in a browser tab: headless Chromium trains a golden directory and must end at PyTorch's weights. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import { builtinModules, createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LIMITS, type ReplayResult } from "../src/golden-replay.ts";

const program = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((p) => existsSync(p));
if (!program) process.stderr.write("training in a page is not tested: install chromium\n");

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const runtime = createRequire(here("../../../packages/runtime/package.json"));
const BUILTIN = new RegExp(`^(node:.*|${builtinModules.join("|")})$`);
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

/** Bundles the page for browsers. What packages import of Node.js is left empty; none of it may be reached. */
async function bundle(): Promise<{ readonly code: Uint8Array; readonly inputs: readonly string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [here("web/page.ts")],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["@emosllm/source"],
    outdir: "out",
    logLevel: "silent",
    plugins: [
      {
        name: "nothing-of-node",
        setup(b) {
          b.onResolve({ filter: BUILTIN }, ({ path }) => ({ path, namespace: "nothing", sideEffects: false }));
          b.onLoad({ filter: /.*/, namespace: "nothing" }, () => ({ contents: "module.exports = {};" }));
        },
      },
    ],
  });
  const [output] = Object.values(metafile.outputs);
  const inputs = Object.entries(output?.inputs ?? {}).flatMap(([file, { bytesInOutput }]) =>
    bytesInOutput > 0 ? [file] : [],
  );
  return { code: (outputFiles[0] as { contents: Uint8Array }).contents, inputs };
}

describe.skipIf(!program)("in Chromium (install chromium)", () => {
  let server: Server;
  let browser: Browser;
  let inputs: readonly string[];
  beforeAll(async () => {
    const { code, inputs: bundled } = await bundle();
    inputs = bundled;
    const folders = [
      ["/golden/", here("../fixtures/golden-sinusoidal")],
      ["/ort/", dirname(runtime.resolve("onnxruntime-web"))],
    ] as const;
    server = createServer((request, response) => {
      const path = request.url ?? "/";
      const folder = folders.find(([prefix]) => path.startsWith(prefix));
      const body =
        path === "/"
          ? Promise.resolve(
              '<!doctype html><title>Training</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>',
            )
          : path === "/page.js"
            ? Promise.resolve(code)
            : folder
              ? readFile(join(folder[1], path.slice(folder[0].length)))
              : Promise.reject(new Error("not here"));
      body.then(
        (b) =>
          response
            .writeHead(200, {
              "content-type": TYPES[extname(path === "/" ? ".html" : path) || ".html"] ?? "application/octet-stream",
            })
            .end(b),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    browser = await chromium.launch({
      executablePath: program as string,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  test(
    "twenty steps of LoRA give PyTorch's losses, gradients and weights, and nobody but the server is asked",
    { timeout: 120_000 },
    async () => {
      const page = await browser.newPage();
      const [errors, asked]: [string[], string[]] = [[], []];
      page.on("pageerror", (e) => errors.push(String(e)));
      page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
      page.on("request", (r) => asked.push(new URL(r.url()).origin));
      const { port } = server.address() as AddressInfo;
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.waitForFunction("'train' in globalThis");
      const result = (await page.evaluate("train('cpu')")) as ReplayResult;
      for (const key of Object.keys(LIMITS) as (keyof typeof LIMITS)[])
        expect(result[key], key).toBeLessThanOrEqual(LIMITS[key]);
      expect(errors).toEqual([]);
      expect([...new Set(asked)].filter((o) => o !== "null")).toEqual([`http://127.0.0.1:${port}`]);
    },
  );

  test("the bundle has nothing of Node.js in it", () => {
    expect(inputs.some((f) => f.includes("onnxruntime-web"))).toBe(true);
    expect(inputs.filter((f) => /onnxruntime-node|^nothing:/.test(f))).toEqual([]);
  });
});
