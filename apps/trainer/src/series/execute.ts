/** @file Makes several runs: one after the other in this process, or several at once in processes of their own. */
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EmosllmError } from "@emosllm/interfaces";
import { makeFolder } from "../make-folder.ts";
import type { TrainEvent } from "../training/events.ts";
import { runTraining } from "../training/run.ts";
import { discardRun, finishedRun, markFinished, type RunMark, type RunPlan } from "./plan.ts";

/** What is said while runs go. */
export type RunsEvent =
  | { readonly type: "begin"; readonly plan: RunPlan }
  | { readonly type: "skipped"; readonly plan: RunPlan }
  | { readonly type: "end"; readonly plan: RunPlan; readonly mark: RunMark }
  | { readonly type: "failed"; readonly plan: RunPlan; readonly message: string }
  | { readonly type: "train"; readonly plan: RunPlan; readonly event: TrainEvent };

/** Options of {@link executeRuns}. */
export interface ExecuteOptions {
  /** Processes at once; 1: this one. */
  readonly jobs: number;
  /** Forget what is there and begin anew. */
  readonly restart: boolean;
  readonly onEvent: (event: RunsEvent) => void;
}

/** Makes the runs that are not finished yet. A failed one does not keep the others from being made. Gives the names of those that failed. */
export async function executeRuns(
  plans: readonly RunPlan[],
  { jobs, restart, onEvent }: ExecuteOptions,
): Promise<string[]> {
  const open: RunPlan[] = [];
  for (const plan of plans) {
    if (restart) await discardRun(plan);
    if (await finishedRun(plan)) onEvent({ type: "skipped", plan });
    else open.push(plan);
  }
  const failed: string[] = [];
  const work = async (): Promise<void> => {
    for (let plan = open.shift(); plan; plan = open.shift()) {
      onEvent({ type: "begin", plan });
      const start = performance.now();
      try {
        if (jobs === 1) await runHere(plan, onEvent);
        else await runApart(plan);
        onEvent({ type: "end", plan, mark: await markFinished(plan, (performance.now() - start) / 1000) });
      } catch (error) {
        if (!(error instanceof EmosllmError)) throw error;
        failed.push(plan.name);
        onEvent({ type: "failed", plan, message: error.message });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, open.length) }, work));
  return plans.map((p) => p.name).filter((name) => failed.includes(name));
}

async function runHere(plan: RunPlan, onEvent: ExecuteOptions["onEvent"]): Promise<void> {
  await runTraining(plan.config, (event) => onEvent({ type: "train", plan, event }));
}

/** The same as `emosllm train` with the plan's words; what it says goes into `train.log` beside its files. */
async function runApart(plan: RunPlan): Promise<void> {
  const source = import.meta.url.endsWith(".ts");
  const main = fileURLToPath(new URL(source ? "../main.ts" : "../main.js", import.meta.url));
  const folder = plan.config.output_dir;
  await makeFolder(folder);
  const file = join(folder, "train.log");
  const log = createWriteStream(file, { flags: "a" });
  const child = spawn(process.execPath, [...process.execArgv, main, "train", ...plan.argv], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, CI: "1" },
  });
  let last = "";
  child.stdout.pipe(log, { end: false });
  child.stderr.on("data", (part: Buffer) => {
    log.write(part);
    last = `${last}${part.toString()}`.slice(-2000);
  });
  const stop = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (code === 0) return;
    const reason = /error: (.*)/.exec(last)?.[1] ?? last.trim().split("\n").at(-1);
    throw new EmosllmError(
      "runtime_failed",
      `${plan.name} ended with exit code ${code}: ${reason ?? ""} (see ${file})`,
    );
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    log.end();
  }
}
