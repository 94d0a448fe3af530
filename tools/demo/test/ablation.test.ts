/** The paper's claims on the demo corpus, as the trainer's README shows them. Twelve trainings: only in the full test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeDemoCorpus } from "@emosllm-tools/demo-corpus";
import { expect, test } from "vitest";
import { runCli } from "@emosllm/trainer";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test.runIf(process.env["EMOSLLM_FULL"])(
  "ablate: the voice is what counts, and every part of the system has its line",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "emosllm-ablation-"));
    const write = process.stdout.write;
    let out = "";
    try {
      await makeDemoCorpus(join(folder, "demo"));
      process.stdout.write = ((text: string) => ((out += text), true)) as typeof write;
      const code = await runCli([
        "ablate",
        join(root, "apps/trainer/recipes/demo.yaml"),
        `model_name_or_path=${join(root, "tools/tiny-backbone/model")}`,
        `corpus=iemocap:${join(folder, "demo")}`,
        `output_dir=${join(folder, "out")}`,
        "num_train_epochs=3",
        "--json",
      ]);
      expect(code).toBe(0);
    } finally {
      process.stdout.write = write;
      await rm(folder, { recursive: true, force: true });
    }
    const lines = out.trim().split("\n");
    const rows = lines.map((line) => JSON.parse(line) as { name: string; scores: { uar: { estimate: number } } });
    const ua = new Map(rows.map((row) => [row.name, row.scores.uar.estimate]));
    expect(ua.size).toBeGreaterThanOrEqual(9);
    expect(ua.get("full system")!).toBeGreaterThan(0.5);
    // The demo corpus' words say nothing of the emotion.
    expect(Math.abs(ua.get("full system")! - ua.get("without transcript")!)).toBeLessThan(0.2);
  },
  3_600_000,
);
