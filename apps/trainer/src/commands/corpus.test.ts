import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeIemocap } from "@emosllm/datasets/testing";
import { afterAll, expect, test, vi } from "vitest";
import { runCli } from "../cli.ts";

const folder = mkdtempSync(join(tmpdir(), "emosllm-corpus-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const clean = join(folder, "clean");
const leaky = join(folder, "leaky");
writeIemocap(clean);
writeIemocap(leaky, { leak: true, quirks: false });

/** Runs a command line and gives what it printed. */
async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const taken = { out: "", err: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      taken[name === "stdout" ? "out" : "err"] += String(text);
      return true;
    }),
  );
  try {
    return { code: await runCli(argv), ...taken };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

test("audit --json prints one object of the promised shape; 0 without a leak, 1 with one", async () => {
  const good = await run("corpus", "audit", `iemocap:${clean}`, "--protocol", "loso5", "--json");
  expect(good.code).toBe(0);
  const report = JSON.parse(good.out);
  expect(Object.keys(report)).toEqual([
    "corpus",
    "utterances",
    "labels",
    "speakers",
    "hours",
    "problems",
    "splits",
    "sha256",
  ]);
  for (const p of report.problems) expect(Object.keys(p)).toEqual(["code", "id", "path", "message"]);
  for (const s of report.splits) expect(Object.keys(s)).toEqual(["fold", "part", "utterances", "labels", "speakers"]);
  expect(report.splits.length).toBe(15);
  expect(good.out.trim().split("\n").length).toBe(1);

  const bad = await run("corpus", "audit", `iemocap:${leaky}`, "--protocol", "loso5", "--fold", "2", "--json");
  expect(bad.code).toBe(1);
  expect(JSON.parse(bad.out).problems.some((p: { code: string }) => p.code === "audio_leak")).toBe(true);
  const text = await run("corpus", "audit", `iemocap:${leaky}`, "--protocol", "loso5-validation-is-test");
  expect(text.code).toBe(1);
  expect(text.out).toContain("LEAK validation_is_test: 5");
});

test("export writes each format, and what it wrote can be audited again", async () => {
  for (const [format, name] of [
    ["jsonl", "jsonl"],
    ["csv", "csv"],
    ["parquet", "parquet"],
    ["emobox", "emobox"],
    ["ms-swift", "ms-swift"],
  ] as const) {
    const out = join(folder, `o.${format}`);
    const args = ["--scheme", "iemocap-4", "--protocol", "loso5", "--fold", "1", "--format", format, "--out", out];
    const done = await run("corpus", "export", `iemocap:${clean}`, ...args, "--json");
    expect(done.code).toBe(0);
    const { rows, split } = JSON.parse(done.out);
    expect(rows).toBe(split.parts.train.utterances + split.parts.validation.utterances + split.parts.test.utterances);
    const again = await run("corpus", "audit", `${name}:${out}`, "--protocol", "official", "--no-audio", "--json");
    expect(again.code).toBe(0);
    expect(JSON.parse(again.out)).toMatchObject({ utterances: rows, problems: [] });
    const parts = JSON.parse(again.out).splits.map((s: { utterances: number }) => s.utterances);
    expect(parts).toEqual(["train", "validation", "test"].map((p) => split.parts[p].utterances));
  }
  expect(JSON.parse(readFileSync(join(folder, "o.jsonl"), "utf8").split("\n")[0] as string)).toMatchObject({
    split: "test",
  });
});

test.each([
  [["corpus", "audit", "iemocap"], /not NAME:PATH/],
  [["corpus", "audit", "nix:/tmp"], /iemocap, meld, ravdess/],
  [
    ["corpus", "audit", "iemocap:CLEAN", "--protcol", "loso5"],
    /unknown option --protcol; did you mean --protocol\?; there are --protocol/,
  ],
  [["corpus", "audit", "iemocap:CLEAN", "--protocol", "loso"], /no protocol "loso"; there are loso5/],
  [["corpus", "audit", "iemocap:CLEAN", "--scheme", "x"], /no scheme "x"/],
  [["corpus", "audit", "iemocap:CLEAN", "--protocol", "loso5", "--fold", "6"], /fold 6 is not one of 1 to 5/],
  [["corpus", "export", "iemocap:CLEAN", "--out", "x", "--format", "xml"], /--format xml: expected one of jsonl/],
  [["corpus", "export", "iemocap:CLEAN", "--out", "x", "--fold", "1"], /needs a --protocol/],
])("wrong usage %j exits with 2 and says what is accepted", async (argv, message) => {
  const { code, err } = await run(...argv.map((a) => a.replace("CLEAN", clean)));
  expect(err).toMatch(message);
  expect(code).toBe(2);
});

test("a corpus that is not there exits with 1 and its path", async () => {
  const { code, err } = await run("corpus", "audit", `iemocap:${join(folder, "none")}`);
  expect(code).toBe(1);
  expect(err).toMatch(/none: no such folder/);
});

test("split and list", async () => {
  const card = await run("corpus", "split", `iemocap:${clean}`, "--protocol", "loso10", "--fold", "10");
  expect(Object.keys(JSON.parse(card.out).parts.test.speakers)).toEqual(["05M"]);
  const list = await run("corpus", "list", "--json");
  expect(list.out.split("\n").filter((l) => l.includes('"corpus"')).length).toBe(14);
});
