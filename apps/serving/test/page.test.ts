/** @file The page in a real browser with a fake microphone. EMOSLLM_SCREENSHOTS=DIR keeps pictures of what was seen. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type Page, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Listening, apiKey, createServer, listen } from "../src/index.ts";
import { hum, randomBundle, removeBundle } from "./bundle.ts";

const program = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((p) => existsSync(p));
const pictures = process.env["EMOSLLM_SCREENSHOTS"];
const KEY = "a-key-for-tests";

if (!program) process.stderr.write("the page is not tested: install chromium\n");
describe.skipIf(!program)("the page in Chromium (install chromium)", () => {
  let folders: string[];
  let open: Listening;
  let locked: Listening;
  let browser: Browser;
  let files: string;
  let axe: string;
  beforeAll(async () => {
    files = await mkdtemp(join(tmpdir(), "emosllm-page-"));
    await writeFile(join(files, "short.wav"), hum(2.2));
    await writeFile(join(files, "long.wav"), hum(14, 4));
    await writeFile(join(files, "text.wav"), "this is no sound");
    axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    folders = await Promise.all([randomBundle(1), randomBundle(2)]);
    const bundles = folders.map((folder, i) => ({ id: i === 0 ? "first" : "second", folder }));
    const options = { processes: 1, threads: 1 } as const;
    open = await listen(await createServer({ bundles, ...options }), { port: 0 });
    locked = await listen(await createServer({ bundles: bundles.slice(0, 1), ...options, keys: [apiKey(KEY)] }), {
      port: 0,
    });
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
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        `--use-file-for-fake-audio-capture=${join(files, "long.wav")}`,
      ],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all([open?.stop(), locked?.stop()]);
    await Promise.all([...folders.map(removeBundle), rm(files, { recursive: true })]);
  });

  /** Opens the page and watches that it asks nobody but its server, and that nothing fails in it. */
  async function visit(
    url: string,
    options: Parameters<Browser["newContext"]>[0] = {},
  ): Promise<{ page: Page; done(): Promise<void> }> {
    const context = await browser.newContext({
      permissions: ["microphone", "clipboard-read", "clipboard-write"],
      ...options,
    });
    const page = await context.newPage();
    const wrong: string[] = [];
    page.on("request", (r) => {
      const own = r.url().startsWith(new URL(url).origin) || r.url().startsWith("blob:") || r.url().startsWith("data:");
      if (!own) wrong.push(`asks ${r.url()}`);
    });
    page.on("pageerror", (e) => wrong.push(`throws ${e.message}`));
    page.on("console", (m) => {
      // Chromium reports each refused request itself; the page is to say it in words.
      if (m.type() === "error" && !m.text().includes("Failed to load resource")) wrong.push(`logs ${m.text()}`);
    });
    await page.goto(url);
    return {
      page,
      async done() {
        await context.close();
        expect(wrong).toEqual([]);
      },
    };
  }
  const picture = async (page: Page, name: string): Promise<void> => {
    if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  };
  const accessible = async (page: Page): Promise<void> => {
    await page.evaluate(axe).catch(async () => page.evaluate((code) => new Function(code)(), axe));
    const found = await page.evaluate(async () => {
      const { violations } = await (
        globalThis as never as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }
      ).axe.run();
      return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`);
    });
    expect(found).toEqual([]);
  };
  const upload = (page: Page, name: string): Promise<void> => page.setInputFiles("#file", join(files, name));

  test("a file: verdict, bars, segments, voice, player by keyboard, curl command", async () => {
    const { page, done } = await visit(open.url, { viewport: { width: 1280, height: 900 } });
    await page.getByText("Ready: first, second.").waitFor();
    await picture(page, "empty");
    await accessible(page);
    await upload(page, "long.wav");
    await page.getByText(/^Done: /).waitFor();
    expect(await page.locator("#bars li").count()).toBe(4);
    const segments = await page.locator("#segments button").count();
    expect(segments).toBeGreaterThan(0);
    expect(await page.locator("#voice-text").textContent()).toMatch(/pitch/);
    expect(await page.locator("#curl").textContent()).toMatch(
      /curl http:\/\/127\.0\.0\.1:\d+\/v1\/audio\/emotions .*-F file=@'long\.wav'.*timeline=true/s,
    );
    await accessible(page);
    const slider = page.getByRole("slider");
    await slider.focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(Number(await slider.getAttribute("aria-valuenow"))).toBeCloseTo(2, 1);
    await page.keyboard.press(" ");
    await expect
      .poll(async () => Number(await slider.getAttribute("aria-valuenow")), { timeout: 5000 })
      .toBeGreaterThan(2.3);
    await page.getByRole("button", { name: "Pause" }).click();
    await picture(page, "desktop");
    await page.getByRole("button", { name: "Copy" }).click();
    expect(await page.evaluate("navigator.clipboard.readText()")).toContain("curl ");
    await done();
  });

  test("on a phone in the dark: the other model, a short file, nothing wider than the screen", async () => {
    const { page, done } = await visit(open.url, {
      viewport: { width: 390, height: 844 },
      colorScheme: "dark",
      deviceScaleFactor: 2,
    });
    await page.getByText("Ready").waitFor();
    await page.getByText("Options").click();
    await page.getByLabel("Model").selectOption("second");
    await page.getByLabel("What was said").fill("Well, then.");
    await upload(page, "short.wav");
    await page.getByText(/^Done: /).waitFor();
    expect(await page.locator("#timing").textContent()).toMatch(/2\.2 s of sound .* by second/);
    expect(await page.locator("#transcript").textContent()).toBe("Well, then.");
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    await accessible(page);
    await picture(page, "phone-dark");
    await done();
  });

  test("live: bars and segments grow while the microphone is heard", async () => {
    const { page, done } = await visit(open.url, { colorScheme: "dark", viewport: { width: 1100, height: 800 } });
    await page.getByText("Ready").waitFor();
    await page.getByRole("button", { name: "Live" }).click();
    await page.locator("#bars li .value").first().waitFor();
    await page.locator("#segments button").first().waitFor({ timeout: 15_000 });
    await page.waitForTimeout(2500);
    await picture(page, "live-dark");
    await accessible(page);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "Live" }).waitFor();
    await expect.poll(() => open.url && page.locator("#problem").isHidden()).toBe(true);
    await done();
  });

  test("a recording is judged when it ends", async () => {
    const { page, done } = await visit(open.url);
    await page.getByText("Ready").waitFor();
    await page.getByRole("button", { name: "Record" }).click();
    await page.getByText(/Recording, [2-9] s/).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText(/^Done: /).waitFor();
    expect(await page.locator("#timing").textContent()).toMatch(/^[2-9]\.\d s of sound/);
    await done();
  });

  test("what goes wrong is said in words, and the page goes on", async () => {
    const { page, done } = await visit(locked.url);
    await page.getByRole("alert").getByText("The server asks for a key").waitFor();
    await picture(page, "error");
    await accessible(page);
    await page.getByLabel("Key").fill(KEY);
    await page.getByLabel("Key").blur();
    await page.getByText("Ready: first.").waitFor();
    await upload(page, "text.wav");
    await page.getByRole("alert").getByText("This is no sound file").waitFor();
    await upload(page, "short.wav");
    await page.getByText(/^Done: /).waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    expect(await page.locator("#curl").textContent()).toContain("$EMOSLLM_API_KEY");
    await done();
  });

  test("the docs", async () => {
    const { page, done } = await visit(`${open.url}/docs`);
    expect(await page.locator("section").count()).toBeGreaterThan(10);
    await accessible(page);
    await picture(page, "docs");
    await done();
  });
});
