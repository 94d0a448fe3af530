/** What an ablation changes, and its table on a corpus, trained for real. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeIemocap } from "@emosllm/datasets/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ABLATIONS, variantsOf } from "../src/ablation/variants.ts";
import { checkTrainConfig, readTrainConfig } from "../src/training/read-config.ts";
import { run } from "./run.ts";
import { recipe, SMALL, tinyModel } from "./tiny-run.ts";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "emosllm-ablate-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(["demo", "paper", "meld-dialogue", "laptop-1b-int8"])(
  "every variant of %s is a valid config that differs from it, and from the others",
  async (name) => {
    const config = await readTrainConfig(recipe(name));
    const variants = variantsOf(config, ABLATIONS, ["openai/whisper-small"]);
    expect(variants.map((v) => v.group)).toEqual(expect.arrayContaining([...ABLATIONS]));
    expect(new Set(variants.map((v) => v.name)).size).toBe(variants.length);
    const seen = new Set<string>();
    for (const { overrides, name: variant } of variants) {
      const { config: changed, problems } = await checkTrainConfig(recipe(name), overrides);
      expect(problems, variant).toEqual([]);
      seen.add(JSON.stringify(changed));
    }
    expect(seen.size).toBe(variants.length);
  },
);

test("a table of variants trained for real; the same command again trains nothing", async () => {
  writeIemocap(join(folder, "iemocap"), { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
  const argv = [
    "ablate",
    recipe("demo"),
    `model_name_or_path=${tinyModel}`,
    `corpus=iemocap:${join(folder, "iemocap")}`,
    `output_dir=${join(folder, "out")}`,
    ...SMALL,
    "max_steps=1",
    "--only",
    "lora,transcript",
  ];
  const { code, out, err } = await run(...argv);
  expect(code, err).toBe(0);
  const rows = out.split("\n").filter((line) => line.startsWith("| "));
  expect(rows.map((r) => r.split("|")[1]!.trim())).toEqual(
    ["system", "---", "full system", "without LoRA", "without transcript"].map(
      (n) => (n === "---" ? expect.stringMatching(/^-+$/) : n) as string,
    ),
  );
  expect(await readFile(join(folder, "out/table.tex"), "utf8")).toContain("without LoRA");
  const again = await run(...argv, "--json");
  expect(again.err.match(/finished before/g)).toHaveLength(3);
  const lines = again.out
    .trim()
    .split("\n")
    .map((l) => JSON.parse(l) as { name: string; uar_difference?: { p_value: number } });
  expect(lines.map((l) => l.name)).toEqual(["full system", "without LoRA", "without transcript"]);
  expect(lines[1]!.uar_difference!.p_value).toBeLessThanOrEqual(1);
  expect((await run(...argv, "--only", "lorra")).err).toMatch(/--only lorra: expected one of lora, projector/);
}, 120_000);
