/** Every recipe is trained for real for a few steps: on synthetic corpora, with tiny checkpoints in place of the large ones. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeIemocap, writeMeld } from "@emosllm/datasets/testing";
import { findFfmpeg } from "@emosllm/audio-features";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TrainConfig } from "../src/training/config.ts";
import { checkTrainConfig, readTrainConfig } from "../src/training/read-config.ts";
import { run } from "./run.ts";
import { recipe, repository, tinyModel } from "./tiny-run.ts";

const names = (await readdir(join(repository, "apps/trainer/recipes"))).map((file) => file.replace(/\.yaml$/, ""));
const encoder = (name: string): string => join(repository, "packages/backbones/test/fixtures", name);

let folder: string;
const BEFORE = process.env["EMOSLLM_CACHE"];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm-recipes-"));
  process.env["EMOSLLM_CACHE"] = join(folder, "cache");
  writeIemocap(join(folder, "iemocap"), { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
  writeMeld(join(folder, "meld"), { quirks: false });
});
afterAll(async () => {
  if (BEFORE === undefined) delete process.env["EMOSLLM_CACHE"];
  else process.env["EMOSLLM_CACHE"] = BEFORE;
  await rm(folder, { recursive: true, force: true });
});

/** What is changed is sizes, places and lengths; every choice of method stays the recipe's. */
function small(name: string, config: TrainConfig): string[] {
  const corpus = config.corpus.split(":")[0] as string;
  return [
    `model_name_or_path=${tinyModel}`,
    `corpus=${corpus}:${join(folder, corpus)}`,
    `output_dir=${join(folder, name)}`,
    ...(config.encoder_name_or_path === undefined
      ? []
      : [
          `encoder_name_or_path=${encoder(config.encoder_name_or_path.includes("whisper") ? "whisper" : "wavlm-large")}`,
        ]),
    "projector.hidden_size=16",
    "projector.num_queries=3",
    "projector.num_heads=2",
    "lora.r=2",
    "per_device_train_batch_size=3",
    "gradient_accumulation_steps=1",
    "max_steps=1",
    ...(config.stages ?? []).map((_, i) => `stages.${i}.max_steps=1`),
    "report_to=[]",
  ];
}

describe.each(names)("%s", (name) => {
  test("is valid, and its comments name a command that is", async () => {
    const { problems } = await checkTrainConfig(recipe(name));
    expect(problems).toEqual([]);
    const text = await readFile(recipe(name), "utf8");
    expect(text).toContain(`apps/trainer/recipes/${name}.yaml`);
    expect((await run("validate", recipe(name))).code).toBe(0);
  });

  test("trains, tests and writes a bundle that answers", async () => {
    const config = await readTrainConfig(recipe(name));
    if (config.corpus.startsWith("meld:") && !(await findFfmpeg())) return; // MELD is video
    const overrides = small(name, config);
    const { code, out, err } = await run("train", recipe(name), ...overrides, "--json");
    expect(code, err).toBe(0);
    const { bundle } = JSON.parse(out.trim().split("\n").at(-1) as string) as { bundle: string };
    const lines = (await readFile(join(folder, name, "predictions.jsonl"), "utf8")).trim().split("\n");
    const rows = lines.map(
      (line) => JSON.parse(line) as { audio: { path: string }; probabilities: Record<string, number> },
    );
    expect(Object.keys(rows[0]!.probabilities)).toHaveLength(config.scheme === "meld-7" ? 7 : 4);
    const answer = await run("predict", "--bundle", bundle, rows[0]!.audio.path, "--json");
    expect(answer.code, answer.err).toBe(0);
  }, 120_000);
});

test("validate: all problems at once, with line, value, what is accepted and the nearest key", async () => {
  const { code, out } = await run(
    "validate",
    recipe("paper"),
    "learning_rte=1",
    "lora.r=0",
    "precision=int9",
    "--json",
  );
  expect(code).toBe(1);
  const problems = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { path: string; message: string; accepted: string });
  expect(problems.map((p) => p.path).sort()).toEqual(["learning_rte", "lora.r", "precision"]);
  expect(problems.find((p) => p.path === "learning_rte")!.message).toContain("learning_rate");
  expect(problems.find((p) => p.path === "precision")!.accepted).toContain("int8");
  const text = await run("validate", recipe("demo"), "--resolved");
  expect(text.out).toMatch(/^model_name_or_path: /);
});

test("validate: names that stand for nothing, each with what there is and the nearest; prompts in files of one's own", async () => {
  const folder = await mkdtemp(join(tmpdir(), "emosllm-validate-"));
  try {
    const own = join(folder, "own.yaml");
    await writeFile(
      own,
      "- name: own\n  task: emotion\n  language: en\n  messages: [{ role: user, content: 'Hm?' }]\n",
    );
    const wrong = ["corpus=iemokap:x", "scheme=iemocap-3", `prompt=["emotion-plane","${own.replaceAll("\\", "/")}"]`];
    const { code, out } = await run("validate", recipe("demo"), ...wrong);
    expect(code).toBe(1);
    expect(out).toMatch(/corpus: "iemokap:x" is not NAME:PATH .*did you mean iemocap\?/);
    expect(out).toMatch(/scheme: no scheme "iemocap-3"; there are .*did you mean iemocap-/);
    expect(out).toMatch(/prompt\.0: .*did you mean emotion-plain\?/);
    expect(out).toMatch(/prompt\.1: .*own\.yaml/);
    const protocol = await run("validate", recipe("demo"), "protocol=loso6");
    expect(protocol.out).toMatch(/protocol: no protocol "loso6".*did you mean loso5\?/);
    const misspelt = await run("validate", recipe("demo"), "augment={share: 1, corruptions: [{type: gain, db: 3}]}");
    expect(misspelt.out).toContain("augment.corruptions.0: corruption 'gain' has no setting db; it has: dB");
  } finally {
    await rm(folder, { recursive: true });
  }
});
