/** Every setting of training does what it says, on a corpus of a few clips; and what goes wrong is said clearly. */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EmosllmError } from "@emosllm/interfaces";
import { writeIemocap } from "@emosllm/datasets/testing";
import { afterAll, describe, expect, test } from "vitest";
import type { TrainConfig } from "../src/training/config.ts";
import type { TrainEvent } from "../src/training/events.ts";
import { checkTrainConfig, readTrainConfig } from "../src/training/read-config.ts";
import { type RunResult, runTraining } from "../src/training/run.ts";
import { recipe, tinyModel } from "./tiny-run.ts";

const folder = mkdtempSync(join(tmpdir(), "emosllm-settings-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const corpus = join(folder, "iemocap");
writeIemocap(corpus, { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });

interface Ran {
  readonly result: RunResult;
  readonly events: readonly TrainEvent[];
  readonly log: readonly Record<string, number>[];
  readonly output: string;
}

let runs = 0;
/** Trains for two steps, unless told otherwise. */
async function train(...overrides: string[]): Promise<Ran> {
  const output = join(folder, `run-${runs++}`);
  const config = await readTrainConfig(recipe("demo"), [
    `model_name_or_path=${tinyModel}`,
    `corpus=iemocap:${corpus}`,
    `output_dir=${output}`,
    "max_steps=2",
    "per_device_train_batch_size=4",
    "front_end.settings.hop_seconds=0.05",
    "logging_steps=1",
    ...overrides,
  ]);
  const events: TrainEvent[] = [];
  const result = await runTraining(config, (e) => events.push(e));
  const log = readFileSync(join(output, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((l) => JSON.parse(l) as Record<string, number>);
  return { result, events, log, output };
}
const failure = (...overrides: string[]): Promise<EmosllmError> =>
  train(...overrides).then(
    () => expect.unreachable("the run must fail"),
    (e: unknown) => e as EmosllmError,
  );
const projector = ({ output }: Ran): string =>
  readFileSync(join(output, "last/projector.safetensors")).toString("base64");
const adapter = ({ output }: Ran): string =>
  readFileSync(join(output, "last/adapter/adapter_model.safetensors")).toString("base64");

describe("settings", () => {
  test("the same config gives the same bytes, another seed others", async () => {
    const [a, b, c] = [await train(), await train(), await train("seed=1")];
    expect(adapter(a)).toBe(adapter(b));
    expect(a.log).toEqual(b.log);
    expect(adapter(c)).not.toBe(adapter(a));
  });

  test("two batches accumulated are one batch of both, and so are the parts within a budget of tokens", async () => {
    // The same rows in the same order; f32 sums in another order.
    const one = await train("per_device_train_batch_size=8");
    const two = await train("per_device_train_batch_size=4", "gradient_accumulation_steps=2");
    const cut = await train("per_device_train_batch_size=8", "max_tokens=400");
    for (const run of [two, cut])
      for (const i of [0, 1]) {
        expect(run.log[i]?.["loss"]).toBeCloseTo(one.log[i]?.["loss"] as number, 4);
        expect(run.log[i]?.["grad_norm"]).toBeCloseTo(one.log[i]?.["grad_norm"] as number, 3);
      }
    // Other sums, so it was cut.
    expect(adapter(cut)).not.toBe(adapter(one));
  });

  const FULL = process.env["EMOSLLM_FULL"] === "1";
  const ALL = [
    [
      "emotion_loss=scored",
      "focal_gamma=2",
      "label_smoothing_factor=0.1",
      "class_weights=balanced",
      "ema_decay=0.9",
      "group_by_length=true",
    ],
    [
      "tasks={emotion: 1, transcription: 1, dimensional: 1}",
      "gradient_accumulation_steps=4",
      "lora.lora_dropout=0.3",
      "max_tokens=300",
    ],
    ["group_by_length=true"],
    ["emotion_loss=scored"],
    ["class_weights={angry: 3, sad: 0.5}"],
    ["label_smoothing_factor=0.2"],
    ["audio_dropout=0.5", "transcript_dropout=0.2"],
    ["augment={share: 1, corruptions: [{type: noise, snr: 5, kind: white}]}"],
    ["transcript_errors={share: 1, wer: 0.5}", "transcript_dropout=0"],
    ["prompt=[emotion-plain, emotion-lettered]", "shuffle_labels=true"],
    ["prompt={language: en}"],
    ["prompt=context-plain", "context_turns=2", "transcript_dropout=0"],
    ["lora.lora_dropout=0.3"],
    ["ema_decay=0.9"],
    ["tasks={emotion: 1, description: 1}", "voice_description=true", "gradient_accumulation_steps=3"],
  ];
  test.each((FULL ? ALL : ALL.slice(0, 2)).map((settings) => ({ settings })))(
    "$settings changes the training, repeatably, and resumes to the same bytes",
    async ({ settings: given }) => {
      const plain = await base();
      const [first, second] = [await train(...given), await interrupted(given)];
      expect(first.log[0]?.["loss"]).toBeGreaterThan(0);
      expect(adapter(first)).not.toBe(adapter(plain));
      expect(adapter(second)).toBe(adapter(first));
      expect(projector(second)).toBe(projector(first));
      expect(second.log).toEqual(first.log);
    },
  );

  test("a minimal rate is reached", async () => {
    const { log } = await train(
      "lr_scheduler_type=cosine_with_min_lr",
      "lr_scheduler_kwargs={min_lr: 0.001}",
      "max_steps=6",
    );
    expect(Math.min(...log.slice(1, 6).map((l) => l["learning_rate"] as number))).toBeGreaterThanOrEqual(0.001);
  });

  test("stages train what they say, and nothing else", async () => {
    const yaml = join(folder, "stages.yaml");
    writeFileSync(
      yaml,
      `extends: ${recipe("demo")}\nstages:\n  - { name: hear, freeze_adapter: true, tasks: { transcription: 1 }, max_steps: 2 }\n  - { name: feel, freeze_projector: true, max_steps: 2 }\n`,
    );
    const output = join(folder, "stages");
    const config = await readTrainConfig(yaml, [
      `model_name_or_path=${tinyModel}`,
      `corpus=iemocap:${corpus}`,
      `output_dir=${output}`,
      "per_device_train_batch_size=4",
      "save_steps=1",
      "save_total_limit=9",
      "logging_steps=1",
    ]);
    await runTraining(config, () => {});
    const file = (step: number, name: string): string =>
      readFileSync(join(output, `checkpoint-${step}`, name)).toString("base64");
    const [p, a] = ["projector.safetensors", "adapter/adapter_model.safetensors"];
    expect(file(1, a)).toBe(file(2, a));
    expect(file(1, p)).not.toBe(file(2, p));
    expect(file(2, p)).toBe(file(4, p));
    expect(file(2, a)).not.toBe(file(4, a));
    const log = readFileSync(join(output, "log.jsonl"), "utf8");
    expect(log).toMatch(/"stage":"hear"/);
    expect(log).toMatch(/"stage":"feel"/);
  });

  test("validation, best by UA, early stopping", async () => {
    const { log, events, output } = await train(
      "validation=random-utterances",
      "max_steps=12",
      "eval_strategy=steps",
      "eval_steps=2",
      "early_stopping_patience=2",
      "learning_rate=0.00000001",
    );
    const evaluations = log.filter((l) => "eval_ua" in l);
    // Nothing is learnt at that rate: the first is the best, and two more without a gain end the run.
    expect(evaluations.length).toBe(3);
    expect(events.some((e) => e.type === "early stop")).toBe(true);
    const state = JSON.parse(readFileSync(join(output, "last/trainer_state.json"), "utf8")) as Record<string, number>;
    expect(state["best_global_step"]).toBe(2);
    expect(state["best_metric"]).toBe(evaluations[0]?.["eval_ua"]);
  });

  let plainRun: Ran | undefined;
  async function base(): Promise<Ran> {
    return (plainRun ??= await train());
  }

  /** Stopped after its first step, then started again. */
  async function interrupted(settings: readonly string[]): Promise<Ran> {
    const output = join(folder, `run-${runs++}`);
    const config = await readTrainConfig(recipe("demo"), [
      `model_name_or_path=${tinyModel}`,
      `corpus=iemocap:${corpus}`,
      `output_dir=${output}`,
      "max_steps=2",
      "per_device_train_batch_size=4",
      "front_end.settings.hop_seconds=0.05",
      "logging_steps=1",
      ...settings,
    ]);
    const stop = new AbortController();
    const events: TrainEvent[] = [];
    await expect(
      runTraining(config, (e) => e.type === "step" && stop.abort(), { signal: stop.signal }),
    ).rejects.toMatchObject({ code: "interrupted" });
    const result = await runTraining(config, (e) => events.push(e));
    const log = readFileSync(join(output, "log.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((l) => JSON.parse(l) as Record<string, number>);
    return { result, events, log, output };
  }
});

describe("what goes wrong", () => {
  test("a corrupt clip is left out, counted and listed; more than the share stops the run", async () => {
    const bad = join(folder, "bad-corpus");
    writeIemocap(bad, { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
    const wavs = readdirSync(bad, { recursive: true, encoding: "utf8" })
      .filter((f) => /sentences.wav.*\.wav$/.test(f))
      .sort();
    // Every clip is a candidate; the first few are spoilt.
    writeFileSync(join(bad, wavs[0] as string), "this is no sound");
    const all = wavs.slice(0, 1);
    const { events, output } = await train(`corpus=iemocap:${bad}`, "max_bad_share=0.2");
    const listed = events.find((e) => e.type === "bad audio");
    expect(listed?.bad.map((b) => b.path)).toEqual(all.map((f) => join(bad, f)));
    expect(JSON.parse(readFileSync(join(output, "all_results.json"), "utf8"))).toMatchObject({
      bad_audio: listed?.bad,
    });
    const error = await failure(`corpus=iemocap:${bad}`, "max_bad_share=0");
    expect(error.code).toBe("corpus_invalid");
    expect(error.message).toMatch(/of \d+ utterances cannot be read, more than max_bad_share 0/);
    expect(error.message).toContain(wavs[0]);
  });

  test("a clip that breaks while training goes on is skipped, counted and listed; beyond the share the run stops", async () => {
    const bad = join(folder, "breaking-corpus");
    writeIemocap(bad, { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
    // Sound is read again in every step where it is corrupted on purpose.
    const settings = [`corpus=iemocap:${bad}`, "max_steps=12", "augment={share: 1, corruptions: [{type: noise, snr: 5, kind: white}]}"]; // prettier-ignore
    const config = async (share: number): Promise<TrainConfig> =>
      readTrainConfig(recipe("demo"), [
        `model_name_or_path=${tinyModel}`,
        `output_dir=${join(folder, `breaking-${share}`)}`,
        "per_device_train_batch_size=4",
        "front_end.settings.hop_seconds=0.05",
        `max_bad_share=${share}`,
        ...settings,
      ]);
    const spoilt = readdirSync(bad, { recursive: true, encoding: "utf8" }).filter((f) => /Ses01(F_impro01_M000|M_impro01_M001)\.wav$/.test(f)).map((f) => join(bad, f)).sort(); // prettier-ignore
    expect(spoilt.length).toBeGreaterThan(0);
    const whole = spoilt.map((f) => readFileSync(f));
    const listed: string[] = [];
    const spoil = (e: TrainEvent): void => {
      if (e.type === "step" && e.step === 2) for (const f of spoilt) writeFileSync(f, "this is no sound");
      if (e.type === "bad audio") listed.push(...e.bad.map((b) => b.path));
    };
    const { test: tested } = await runTraining(await config(0.5), spoil);
    expect(tested.answers.length).toBeGreaterThan(0);
    expect(listed.sort()).toEqual(spoilt);
    const results = JSON.parse(readFileSync(join(folder, "breaking-0.5/all_results.json"), "utf8")) as { global_step: number; bad_audio: unknown[] }; // prettier-ignore
    expect([results.global_step, results.bad_audio.length]).toEqual([12, spoilt.length]);
    spoilt.forEach((f, i) => writeFileSync(f, whole[i] as Buffer));
    await expect(runTraining(await config(0), spoil)).rejects.toMatchObject({ code: "corpus_invalid", message: expect.stringMatching(/more than max_bad_share 0/) }); // prettier-ignore
    // Everything is allowed to break, and does: said, not searched through for ever.
    const all = readdirSync(bad, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".wav")).map((f) => join(bad, f)); // prettier-ignore
    const spoilAll = (e: TrainEvent): void => {
      if (e.type === "step" && e.step === 2) for (const f of all) writeFileSync(f, "this is no sound");
    };
    spoilt.forEach((f, i) => writeFileSync(f, whole[i] as Buffer));
    await expect(runTraining(await config(1), spoilAll)).rejects.toMatchObject({ code: "corpus_invalid", message: expect.stringMatching(/none of its \d+ training utterances can be heard/) }); // prettier-ignore
  });

  test("the share of a stage is that of its own corpus: what broke in an earlier one does not count", async () => {
    const many = join(folder, "many");
    writeIemocap(many, { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
    const few = join(folder, "few");
    writeIemocap(few, { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
    const session = (tree: string, n: number): string[] =>
      readdirSync(tree, { recursive: true, encoding: "utf8" })
        .filter((f) => f.endsWith(".wav") && f.includes(join("wav", `Ses0${n}`)))
        .sort()
        .map((f) => join(tree, f));
    const labels = ["angry", "happy", "neutral", "sad"];
    const rows = [...session(few, 2), ...session(few, 3)]
      .slice(0, 8)
      .map((f, i) => `other${i},${f},${labels[i % 4]},s${i % 2}`);
    const csv = join(folder, "few.csv");
    writeFileSync(csv, `id,audio,label,speaker\n${rows.join("\n")}\n`);
    const yaml = join(folder, "two-corpora.yaml");
    const noisy = "augment: { share: 1, corruptions: [{ type: noise, snr: 5, kind: white }] }";
    writeFileSync(
      yaml,
      `extends: ${recipe("demo")}\n${noisy}\nmax_bad_share: 0.3\nstages:\n  - { name: first, max_steps: 16 }\n  - { name: second, max_steps: 4, corpus: "csv:${csv}" }\n`,
    );
    const run = async (name: string, alsoBroken: number): Promise<number> => {
      const broken = session(many, 1);
      const later = rows.slice(0, alsoBroken).map((row) => row.split(",")[1] as string);
      const whole = [...broken, ...later].map((f) => [f, readFileSync(f)] as const);
      let listed = 0;
      const config = await readTrainConfig(yaml, [
        `model_name_or_path=${tinyModel}`,
        `corpus=iemocap:${many}`,
        `output_dir=${join(folder, name)}`,
        "per_device_train_batch_size=4",
        "front_end.settings.hop_seconds=0.05",
      ]);
      try {
        await runTraining(config, (e) => {
          if (e.type === "step" && e.step === 1) for (const f of [...broken, ...later]) writeFileSync(f, "no sound");
          if (e.type === "bad audio") listed = e.bad.length;
        });
      } finally {
        for (const [f, bytes] of whole) writeFileSync(f, bytes);
      }
      return listed;
    };
    // Of the first corpus' 19 less than 0.3 break; of 8 as many would be more.
    const first = await run("own-share", 0);
    expect(first).toBeGreaterThan(0.3 * 8);
    expect(first).toBeLessThan(0.3 * 19);
    expect(await run("own-share-too", 2)).toBe(first + 2);
    await expect(run("too-much", 3)).rejects.toMatchObject({
      code: "corpus_invalid",
      message: expect.stringMatching(/of 8 utterances cannot be read, more than max_bad_share 0\.3/),
    });
  });

  test("a loss that is no number: the last good state is kept, the batch written aside", async () => {
    const error = await failure(
      "learning_rate=1e30",
      "max_grad_norm=1e30",
      "warmup_ratio=0",
      "lr_scheduler_type=constant",
      "max_steps=9",
    );
    expect(error.code).toBe("training_diverged");
    const step = error.details["step"] as number;
    expect(error.message).toMatch(/Try a lower learning_rate/);
    const batch = JSON.parse(readFileSync(error.details["file"] as string, "utf8")) as {
      batches: { rows: { id: string }[] }[];
    };
    expect(batch.batches[0]?.rows).toHaveLength(4);
    const output = join(folder, `run-${runs - 1}`);
    expect(existsSync(join(output, `checkpoint-${step - 1}/trainer_state.json`))).toBe(true);
  });

  test("a scheme without labels of the corpus; weights for a label that is not there", async () => {
    const error = await failure("scheme=meld-7");
    expect(error.message).toMatch(/meld-7|label/);
    expect((await failure("class_weights={hapy: 2}")).message).toMatch(
      /class_weights: hapy is no label of scheme 'iemocap-4' \(angry, happy, sad, neutral\)/,
    );
  });

  test("an output folder that cannot be written", async () => {
    const file = join(folder, "a-file");
    writeFileSync(file, "");
    const error = await failure(`output_dir=${join(file, "run")}`);
    expect(error.message).toMatch(/output_dir .* cannot be written \((ENOTDIR|EEXIST)/);
  });

  test("a damaged checkpoint is named, with what to do", async () => {
    const { output } = await train();
    rmSync(join(output, "all_results.json"));
    appendFileSync(join(output, "checkpoint-2/optimizer.safetensors"), "x");
    const config = await readTrainConfig(join(output, "config.yaml"));
    await expect(runTraining(config, () => {})).rejects.toThrow(
      /checkpoint-2 is damaged: .*optimizer\.safetensors was altered.*Delete the folder/,
    );
  });

  test("two runs at once in one folder", async () => {
    const output = join(folder, "twice");
    const config = await readTrainConfig(recipe("demo"), [
      `model_name_or_path=${tinyModel}`,
      `corpus=iemocap:${corpus}`,
      `output_dir=${output}`,
      "max_steps=1",
    ]);
    let second: Promise<unknown> | undefined;
    await runTraining(config, () => {
      second ??= runTraining(config, () => {}).catch((e: unknown) => e);
    });
    expect(((await second) as EmosllmError).message).toMatch(/another run is writing there/);
  });
});

describe("config files", () => {
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };

  test("extend others, and take values from the environment", async () => {
    write(
      "base.yaml",
      "model_name_or_path: m\ncorpus: iemocap:x\noutput_dir: ${RUNS:-runs}/a\nlora: { r: 4, lora_alpha: 8 }\n",
    );
    const file = write(
      "own.yaml",
      'extends: base.yaml\nlora: { r: 16 }\nseed: ${SEED}\nmodel_name_or_path: "$${plain}"\n',
    );
    const { config, problems } = await checkTrainConfig(file, ["lora.lora_alpha=3"], { SEED: "7" });
    expect(problems).toEqual([]);
    const expected = { seed: 7, output_dir: "runs/a", model_name_or_path: "${plain}" };
    expect(config).toMatchObject({ lora: { r: 16, lora_alpha: 3 }, ...expected });
  });

  test("every problem at once: file, line, path, value, what is accepted, the nearest key", async () => {
    write("bad-base.yaml", "\n\nwarmup_ratio: 2\n");
    const file = write(
      "bad.yaml",
      "extends: bad-base.yaml\nmodel_name_or_path: m\ncorpus: iemocap:x\noutput_dir: o\nlearning_rat: 1\nepochs: 3\nlr_scheduler_type: cosin\nlora:\n  rank: 8\nseed: 1.5\n",
    );
    const { problems } = await checkTrainConfig(file, ["save_steps=often"]);
    const at = (path: string) => problems.find((p) => p.path === path);
    expect(at("warmup_ratio")).toMatchObject({
      file: join(folder, "bad-base.yaml"),
      line: 3,
      value: 2,
      accepted: "a number, at least 0, at most 1",
    });
    expect(at("learning_rat")).toMatchObject({ line: 5, message: "is no key here; did you mean learning_rate?" });
    expect(at("epochs")?.message).toMatch(/did you mean num_train_epochs\?/);
    expect(at("lr_scheduler_type")).toMatchObject({ line: 7, value: "cosin" });
    expect(at("lr_scheduler_type")?.message).toMatch(/accepted: one of constant, .*did you mean cosine\?/);
    expect(at("lora.rank")).toMatchObject({ line: 9 });
    expect(at("seed")?.accepted).toMatch(/whole number/);
    expect(at("save_steps")).toMatchObject({ file: "command line", value: "often" });
    expect(problems).toHaveLength(7);
  });

  test("a variable that is not set, a file that extends itself, settings that contradict each other", async () => {
    const file = write("env.yaml", "model_name_or_path: ${NO_SUCH_VARIABLE}\n");
    expect((await checkTrainConfig(file, [], {})).problems[0]).toMatchObject({
      line: 1,
      message: expect.stringContaining("NO_SUCH_VARIABLE is not set"),
    });
    const loop = write("loop.yaml", "extends: loop.yaml\n");
    expect((await checkTrainConfig(loop)).problems[0]?.message).toMatch(/extends itself/);
    const { problems } = await checkTrainConfig(recipe("demo"), [
      "focal_gamma=2",
      "freeze_projector=true",
      "freeze_adapter=true",
    ]);
    expect(problems.map((p) => p.path)).toEqual(["focal_gamma", "freeze_adapter"]);
  });
});
