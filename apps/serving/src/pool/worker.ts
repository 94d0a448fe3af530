/** @file The parent's side of one model process: its start, one batch at a time, its end. */
import type { ChildProcess } from "node:child_process";
import { constants, setPriority } from "node:os";
import { EmosllmError, type ErrorCode } from "@emosllm/interfaces";
import { startProcess } from "./start-process.ts";
import type {
  FromProcess,
  GenerateChunk,
  ItemResult,
  ModelInfo,
  Phase,
  ProcessSetup,
  TaskKind,
  Tasks,
  ToProcess,
} from "./tasks.ts";

/** A finished batch. */
export interface BatchDone {
  readonly results: readonly ItemResult[];
  readonly modelMs: number;
  readonly phases: readonly Phase[];
}

/** A model process. */
export interface Worker {
  readonly pid: number | undefined;
  readonly models: readonly ModelInfo[];
  /** Resident memory as of its last answer. */
  readonly rssBytes: number;
  /** Runs one batch; rejects with {@link ProcessGoneError} when the process ends before it answers. */
  run(
    model: string,
    kind: TaskKind,
    inputs: readonly Tasks[TaskKind]["input"][],
    onChunk?: (chunk: GenerateChunk) => void,
  ): Promise<BatchDone>;
  /** What runs now is not needed any more; it ends where it can. */
  cancel(): void;
  /** Resolves when the process has ended, with why. */
  readonly ended: Promise<string>;
  /** Asks the process to end; kills it after two seconds. */
  stop(): Promise<void>;
  kill(): void;
}

/** The process ended in the middle of a batch. */
export class ProcessGoneError extends Error {
  override readonly name = "ProcessGoneError";
}

interface Waiting {
  resolve(done: BatchDone): void;
  reject(error: Error): void;
  readonly onChunk: ((chunk: GenerateChunk) => void) | undefined;
}

const STDERR_KEPT = 2000;

/** Starts a process and loads its bundles. Throws EmosllmError with the code that loading failed with, {@link ProcessGoneError}. */
export async function startWorker(setup: ProcessSetup): Promise<Worker> {
  const child = startProcess();
  yieldToParent(child.pid);
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-STDERR_KEPT)));
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => {
      const why = signal === null ? `exit code ${code}` : `signal ${signal}`;
      resolve(stderr.trim() === "" ? why : `${why}: ${stderr.trim()}`);
    });
  });
  const models = await opened(child, setup, ended);
  return connect(child, models, ended);
}

/** Models take every core there is; whoever answers callers goes first. */
function yieldToParent(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended (which is told by its exit), or the system does not let processes be slowed down.
  }
}

const post = (child: ChildProcess, message: ToProcess): void =>
  // A process that is gone is told by `exit`.
  void (child.connected && child.send(message, () => undefined));

function opened(child: ChildProcess, setup: ProcessSetup, ended: Promise<string>): Promise<readonly ModelInfo[]> {
  return new Promise((resolve, reject) => {
    child.once("message", (message: FromProcess) => {
      if (message.type === "ready") return resolve(message.models);
      child.kill("SIGKILL");
      const { code, message: text } = (message as Extract<FromProcess, { type: "failed" }>).error;
      reject(new EmosllmError(code as ErrorCode, text));
    });
    void ended.then((why) => reject(new ProcessGoneError(`The model process ended while it loaded (${why})`)));
    post(child, { type: "open", setup });
  });
}

function connect(child: ChildProcess, models: readonly ModelInfo[], ended: Promise<string>): Worker {
  let next = 0;
  let gone: string | undefined;
  let rssBytes = 0;
  const waiting = new Map<number, Waiting>();
  child.on("message", (message: FromProcess) => {
    if (message.type === "chunk") waiting.get(message.batch)?.onChunk?.(message.chunk);
    if (message.type !== "done") return;
    ({ rssBytes } = message);
    waiting.get(message.batch)?.resolve(message);
    waiting.delete(message.batch);
  });
  void ended.then((why) => {
    gone = why;
    for (const { reject } of waiting.values()) reject(new ProcessGoneError(`The model process ended (${why})`));
    waiting.clear();
  });
  const worker: Worker = {
    pid: child.pid,
    models,
    get rssBytes() {
      return rssBytes;
    },
    ended,
    run: (model, kind, inputs, onChunk) =>
      new Promise((resolve, reject) => {
        if (gone !== undefined) return reject(new ProcessGoneError(`The model process ended (${gone})`));
        const batch = next++;
        waiting.set(batch, { resolve, reject, onChunk });
        post(child, { type: "batch", batch, model, kind, inputs });
      }),
    cancel() {
      for (const batch of waiting.keys()) post(child, { type: "cancel", batch });
    },
    async stop() {
      post(child, { type: "close" });
      const timer = setTimeout(() => child.kill("SIGKILL"), 2000);
      await ended;
      clearTimeout(timer);
    },
    kill: () => void child.kill("SIGKILL"),
  };
  return worker;
}
