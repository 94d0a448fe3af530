/** What is done with a trained model: tested, compared, merged, exported. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeMeld } from "@emosllm/datasets/testing";
import { openCheckpoint, readTensor } from "@emosllm/checkpoints";
import { loadAdapter } from "@emosllm/lora";
import { characterErrorRate, normalizeTranscript, wordErrorRate } from "@emosllm/eval-metrics";
import { loadSpeech } from "@emosllm/audio-features";
import { loadBundle, loadEmoSllm } from "@emosllm/model";
import type { MetricsSummary } from "@emosllm/report";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "./run.ts";
import { repository, tinyModel, tinyRun } from "./tiny-run.ts";

let folder: string;
let made: Awaited<ReturnType<typeof tinyRun>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emosllm-after-"));
  made = await tinyRun(folder);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const rows = async (file: string): Promise<Record<string, unknown>[]> =>
  (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("evaluate", () => {
  test("on the run's own test part: the run's own predictions", async () => {
    const out = join(folder, "test");
    const {
      code,
      out: said,
      err,
    } = await run(
      ...`evaluate --bundle ${made.bundle} --corpus ${made.corpus} --protocol loso5 --fold 5 --out ${out} --json`.split(
        " ",
      ),
    );
    expect({ code, err }).toEqual({ code: 0, err: `report: ${join(out, "report.html")}\n` });
    const [own, again] = [
      await rows(join(made.output, "predictions.jsonl")),
      await rows(join(out, "predictions.jsonl")),
    ];
    expect(again.map((r) => r["id"])).toEqual(own.map((r) => r["id"]));
    own.forEach((row, i) => {
      const [p, q] = [row["probabilities"], again[i]!["probabilities"]] as Record<string, number>[];
      // Clips of half a second: `evaluate` answers as a user is answered, with odds drawn halfway to even.
      for (const [label, value] of Object.entries(p!)) expect(q![label]).toBeCloseTo(0.5 * value + 0.5 / 4, 4);
    });
    const summary = JSON.parse(said) as { split: { sha256: string }; classification: { rows: number } };
    expect(summary.split.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(summary.classification.rows).toBe(own.length);
    expect(JSON.parse(await readFile(join(out, "metrics.json"), "utf8"))).toEqual(summary);
    expect(await readFile(join(out, "report.html"), "utf8")).toContain("<svg");
  });

  test("--transcribe: what the model writes down, and its error rates", async () => {
    const out = join(folder, "words");
    const options = `--bundle ${made.bundle} --corpus ${made.corpus} --protocol loso5 --fold 5 --out ${out}`;
    const { code, out: said, err } = await run("evaluate", ...options.split(" "), "--transcribe", "--json");
    expect(code, err).toBe(0);
    const lines = await rows(join(out, "predictions.jsonl"));
    const model = await loadEmoSllm(made.bundle);
    try {
      const sounds = lines.map(({ audio }) => (audio as { path: string }).path);
      const written = await model.generate(
        await Promise.all(sounds.map(async (f) => ({ audio: await loadSpeech(f, { sampleRate: 16_000 }) }))),
      );
      lines.forEach((line, i) => {
        expect(line["reference"]).toBe(line["text"]);
        expect(line["hypothesis"]).toBe(written[i]?.text.trim());
      });
    } finally {
      await model.dispose();
    }
    const { transcription } = JSON.parse(said) as MetricsSummary;
    const [truth, heard] = [lines.map((l) => String(l["reference"])), lines.map((l) => String(l["hypothesis"]))];
    expect(transcription?.word.interval.estimate).toBeCloseTo(
      wordErrorRate(truth, heard, { normalizer: normalizeTranscript }),
      12,
    );
    expect(transcription?.character.interval.estimate).toBeCloseTo(
      characterErrorRate(truth, heard, { normalizer: normalizeTranscript }),
      12,
    );
  });

  test("on another corpus: labels carried over by their names", async () => {
    const meld = join(folder, "meld");
    writeMeld(meld, { quirks: false });
    const { code, out } = await run(
      ...`evaluate --bundle ${made.bundle} --corpus meld:${meld} --protocol official --max-bad-share 1 --json`.split(
        " ",
      ),
      "--out",
      join(folder, "cross"),
    );
    if (code === 0) {
      const { scheme, classification } = JSON.parse(out) as { scheme: string; classification: { rows: number } };
      expect(scheme).toBe("meld-7->iemocap-4");
      expect(classification.rows).toBeGreaterThan(0);
    } else expect((await run("predict", "--bundle", made.bundle, `meld:${meld}`)).err).toMatch(/ffmpeg/); // MELD is video
  });

  test("unreadable clips: listed; beyond the share nothing is written", async () => {
    const [first] = await rows(join(made.output, "predictions.jsonl"));
    const good = (first!["audio"] as { path: string }).path;
    const manifest = join(folder, "m.jsonl");
    const lines = [good, join(folder, "gone.wav")].map((audio, i) =>
      JSON.stringify({ id: `u${i}`, audio, label: ["angry", "sad"][i] }),
    );
    await writeFile(manifest, `${lines.join("\n")}\n`);
    const argv = ["evaluate", "--bundle", made.bundle, "--corpus", `jsonl:${manifest}`, "--out", join(folder, "bad")];
    const refused = await run(...argv);
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/left out: .*gone\.wav: no such file\nerror: .*1 of 2 clips cannot be judged/);
    await expect(readdir(join(folder, "bad"))).rejects.toThrow();
    expect((await run(...argv, "--max-bad-share", "0.5", "--json")).code).toBe(0);
    expect(await rows(join(folder, "bad", "predictions.jsonl"))).toHaveLength(1);
  });

  test("wrong usage", async () => {
    const argv = ["evaluate", "--bundle", made.bundle, "--corpus", made.corpus, "--out", join(folder, "x")];
    expect((await run(...argv, "--split", "tset")).err).toMatch(
      /--split tset: expected one of train, validation, test/,
    );
    expect((await run(...argv, "--protocol", "loso6")).err).toMatch(/no protocol "loso6"/);
    expect((await run(...argv, "--corpus", "meld:nowhere")).code).toBe(1);
  });
});

test("compare: a run with itself differs by nothing; with random answers by what was counted", async () => {
  const same = await run("compare", made.output, made.output, "--json");
  const itself = JSON.parse(same.out) as {
    rows: number;
    scores: { difference: { estimate: number }; p_value: number }[];
  };
  expect(itself.scores.map((s) => [s.difference.estimate, s.p_value])).toEqual(itself.scores.map(() => [0, 1]));
  const own = await rows(join(made.output, "predictions.jsonl"));
  const right = join(folder, "right.jsonl");
  await writeFile(
    right,
    `${own.map(({ id, label }) => JSON.stringify({ id, label, prediction: label })).join("\n")}\n`,
  );
  const { out } = await run("compare", right, made.output, "--json");
  const { mcnemar } = JSON.parse(out) as { mcnemar: { only_first_right: number; only_second_right: number } };
  expect(mcnemar.only_first_right).toBe(own.filter((r) => r["label"] !== r["prediction"]).length);
  expect(mcnemar.only_second_right).toBe(0);
  expect((await run("compare", made.output, join(folder, "nowhere"))).code).toBe(1);
  expect((await run("compare", made.output, made.output)).out).toMatch(/McNemar \(exact\)/);
});

describe("merge and export", () => {
  test("the merged weights are base + scaling B A, in the type asked for", async () => {
    const out = join(folder, "merged");
    expect((await run("merge", "--bundle", made.bundle, "--out", out, "--dtype", "f32")).code).toBe(0);
    const { parts } = await loadBundle(made.bundle);
    const { tensors } = parts.languageModel.checkpoint;
    const { adapter, tensors: values } = await loadAdapter(join(made.bundle, "adapter"), {
      linearPaths: parts.languageModel.linearPaths,
      tensors,
    });
    const merged = (await openCheckpoint(out)).tensors;
    expect([...merged.keys()].sort()).toEqual([...tensors.keys()].sort());
    const target = adapter.targets[0]!;
    const name = `${target.path}.weight`;
    const [before, after] = [await readTensor(tensors.get(name)!, "f32"), await readTensor(merged.get(name)!, "f32")];
    const [A, B] = ["lora_A", "lora_B"].map((p) => values.get(`base_model.model.${target.path}.${p}.weight`)!.data);
    const width = A!.length / target.rank;
    for (const [o, i] of [
      [0, 0],
      [3, 5],
      [7, 2],
    ] as const) {
      let sum = 0;
      for (let k = 0; k < target.rank; k++) sum += B![o * target.rank + k]! * A![k * width + i]!;
      expect(after[o * width + i]).toBeCloseTo(before[o * width + i]! + target.scaling * sum, 6);
    }
    expect(JSON.parse(await readFile(join(out, "config.json"), "utf8"))).toMatchObject({ torch_dtype: "float32" });
    expect(await readdir(out)).toEqual(expect.arrayContaining(["tokenizer.json", "projector.safetensors"]));
    expect((await run("merge", "--bundle", made.bundle, "--out", out)).err).toMatch(/is there already/);
    expect((await run("merge", "--bundle", made.bundle, "--out", `${out}2`, "--dtype", "int8")).code).toBe(2);
  });

  test.each(["vllm", "llama.cpp", "peft"])("export --to %s: an adapter that reads back the same", async (to) => {
    const out = join(folder, `for-${to}`);
    const { code, out: said } = await run("export", "--bundle", made.bundle, "--to", to, "--out", out, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(said)).toMatchObject({ to });
    const { parts } = await loadBundle(made.bundle);
    const base = { linearPaths: parts.languageModel.linearPaths, tensors: parts.languageModel.checkpoint.tensors };
    const [was, is] = [await loadAdapter(join(made.bundle, "adapter"), base), await loadAdapter(out, base)];
    expect(is.adapter.targets.map((t) => [t.path, t.scaling])).toEqual(
      was.adapter.targets.map((t) => [t.path, t.scaling]),
    );
    for (const [name, { data }] of was.tensors) expect(is.tensors.get(name)!.data).toEqual(data);
    expect((await run("export", "--bundle", made.bundle, "--to", "onnx", "--out", out)).code).toBe(2);
  });
});

describe("completion", () => {
  const bash = spawnSync("bash", ["--version"]).status === 0;
  const complete = async (line: string): Promise<string[]> => {
    const { out: script } = await run("completion", "bash");
    const words = line.split(" ");
    const program = `${script}\nCOMP_WORDS=(${words.map((w) => `'${w}'`).join(" ")})\nCOMP_CWORD=${words.length - 1}\n_emosllm\nprintf '%s\\n' "\${COMPREPLY[@]}"`;
    const done = spawnSync("bash", ["-c", program], { encoding: "utf8", cwd: repository });
    expect(done.stderr).toBe("");
    return done.stdout.trim().split("\n");
  };
  test.runIf(bash)("bash completes commands, sub-commands and options", async () => {
    expect(await complete("emosllm pre")).toEqual(["predict"]);
    expect(await complete("emosllm corpus a")).toEqual(["audit"]);
    expect(await complete("emosllm corpus audit --prot")).toEqual(["--protocol"]);
    expect(await complete("emosllm predict --bundle x --time")).toEqual(["--timeline"]);
  });
  test.each(["zsh", "fish"] as const)(
    "%s: a script with every command, in that shell's own syntax where it is installed",
    async (shell) => {
      const { code, out } = await run("completion", shell);
      expect(code).toBe(0);
      for (const word of ["predict", "audit", "evaluate", "timeline"]) expect(out).toContain(word);
      const check = spawnSync(shell, ["-n"], { input: out, encoding: "utf8" });
      if (check.error === undefined)
        expect({ status: check.status, err: check.stderr }).toEqual({ status: 0, err: "" });
    },
  );
  test("another shell is refused", async () => expect((await run("completion", "tcsh")).code).toBe(2));
});

test("the base model was not touched", async () => {
  const status = spawnSync("git", ["status", "--porcelain", tinyModel], { encoding: "utf8", cwd: repository });
  expect(status.stdout).toBe("");
});
