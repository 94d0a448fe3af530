/** Folds trained for real on a synthetic corpus: resumed, repeated, several at once, and the numbers against their definition. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeIemocap } from "@emosllm/datasets/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { latexTable, latexText, markdownTable } from "../src/series/tables.ts";
import { run, type Said } from "./run.ts";
import { recipe, repository, SMALL, tinyModel } from "./tiny-run.ts";

let folder: string;
let overrides: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm-crossval-"));
  writeIemocap(join(folder, "iemocap"), { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
  overrides = [
    `model_name_or_path=${tinyModel}`,
    `corpus=iemocap:${join(folder, "iemocap")}`,
    `output_dir=${join(folder, "cv")}`,
    ...SMALL,
    "max_steps=1",
  ];
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const crossval = (...argv: string[]): Promise<Said> => run("crossval", recipe("demo"), ...overrides, ...argv);

interface Row {
  readonly label: string;
  readonly prediction: string;
  readonly fold: number;
}

test("all folds: mean and deviation, pooled scores, majority and hashes are what the predictions say", async () => {
  const first = await crossval("--folds", "2,3", "--json");
  expect(first.code, first.err).toBe(0);
  expect((JSON.parse(first.out) as { folds: object[] }).folds).toHaveLength(2);
  const marked = (await stat(join(folder, "cv/fold-2/best/projector.safetensors"))).mtimeMs;

  const { code, out, err } = await crossval("--json");
  expect(code, err).toBe(0);
  expect(err).toMatch(/fold 2: finished before/);
  expect(err).toMatch(/fold 1: finished in/);
  expect((await stat(join(folder, "cv/fold-2/best/projector.safetensors"))).mtimeMs).toBe(marked);

  const result = JSON.parse(out) as {
    folds: { accuracy: number; split_sha256: string }[];
    mean: Record<string, number>;
    standard_deviation: Record<string, number>;
    pooled: Record<string, { estimate: number; low: number; high: number }>;
    split_sha256: string;
    prompt_sha256: string[];
    intervals: { unit: string; units: number };
  };
  const rows = (await readFile(join(folder, "cv/predictions.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
  const right = (list: readonly Row[]): number => list.filter((r) => r.label === r.prediction).length / list.length;
  const each = [1, 2, 3, 4, 5].map((fold) => right(rows.filter((r) => r.fold === fold)));
  expect(result.folds.map((f) => f.accuracy)).toEqual(each);
  const mean = each.reduce((a, b) => a + b) / 5;
  expect(result.mean["accuracy"]).toBeCloseTo(mean, 12);
  const deviation = Math.sqrt(each.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 4);
  expect(result.standard_deviation["accuracy"]).toBeCloseTo(deviation, 12);
  expect(result.pooled["accuracy"]!.estimate).toBeCloseTo(right(rows), 12);
  expect(result.intervals).toMatchObject({ unit: "speaker", units: 10 });
  expect(new Set(result.folds.map((f) => f.split_sha256)).size).toBe(5);
  expect(result.prompt_sha256).toHaveLength(1);
  const table = await readFile(join(folder, "cv/table.md"), "utf8");
  expect(table.split("\n").filter((l) => l.startsWith("| "))).toHaveLength(2 + 5 + 3);
  expect(table).toContain(result.split_sha256.slice(0, 16));
  expect(await readFile(join(folder, "cv/table.tex"), "utf8")).toMatch(
    /\\begin\{tabular\}\{lrrrrr\}[\s\S]*\\bottomrule/,
  );

  // The same command again prints the same and trains nothing.
  const again = await crossval("--json");
  expect(again.out).toBe(out);
  expect(again.err.match(/finished before/g)).toHaveLength(5);

  // Another config in the same folder is refused; so is a damaged fold not taken for finished.
  const other = await crossval("learning_rate=0.5");
  expect(other.code).toBe(1);
  expect(other.err).toMatch(/fold-1 holds a finished run of another config \(learning_rate differs\)/);
  await writeFile(join(folder, "cv/fold-5/predictions.jsonl"), "");
  expect((await crossval("--folds", "5")).err).toMatch(/fold 5: finished in/);
}, 120_000);

test("wrong usage", async () => {
  expect((await crossval("--folds", "6")).err).toMatch(/--folds 6: loso5 has folds 1 to 5 here/);
  expect((await crossval("--jobs", "0")).code).toBe(2);
  expect((await run("crossval", join(folder, "none.yaml"))).code).toBe(1);
});

test("two folds at once, in processes of their own: the same predictions; a failing one is named", async () => {
  const child = (...argv: string[]) =>
    spawnSync(
      "node",
      ["tools/setup/run.mjs", "apps/trainer/src/main.ts", "crossval", recipe("demo"), ...overrides, ...argv],
      {
        cwd: repository,
        encoding: "utf8",
        env: { ...process.env, HF_HUB_OFFLINE: "1" },
      },
    );
  const out = `output_dir=${join(folder, "cv2")}`;
  const done = child(out, "--folds", "2,3", "--jobs", "2");
  expect(done.status, done.stderr).toBe(0);
  for (const fold of [2, 3]) {
    const [one, two] = ["cv", "cv2"].map((cv) => join(folder, cv, `fold-${fold}`, "predictions.jsonl"));
    expect(await readFile(two!, "utf8")).toBe(await readFile(one!, "utf8"));
  }
  const broken = child(
    `output_dir=${join(folder, "cv3")}`,
    "model_name_or_path=nowhere/at-all",
    "--folds",
    "2,3",
    "--jobs",
    "2",
  );
  expect(broken.status).toBe(1);
  expect(broken.stderr).toMatch(/fold 2: failed: .*\(see .*train\.log\)/);
  expect(broken.stderr).toMatch(/fold 2, fold 3 failed; the same command goes on/);
}, 120_000);

test("tables", () => {
  const table = { head: ["a", "b_1"], rows: [{ cells: ["x & y", "1 ± 2"] }], caption: "50 %", notes: ["~"] };
  expect(latexTable(table, "t")).toContain("  x \\& y & 1 $\\pm$ 2 \\\\");
  expect(latexText("\\{}")).toBe("\\textbackslash{}\\{\\}");
  expect(markdownTable(table).split("\n").slice(2, 5)).toEqual([
    "| a     |   b_1 |",
    "| ----- | ----: |",
    "| x & y | 1 ± 2 |",
  ]);
});
