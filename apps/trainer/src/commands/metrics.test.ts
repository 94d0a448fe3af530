import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeWav } from "@emosllm/audio-features";
import { afterAll, expect, test, vi } from "vitest";
import { runCli } from "../cli.ts";

const folder = mkdtempSync(join(tmpdir(), "emosllm-metrics-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const lines = Array.from({ length: 40 }, (_, i) => ({
  id: `u${i}`,
  label: i % 2 ? "happy" : "sad",
  prediction: i % 5 ? (i % 2 ? "happy" : "sad") : i === 0 ? null : "happy",
  audio: i < 20 ? "tone.wav" : "missing.wav",
}));
const predictions = join(folder, "predictions.jsonl");
writeFileSync(predictions, lines.map((l) => `${JSON.stringify(l)}\n`).join(""));
const samples = Float32Array.from({ length: 8_000 }, (_, i) => Math.sin(i / 10) / 2);
writeFileSync(join(folder, "tone.wav"), encodeWav({ samples: [samples], sampleRate: 8_000 }));

/** Runs the command line and keeps what it prints. */
async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err] = [process.stdout, process.stderr].map((stream) => {
    const parts: string[] = [];
    vi.spyOn(stream, "write").mockImplementation((text) => parts.push(String(text)) > 0);
    return parts;
  });
  try {
    return { code: await runCli(["metrics", ...argv]), out: out!.join(""), err: err!.join("") };
  } finally {
    vi.restoreAllMocks();
  }
}

test("--json prints one line and writes nothing", async () => {
  const before = readdirSync(folder);
  const { code, out, err } = await run(predictions, "--json", "--rounds", "50");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out.trimEnd().split("\n")).toHaveLength(1);
  expect(JSON.parse(out)).toMatchObject({
    rows: 40,
    intervals: { rounds: 50, unit: "row" },
    classification: { scores: { accuracy: { estimate: 0.9 }, invalid_rate: { estimate: 0.025 } } },
  });
  expect(readdirSync(folder)).toEqual(before);
});

test("without --json: a table, and report.html beside the predictions with a player for each clip that can be read", async () => {
  const { code, out, err } = await run(predictions, "--rounds", "50");
  expect(code).toBe(0);
  expect(out).toMatch(/UAR \(balanced accuracy\)\s+90.0 %/);
  expect(err).toMatch(/no player for u\d+: .*missing.wav/);
  const page = readFileSync(join(folder, "report.html"), "utf8");
  expect(page.match(/<audio[^>]* src="data:audio\/wav;base64,UklGR/g)).toHaveLength(2); // wrong answers among the first 20: u0, u10
  expect(readdirSync(folder).filter((f) => f.endsWith(".tmp"))).toEqual([]);
});

test("two systems", async () => {
  const { code, out } = await run(predictions, "--compare", predictions, "--json", "--rounds", "50");
  expect(code).toBe(0);
  const { comparison } = JSON.parse(out);
  expect(comparison).toMatchObject({ rows: 40, mcnemar: { only_first_right: 0, only_second_right: 0, p_value: 1 } });
  expect(comparison.scores.map((s: { p_holm: number }) => s.p_holm)).toEqual([1, 1, 1, 1]);
});

test.each([
  [["--rounds", "none"], 2, "--rounds none: expected a whole number of at least 1"],
  [["--level", "95"], 2, "--level 95: expected a share such as 0.95"],
  [["--method", "normal"], 2, "--method normal: expected percentile or bca"],
  [["--labels", "happy"], 1, 'label "sad" is not one of happy'],
  [["--cluster", "speaker"], 1, '40 of 40 lines have no "speaker"'],
  [["--report", join(folder, "no", "such", "folder.html")], 1, "the page cannot be written"],
])("%j exits with %d and says why", async (argv, code, message) => {
  const result = await run(predictions, ...argv);
  expect(result.code).toBe(code);
  expect(result.err).toContain(message);
});

test("a missing file or argument", async () => {
  expect(await run(join(folder, "nothing.jsonl"))).toMatchObject({
    code: 1,
    err: expect.stringContaining("no such file"),
  });
  expect((await run()).code).toBe(2);
});
