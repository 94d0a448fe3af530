/** @file LoRA fine-tuning in a browser tab: headless Chromium trains a golden directory and must end at PyTorch's weights. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomBundle, removeBundle, hum } from "../../../apps/serving/test/bundle.ts";
import { bundleForPage } from "../../../examples/browser/bundle.ts";
import { writeSite } from "../../../examples/browser/site.ts";
import { loadEmoSllm } from "@emosllm/model";
import { LIMITS, type ReplayResult } from "../src/golden-replay.ts";

const program = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((p) => existsSync(p));
if (!program) process.stderr.write("training in a page is not tested: install chromium\n");

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const runtime = createRequire(here("../../../packages/runtime/package.json"));
/** f32 on a GPU: other sums and functions right to a few roundings; what Node.js' WebGPU is allowed too. */
const WEBGPU = 2e-4;
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

describe.skipIf(!program)("in Chromium (install chromium)", () => {
  let server: Server;
  let browser: Browser;
  let trained: string;
  let site: string;
  let inputs: readonly string[];
  beforeAll(async () => {
    const { code, inputs: bundled } = await bundleForPage(here("web/page.ts"), ["@emosllm/source"]);
    trained = await randomBundle(3);
    site = await mkdtemp(join(tmpdir(), "emosllm-site-"));
    inputs = [...bundled, ...(await writeSite(trained, site))];
    const folders = [
      ["/goldens/", here("../fixtures/")],
      ["/demo/", site],
      ["/ort/", dirname(runtime.resolve("onnxruntime-web"))],
    ] as const;
    server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://here").pathname;
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
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        "--no-sandbox",
        // Where there is no card, Chromium's own software device.
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
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
    if (trained) await removeBundle(trained);
    if (site) await rm(site, { recursive: true });
  });

  test.each([
    ["cpu", "golden-sinusoidal"],
    ["cpu", "golden-all-linear"],
    ["webgpu", "golden-sinusoidal"],
    // A minute on the software device.
    ...(process.env["EMOSLLM_FULL"] ? ([["webgpu", "golden-all-linear"]] as const) : []),
  ] as const)(
    "%s: twenty steps of LoRA on %s give PyTorch's losses, gradients and weights, and nobody but the server is asked",
    { timeout: 120_000 },
    async (device, golden) => {
      const page = await browser.newPage();
      const [errors, asked]: [string[], string[]] = [[], []];
      page.on("pageerror", (e) => errors.push(String(e)));
      page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
      page.on("request", (r) => asked.push(new URL(r.url()).origin));
      const { port } = server.address() as AddressInfo;
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.waitForFunction("'train' in globalThis");
      const result = (await page.evaluate(`train("${golden}", "${device}")`)) as ReplayResult;
      for (const key of Object.keys(LIMITS) as (keyof typeof LIMITS)[])
        expect(result[key], key).toBeLessThanOrEqual(device === "webgpu" ? WEBGPU : LIMITS[key]);
      expect(errors).toEqual([]);
      expect([...new Set(asked)].filter((o) => o !== "null")).toEqual([`http://127.0.0.1:${port}`]);
    },
  );

  test.each(["auto", "webgpu"])(
    "the example's page judges a file as Node.js does, on %s",
    // A card that is software takes half a minute where the tests have the cores.
    { timeout: 180_000 },
    async (device) => {
      const folder = await mkdtemp(join(tmpdir(), "emosllm-web-"));
      const model = await loadEmoSllm(trained, { threads: 1 });
      try {
        const clip = join(folder, "hum.wav");
        await writeFile(clip, hum(1.4));
        const [answer] = await model.score([{ audio: clip }]);
        const page = await browser.newPage();
        const asked: string[] = [];
        page.on("request", (r) => asked.push(new URL(r.url()).origin));
        const { port } = server.address() as AddressInfo;
        await page.goto(`http://127.0.0.1:${port}/demo/index.html?device=${device}`);
        await page.waitForFunction("/^Ready/.test(document.querySelector('#status').textContent)", undefined, {
          timeout: 120_000,
        });
        // Software that plays a card is not chosen.
        const chosen = device === "webgpu" ? "WebGPU \\(as asked\\)" : "WebAssembly \\(.*software";
        expect(await page.textContent("#status")).toMatch(new RegExp(`on ${chosen}`));
        await page.setInputFiles("#file", clip);
        await page.waitForFunction(
          "document.querySelector('.bar') || !/^(Ready|Listening)/.test(document.querySelector('#status').textContent)",
          undefined,
          { timeout: 120_000 },
        );
        expect(await page.textContent("#status")).toMatch(/of sound, judged/);
        const seen = (await page.evaluate(
          "Object.fromEntries([...document.querySelectorAll('.bar')].map((b) => [b.dataset.label, Number(b.dataset.probability)]))",
        )) as Record<string, number>;
        expect(Object.keys(seen)).toEqual(Object.keys(answer?.probabilities ?? {}));
        // Chromium reads 16-bit samples as it likes; the rest is the same arithmetic.
        for (const [label, p] of Object.entries(answer?.probabilities ?? {}))
          expect(Math.abs((seen[label] as number) - p), label).toBeLessThan(1e-4);
        expect([...new Set(asked)].filter((o) => o !== "null")).toEqual([`http://127.0.0.1:${port}`]);
        if (device === "webgpu") return;
        // Five seconds of Chromium's own microphone, which beeps.
        await page.click("#record");
        await page.waitForFunction(
          "document.querySelector('#record').disabled === false && /^[45]\\.\\d s of sound/.test(document.querySelector('#status').textContent)",
        );
        expect(new Set(asked.filter((o) => o !== "null" && !o.startsWith("blob"))).size).toBe(1);
        const pictures = process.env["EMOSLLM_SCREENSHOTS"];
        if (pictures) {
          await page.setViewportSize({ width: 390, height: 700 });
          await page.emulateMedia({ colorScheme: "dark" });
          await page.screenshot({ path: join(pictures, "browser-dark-phone.png") });
        }
      } finally {
        await model.dispose();
        await rm(folder, { recursive: true });
      }
    },
  );

  test("the bundle has nothing of Node.js in it", () => {
    expect(inputs.some((f) => f.includes("onnxruntime-web"))).toBe(true);
    expect(inputs.filter((f) => /onnxruntime-node|huggingface.hub/.test(f))).toEqual([]);
  });
});
