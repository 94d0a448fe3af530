/** @file Whether a config can be run here: its corpus, its models, and what it will take. */
import { freemem } from "node:os";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { resolveModel } from "@emosllm/checkpoints";
import { EmosllmError } from "@emosllm/interfaces";
import { openLanguageModel } from "@emosllm/backbones";
import { type Folds, readFolds } from "../series/folds.ts";
import { predictTraining } from "./predict.ts";
import { machineRates, secondsOf } from "./rates.ts";
import { bytesText, type Finding, memoryLimit } from "./checks.ts";

/** What a few steps took. */
export interface Measured {
  readonly peakBytes: number;
  readonly secondsPerStep: number;
}

const LESS_MEMORY =
  "a smaller per_device_train_batch_size with more gradient_accumulation_steps, gradient_checkpointing: true, prepack_weights: false, or precision: int8";

const reason = (error: unknown): string => {
  if (error instanceof EmosllmError) return error.message;
  throw error;
};

const durationText = (seconds: number): string =>
  seconds < 90
    ? `${seconds.toFixed(0)} s`
    : seconds < 5400
      ? `${(seconds / 60).toFixed(0)} min`
      : `${(seconds / 3600).toFixed(1)} h`;

/** Checks of a config. `measure`: train a few steps of it in a process of its own, which is the only sure way to its memory and time. */
export async function configChecks(
  file: string,
  overrides: readonly string[],
  { measure }: { readonly measure: boolean },
): Promise<Finding[]> {
  let folds: Folds;
  try {
    folds = await readFolds(file, overrides);
  } catch (error) {
    return [{ check: "config", status: "problem", value: reason(error), advice: `emosllm validate ${file}` }];
  }
  const { config, splits } = folds;
  const split = splits[config.fold - 1];
  const findings: Finding[] = [{ check: "config", status: "ok", value: `${file} is valid` }];
  if (!split)
    return [...findings, { check: "fold", status: "problem", value: `fold ${config.fold} of ${splits.length}` }];
  const { train, validation, test } = split;
  findings.push({
    check: "corpus",
    status: train.length > 0 && test.length > 0 ? "ok" : "problem",
    value: `${config.corpus}: ${train.length} training, ${validation.length} validation, ${test.length} test utterances`,
  });
  const perStep = config.per_device_train_batch_size * config.gradient_accumulation_steps;
  const steps = Math.ceil(train.length / perStep);
  const model = await modelFindings(config.model_name_or_path, config.precision);
  findings.push(...model);
  if (config.encoder_name_or_path !== undefined) findings.push(await encoderFinding(config.encoder_name_or_path));
  if (findings.some((f) => f.status === "problem")) return findings;
  try {
    const utterances = train.map((id) => folds.utterances.get(id)).filter((u) => u !== undefined);
    const { memory, work, steps: all } = await predictTraining(config, utterances);
    const { peak, process: own, weights, trained, values } = memory;
    const free = Math.min(memoryLimit(), freemem());
    const parts = `weights ${bytesText(weights)}, trained values ${bytesText(trained)}, a step ${bytesText(values)}, the rest ${bytesText(own)}`;
    findings.push({
      check: "predicted",
      status: peak > free ? "problem" : "ok",
      value: `${bytesText(peak)} in training, of ${bytesText(free)} free: ${parts}`,
      number: peak,
      ...(peak > free ? { advice: LESS_MEMORY } : {}),
    });
    if (!measure) {
      const secondsPerStep = secondsOf(work, await machineRates());
      findings.push({
        check: "time",
        status: "ok",
        value: `about ${secondsPerStep.toPrecision(2)} s a step: ${durationText(steps * secondsPerStep)} an epoch of ${steps} steps, ${durationText(all * secondsPerStep)} for all ${all}, validation not counted`,
        number: steps * secondsPerStep,
        advice: "estimated from the arithmetic of its steps, right to a factor of two; --measure trains three of them",
      });
    }
  } catch (error) {
    findings.push({ check: "predicted", status: "problem", value: reason(error) });
  }
  if (!measure) return findings;
  try {
    const { peakBytes, secondsPerStep } = await measureSteps(file, overrides);
    const limit = Math.min(memoryLimit(), freemem());
    findings.push(
      {
        check: "memory",
        status: peakBytes > limit ? "problem" : "ok",
        value: `${bytesText(peakBytes)} at the most in three steps, of ${bytesText(limit)} free`,
        number: peakBytes,
        ...(peakBytes > limit ? { advice: LESS_MEMORY } : {}),
      },
      {
        check: "time",
        status: "ok",
        value: `${secondsPerStep.toFixed(2)} s a step, ${durationText(steps * secondsPerStep)} an epoch of ${steps} steps`,
        number: steps * secondsPerStep,
      },
    );
  } catch (error) {
    findings.push({ check: "measure", status: "problem", value: reason(error) });
  }
  return findings;
}

/** Bytes of a frozen value by precision, scales included (blocks of 128). */
const BYTES = { f32: 4, f16: 2, int8: 1.03, int4: 0.53 } as const;

async function modelFindings(name: string, precision: keyof typeof BYTES): Promise<Finding[]> {
  try {
    const { folder, from } = await resolveModel(name, { offline: true });
    const { checkpoint, linearPaths, config } = await openLanguageModel(folder);
    const linear = new Set(linearPaths.map((path) => `${path}.weight`));
    let [packed, rest] = [0, 0];
    for (const { name: tensor, shape } of checkpoint.tensors.values()) {
      const n = shape.reduce((a, b) => a * b, 1);
      if (linear.has(tensor)) packed += n;
      else rest += n;
    }
    const bytes = packed * BYTES[precision] + rest * 4;
    return [
      {
        check: "model",
        status: "ok",
        value: `${name} (${config.modelType}, ${((packed + rest) / 1e6).toFixed(1)} M weights, from ${from}): ${bytesText(bytes)} in ${precision}`,
        number: bytes,
      },
    ];
  } catch (error) {
    return [
      {
        check: "model",
        status: "problem",
        value: reason(error),
        advice: "the first `emosllm train` downloads it, where it may be downloaded; or give a folder",
      },
    ];
  }
}

async function encoderFinding(name: string): Promise<Finding> {
  try {
    const { from } = await resolveModel(name, { offline: true });
    return { check: "encoder", status: "ok", value: `${name} (from ${from})` };
  } catch (error) {
    return {
      check: "encoder",
      status: "problem",
      value: reason(error),
      advice: "the first `emosllm train` downloads it, where it may be downloaded; or give a folder",
    };
  }
}

async function measureSteps(file: string, overrides: readonly string[]): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), "emosllm-doctor-"));
  const source = import.meta.url.endsWith(".ts");
  const script = fileURLToPath(new URL(source ? "./measure.ts" : "./measure.js", import.meta.url));
  const words = [file, ...overrides, "max_steps=3", `output_dir=${join(folder, "run")}`];
  try {
    const child = spawn(process.execPath, [...process.execArgv, script, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (part: Buffer) => (out += part.toString()));
    child.stderr.on("data", (part: Buffer) => (err = `${err}${part.toString()}`.slice(-2000)));
    const code = await new Promise((done) => child.on("close", done));
    if (code === 0) return JSON.parse(out.trim().split("\n").at(-1) as string) as Measured;
    throw new EmosllmError(
      "runtime_failed",
      `three steps of ${file} ended with exit code ${String(code)}: ${err.trim().split("\n").at(-1) ?? ""}`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
