/** A run that is killed, interrupted, or out of room ends with the same bytes as one that is not, when the same command is given again. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { appendFile, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeIemocap } from "@emosllm/datasets/testing";
import { randomStream } from "@emosllm/training";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recipe, repository, tinyModel } from "./tiny-run.ts";

const FULL = process.env["EMOSLLM_FULL"] === "1";
const [STEPS, SAVE, KILLS] = FULL ? [60, 7, 20] : [15, 4, 3];
const folder = mkdtempSync(join(tmpdir(), "emosllm-resume-"));
const corpus = join(folder, "iemocap");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly text: string;
}
interface Watching {
  /** Called with all that was said so far; true sends the signal. */
  readonly when?: (text: string) => boolean | Promise<boolean>;
  readonly signal?: NodeJS.Signals;
}

/** The command of the issue, as a process of its own. */
function train(output: string, { when, signal = "SIGKILL" }: Watching = {}, ...overrides: string[]): Promise<Ended> {
  const child = spawn(
    process.execPath,
    [
      "--conditions=@emosllm/source",
      "--import=tsx",
      join(repository, "apps/trainer/src/main.ts"),
      "train",
      recipe("demo"),
      `model_name_or_path=${tinyModel}`,
      `corpus=iemocap:${corpus}`,
      `output_dir=${output}`,
      `max_steps=${STEPS}`,
      `save_steps=${SAVE}`,
      "per_device_train_batch_size=4",
      "logging_steps=1",
      "front_end.settings.hop_seconds=0.05",
      ...overrides,
    ],
    { cwd: repository, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" } },
  );
  return new Promise((resolve, reject) => {
    let text = "";
    let running = true;
    const look = async (): Promise<void> => {
      if (!when || !running) return;
      if (await when(text)) child.kill(signal);
      else setTimeout(() => void look(), 1);
    };
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (text += part.toString()));
    child.on("error", reject);
    child.on("close", (code, by) => {
      running = false;
      resolve({ code, signal: by, text });
    });
    void look();
  });
}

const FILES = [
  "last/adapter/adapter_model.safetensors",
  "last/projector.safetensors",
  "log.jsonl",
  "predictions.jsonl",
];
const bytes = (output: string): string[] => FILES.map((f) => readFileSync(join(output, f)).toString("base64"));
let wanted: string[];
const stepAt = (text: string): number =>
  Number(
    text
      .match(/step (\d+)\//g)
      ?.at(-1)
      ?.slice(5, -1) ?? 0,
  );

beforeAll(async () => {
  writeIemocap(corpus, { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
  const { code, text } = await train(join(folder, "whole"));
  expect(text).toMatch(/bundle: /);
  expect(code).toBe(0);
  wanted = bytes(join(folder, "whole"));
}, 120_000);

test(`killed at ${KILLS} random steps`, { timeout: KILLS * 60_000 }, async () => {
  const output = join(folder, "killed");
  const random = randomStream(FULL ? Date.now() : 1, "kills");
  // Spread over the run, whatever the speed of the machine.
  const points = Array.from({ length: KILLS }, (_, i) => Math.floor(((i + random.next()) * STEPS) / KILLS));
  for (const point of points) {
    const { signal } = await train(output, { when: (text) => stepAt(text) > point });
    // A point that the last checkpoint has already passed is met at once; only the end can come before.
    expect(signal).toBe("SIGKILL");
  }
  expect((await train(output)).code).toBe(0);
  expect(bytes(output)).toEqual(wanted);
  expect(readdirSync(output).filter((name) => name.includes("tmp") || name === ".running")).toEqual([]);
});

test("killed while it writes a checkpoint, and with the newest log line cut off", { timeout: 120_000 }, async () => {
  const output = join(folder, "torn");
  const writing = async (): Promise<boolean> =>
    (await readdir(output).catch(() => [])).some((name) => /^\.checkpoint-\d+\.\d+\.tmp$/.test(name));
  const { signal } = await train(output, { when: writing });
  expect(signal).toBe("SIGKILL");
  await appendFile(join(output, "log.jsonl"), '{"step":3,"lo');
  const { code, text } = await train(output);
  expect({ code, text: text.includes("error") }).toEqual({ code: 0, text: false });
  expect(bytes(output)).toEqual(wanted);
});

describe("a run that stands still", () => {
  test("Ctrl-C finishes the step, saves, says how to go on; the same command does", { timeout: 120_000 }, async () => {
    const output = join(folder, "interrupted");
    const { code, text } = await train(output, { when: (t) => stepAt(t) >= 2, signal: "SIGINT" });
    expect(code).toBe(130);
    const step = Number(/stopped after step (\d+) of/.exec(text)?.[1]);
    expect(text).toMatch(/the same command goes on from there/);
    expect(readdirSync(output)).toContain(`checkpoint-${step}`);
    const again = await train(output);
    expect(again.text).toMatch(new RegExp(`going on from .*checkpoint-${step}`));
    expect(bytes(output)).toEqual(wanted);
  });

  test("a finished run says so and does nothing", { timeout: 60_000 }, async () => {
    const output = join(folder, "whole");
    const { code, text } = await train(output);
    expect(code).toBe(0);
    expect(text).toMatch(/finished after \d+ steps: nothing to do/);
    expect(text).not.toMatch(/step 1\//);
    expect(bytes(output)).toEqual(wanted);
  });

  test("another config is refused with the keys that differ, and nothing is touched", { timeout: 60_000 }, async () => {
    const output = join(folder, "whole");
    const { code, text } = await train(output, {}, "learning_rate=0.5", "lora.r=2");
    expect(code).toBe(1);
    expect(text).toMatch(/made with another config/);
    expect(text).toMatch(/lora\.r: 8 there, 2 now/);
    expect(text).toMatch(/learning_rate: 0\.002 there, 0\.5 now/);
    expect(text).not.toMatch(/save_steps/);
    expect(bytes(output)).toEqual(wanted);
  });
});

const tmpfs = join(folder, "small-disk");
mkdirSync(tmpfs);
const mount = (...args: string[]): boolean =>
  process.platform === "linux" && spawnSync("mount", [...args, tmpfs], { stdio: "ignore" }).status === 0;
const mounted = mount("-t", "tmpfs", "-o", "size=3m", "tmpfs");
afterAll(() => {
  if (mounted) spawnSync("umount", [tmpfs]);
});

test.skipIf(!mounted)(
  `disk full${mounted ? "" : " (skipped: this user may not mount a small disk)"}`,
  { timeout: 120_000 },
  async () => {
    const output = join(tmpfs, "run");
    const full = await train(output);
    expect(full.code).toBe(1);
    expect(full.text).toMatch(/no space left|disk is full/);
    expect(full.text).toMatch(/same command again/);
    // The checkpoint before is whole: it is where the run goes on.
    expect(readdirSync(output).filter((name) => name.startsWith("checkpoint-"))).toEqual([`checkpoint-${SAVE}`]);
    expect(mount("-o", "remount,size=40m")).toBe(true);
    const again = await train(output);
    expect(again.text).toMatch(new RegExp(`going on from .*checkpoint-${SAVE}`));
    expect(again.code).toBe(0);
    expect(bytes(output)).toEqual(wanted);
  },
);
