/** A new config and what the doctor says of machine and config. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CORPORA } from "@emosllm/datasets";
import { writeIemocap } from "@emosllm/datasets/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTrainConfig } from "../src/training/read-config.ts";
import { run } from "./run.ts";
import { recipe, SMALL, tinyModel } from "./tiny-run.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm-first-"));
  writeIemocap(join(folder, "iemocap"), { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("init", () => {
  test.each(Object.keys(CORPORA))("%s: a config that is valid as it is", async (name) => {
    const out = join(folder, `${name}.yaml`);
    const model = "org/Model-1B";
    for (const more of [[], ["--encoder", "microsoft/wavlm-large"]]) {
      await rm(out, { force: true });
      const { code, err } = await run(
        "init",
        "--corpus",
        `${name}:some where/${name}`,
        "--model",
        model,
        "--out",
        out,
        ...more,
      );
      expect(code, err).toBe(0);
      const config = await readTrainConfig(out, []);
      expect(config).toMatchObject({ model_name_or_path: model, corpus: `${name}:some where/${name}` });
      expect(config.encoder_name_or_path).toBe(more[1]);
    }
  });

  test("looks at a corpus that is there; keeps a file that is there", async () => {
    const out = join(folder, "real.yaml");
    const corpus = `iemocap:${join(folder, "iemocap")}`;
    const { out: text } = await run("init", "--corpus", corpus);
    expect(text).toMatch(/corpus: .* # 40 utterances, 10 speakers, labels ang/);
    expect((await run("init", "--corpus", corpus, "--out", out, "--json")).out).toMatch(/"scheme":"iemocap-4"/);
    const before = await readFile(out, "utf8");
    expect((await run("init", "--corpus", corpus, "--out", out)).err).toMatch(/is there already/);
    expect(await readFile(out, "utf8")).toBe(before);
    expect((await run("init", "--corpus", "nowhere")).err).toMatch(/not NAME:PATH/);
    expect((await run("init")).code).toBe(2);
  });
});

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly value: string;
  readonly number: number | null;
}
const doctor = async (...argv: string[]): Promise<{ code: number; findings: Map<string, Finding> }> => {
  const { code, out } = await run("doctor", ...argv, "--json");
  const list = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Finding);
  return { code, findings: new Map(list.map((f) => [f.check, f])) };
};

describe("doctor", () => {
  const small = (): string[] => [
    `model_name_or_path=${tinyModel}`,
    `corpus=iemocap:${join(folder, "iemocap")}`,
    ...SMALL,
  ];

  test("the machine", async () => {
    const { code, findings } = await doctor();
    expect(code).toBe(0);
    expect([...findings.keys()]).toEqual([
      "node",
      "cores",
      "memory",
      "disk",
      "onnxruntime",
      "ffmpeg",
      "mpi",
      "browser",
    ]);
    expect(findings.get("onnxruntime")).toMatchObject({ status: "ok", value: "runs on cpu" });
    expect((await run("doctor")).out).toMatch(/^ok {4}node {9}\d+\.\d+/);
  });

  test("a config: its corpus, its model's size", async () => {
    const { code, findings } = await doctor(recipe("demo"), ...small());
    expect(code).toBe(0);
    expect(findings.get("corpus")!.value).toMatch(/\d+ training, 0 validation, \d+ test utterances$/);
    expect(findings.get("model")!.value).toMatch(/llama, 1\.3 M weights, from folder/);
    // At least what a process takes that does nothing; more rows take more.
    const predicted = findings.get("predicted")!;
    expect(predicted.status).toBe("ok");
    expect(predicted.number).toBeGreaterThan(150 * 2 ** 20);
    const more = await doctor(recipe("demo"), ...small(), "per_device_train_batch_size=256");
    expect(more.findings.get("predicted")!.number).toBeGreaterThan(1.2 * predicted.number!);
  });

  test("what will not work: exit code 1, and what to do", async () => {
    expect((await doctor(recipe("demo"), ...small(), "learning_rate=fast")).findings.get("config")).toMatchObject({
      status: "problem",
    });
    expect(
      (await doctor(recipe("demo"), ...small(), "model_name_or_path=no/such-model")).findings.get("model"),
    ).toMatchObject({ status: "problem" });
    const { code, findings } = await doctor(recipe("demo"), ...small(), "corpus=iemocap:nowhere");
    expect(code).toBe(1);
    expect(findings.get("config")!.value).toMatch(/nowhere/);
  });
});
