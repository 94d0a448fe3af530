/** @file The cache commands, and the deployed jobs as their schedulers would run them. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { encodeWav } from "@emosllm/audio-features";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { runCli } from "../src/cli.ts";

const repository = join(import.meta.dirname, "../../..");
let root: string;
let corpus: string;
let reference: Record<string, string>;

/** Every file below `folder` with the hash of its content. */
function tree(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const entries = files.map((entry) => {
    const file = join(entry.parentPath, entry.name);
    return [relative(folder, file), createHash("sha256").update(readFileSync(file)).digest("hex")] as const;
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Runs a command line in this process and gives exit code and standard output. */
async function cli(...args: string[]): Promise<{ code: number; lines: string[]; errors: string }> {
  const [write, complain] = [process.stdout.write, process.stderr.write];
  let [text, errors] = ["", ""];
  process.stdout.write = ((part: string) => ((text += part), true)) as typeof write;
  process.stderr.write = ((part: string) => ((errors += part), true)) as typeof complain;
  try {
    const code = await runCli(args);
    return { code, lines: text.split("\n").filter((line) => line !== ""), errors };
  } finally {
    process.stdout.write = write;
    process.stderr.write = complain;
  }
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "emosllm-build-"));
  mkdirSync(join(root, "wav"));
  const rows = Array.from({ length: 10 }, (_, i) => {
    const samples = Float32Array.from({ length: 3200 + 160 * i }, (__, t) => 0.3 * Math.sin(t * (0.05 + 0.01 * i)));
    writeFileSync(join(root, "wav", `${i}.wav`), encodeWav({ samples: [samples], sampleRate: 16000 }));
    return { key: `u${i}`, wav: join("wav", `${i}.wav`), label: "neutral" };
  });
  writeFileSync(join(root, "all.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  corpus = `jsonl:${join(root, "all.jsonl")}`;
  const cache = join(root, "one-run");
  const { code, lines } = await cli(
    "features",
    "build",
    corpus,
    "--features",
    "kaldi-fbank",
    "--cache",
    cache,
    "--clips-per-shard",
    "2",
    "--json",
  );
  expect(code).toBe(0);
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ clips: 10, computed: 10, cached: 0, failed: 0, shard: "0/1" });
  reference = tree(cache);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("build --shard i/n leaves what one run leaves", async () => {
  const cache = join(root, "by-shard");
  for (const i of [1, 0, 2])
    await cli(
      "features",
      "build",
      corpus,
      "--features",
      "kaldi-fbank",
      "--cache",
      cache,
      "--clips-per-shard",
      "2",
      "--shard",
      `${i}/3`,
    );
  expect(tree(cache)).toEqual(reference);
});

test("size, verify, prune", async () => {
  const cache = join(root, "kept");
  await cli("features", "build", corpus, "--features", "kaldi-fbank,f0", "--cache", cache);
  const size = await cli("features", "size", cache, "--json");
  expect(size.lines.map((line) => (JSON.parse(line) as { clips: number }).clips)).toEqual([10, 10]);
  expect((await cli("features", "verify", cache)).lines).toEqual(["2 files read, 0 damaged, 0 removed"]);
  const shard = Object.keys(tree(cache)).find((name) => name.includes("shards"))!;
  writeFileSync(join(cache, shard), "nothing");
  const damaged = await cli("features", "verify", cache, "--json");
  expect(damaged.code).toBe(1);
  expect(JSON.parse(damaged.lines[0]!)).toMatchObject({ file: join(cache, shard), removed: false });
  expect((await cli("features", "verify", cache, "--repair")).code).toBe(0);
  const pruned = await cli("features", "prune", cache, "--keep", "kaldi-fbank", "--json");
  expect(pruned.code).toBe(0);
  expect((await cli("features", "size", cache, "--json")).lines.length).toBe(1);
});

test("wrong usage says what is accepted, a failed clip gives exit code 1", async () => {
  const build = (...args: string[]): ReturnType<typeof cli> =>
    cli("features", "build", ...args, "--cache", join(root, "wrong"));
  expect(await build(corpus, "--features", "nope")).toMatchObject({
    code: 2,
    errors: expect.stringContaining("kaldi-fbank"),
  });
  expect(await build(corpus, "--features", "f0", "--shard", "3/3")).toMatchObject({ code: 2 });
  expect(await build("nope:x", "--features", "f0")).toMatchObject({
    code: 2,
    errors: expect.stringContaining("iemocap"),
  });
  expect(await cli("features", "prune", root, "--max-bytes", "10X")).toMatchObject({ code: 2 });
  expect(await cli("features", "size", join(root, "none"))).toMatchObject({
    code: 2,
    errors: expect.stringContaining("no such cache folder"),
  });
  writeFileSync(join(root, "bad.wav"), "RIFF____WAVE");
  writeFileSync(join(root, "bad.jsonl"), `${JSON.stringify({ key: "b", wav: "bad.wav", label: "neutral" })}\n`);
  const bad = [`jsonl:${join(root, "bad.jsonl")}`, "--features", "kaldi-fbank", "--json"];
  const failed = await build(...bad);
  expect(failed.code).toBe(1);
  expect(JSON.parse(failed.lines[0]!)).toMatchObject({
    failed: "b",
    message: expect.stringContaining("bad.wav: no fmt chunk"),
  });
  expect((await build(...bad, "--allow-failed")).code).toBe(0);
});

describe("the deployed jobs, run once for each index in its environment, leave what one run leaves", () => {
  const shards = 2;
  let path: string;
  beforeAll(() => {
    const bin = join(root, "bin");
    mkdirSync(bin);
    const program = join(bin, "emosllm");
    const main = join(repository, "apps/trainer/src/main.ts");
    writeFileSync(
      program,
      `#!/bin/sh\ncd "${repository}" && exec node --conditions=@emosllm/source --import=tsx "${main}" "$@" --clips-per-shard 2\n`,
    );
    chmodSync(program, 0o755);
    path = `${bin}:${process.env["PATH"]}`;
  });

  test("Kubernetes Indexed Job", { timeout: 120_000 }, () => {
    interface Job {
      apiVersion: string;
      kind: string;
      spec: {
        completionMode: string;
        completions: number;
        template: {
          spec: { restartPolicy: string; containers: { command: string[]; env: { name: string; value: string }[] }[] };
        };
      };
    }
    const job = parse(readFileSync(join(repository, "deploy/features-job.yaml"), "utf8")) as Job;
    expect(job).toMatchObject({ apiVersion: "batch/v1", kind: "Job", spec: { completionMode: "Indexed" } });
    const [container] = job.spec.template.spec.containers;
    expect(container!.env).toEqual([{ name: "EMOSLLM_SHARDS", value: String(job.spec.completions) }]);
    const cache = join(root, "kubernetes");
    const [program = "", ...args] = container!.command.map((word) =>
      word === "iemocap:/corpus"
        ? corpus
        : word === "/cache"
          ? cache
          : word === "kaldi-fbank,f0"
            ? "kaldi-fbank"
            : word,
    );
    for (let i = 0; i < shards; i++)
      execFileSync(program, args, {
        env: { ...process.env, PATH: path, JOB_COMPLETION_INDEX: String(i), EMOSLLM_SHARDS: String(shards) },
      });
    expect(tree(cache)).toEqual(reference);
  });

  test("Slurm array", { timeout: 120_000 }, () => {
    const script = join(repository, "deploy/features.sbatch");
    expect(readFileSync(script, "utf8")).toMatch(/^#!\/bin\/bash\n(#SBATCH --[a-z-]+=\S+\n)+#SBATCH --requeue\n/);
    const cache = join(root, "slurm");
    for (let i = 1; i <= shards; i++)
      execFileSync("bash", [script], {
        env: {
          ...process.env,
          PATH: path,
          CORPUS: corpus,
          FEATURES: "kaldi-fbank",
          CACHE: cache,
          SLURM_ARRAY_TASK_ID: String(i),
          SLURM_ARRAY_TASK_MIN: "1",
          SLURM_ARRAY_TASK_MAX: String(shards),
        },
      });
    expect(tree(cache)).toEqual(reference);
  });
});
