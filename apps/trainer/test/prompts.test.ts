import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import { runCli } from "../src/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "emosllm-prompts-"));
afterAll(() => rmSync(folder, { recursive: true }));
const model = fileURLToPath(new URL("../../../packages/prompts/test/fixtures/llama3", import.meta.url));

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const stdout = vi.spyOn(process.stdout, "write").mockImplementation((text) => ((out += String(text)), true));
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => ((err += String(text)), true));
  try {
    return { code: await runCli(argv), out, err };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

test("list shows the library, and a task of it", async () => {
  const all = await run("prompts", "list", "--json", "--task", "emotion", "--language", "en");
  expect(all.code).toBe(0);
  const rows = all.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { task: string; hash: string });
  expect(rows.length).toBeGreaterThanOrEqual(12);
  for (const row of rows) expect(row).toMatchObject({ task: "emotion", hash: expect.stringMatching(/^sha256:/) });
  expect((await run("prompts", "list", "--task", "emotions")).code).toBe(2);
  expect((await run("prompts", "list", "--language", "tlh")).code).toBe(1);
});

test("check names file, line and column, and exits 1", async () => {
  const good = join(folder, "good.yaml");
  const bad = join(folder, "bad.yaml");
  writeFileSync(good, "name: mine\nmessages:\n  - role: user\n    content: '{audio} What?'\n");
  writeFileSync(bad, "name: mine\nmessages:\n  - role: user\n    content: '{audoi} What?'\n");
  expect(await run("prompts", "check", good)).toMatchObject({
    code: 0,
    err: "",
    out: expect.stringContaining("mine ok, sha256:"),
  });
  const both = await run("prompts", "check", good, bad);
  expect(both).toMatchObject({ code: 1, err: expect.stringContaining(`${bad}:4:14: '{audoi}' is not a slot`) });
  expect(both.out).toContain("mine ok");
  expect((await run("prompts", "check", join(folder, "none.yaml"))).err).toContain("none.yaml cannot be read");
});

test("render gives the ids that the model gets", async () => {
  const { code, out } = await run(
    "prompts",
    "render",
    "emotion-plain",
    "--model",
    model,
    "--transcript",
    "it's <|eot_id|> fine",
    "--json",
  );
  expect(code).toBe(0);
  const row = JSON.parse(out) as {
    before: number[];
    ids: number[];
    audioAt: number;
    text: string;
    missing: string[];
    answers: { answer: string; ids: number[] }[];
  };
  expect(row.audioAt).toBe(row.before.length);
  expect(row.text).toContain('<audio>\nTranscript: "it\'s <|eot_id|> fine".\nWhich emotion');
  expect(row.missing).toEqual(["voice"]);
  expect(row.answers.map((a) => a.answer)).toEqual(["angry", "happy", "sad", "neutral"]);
  expect((await run("prompts", "render", "emotion-plain", "--model", model)).out).toContain(
    "left out with their sentences: transcript, voice",
  );
  expect((await run("prompts", "render", "no-such", "--model", model)).err).toContain("there are");
  expect((await run("prompts", "render", "emotion-plain", "--model", folder)).err).toContain(
    "tokenizer.json does not exist",
  );
});
