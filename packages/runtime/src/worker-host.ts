/**
 * @file Programs on a thread of their own, so that a long run does not block the caller's event loop. Requests of all programs
 * run one after the other; cancelling happens between them, because onnxruntime cannot be stopped inside a run.
 */
import type { Worker } from "node:worker_threads";
import type { Tensor } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { PHASE, type Reply, type Request, type WorkerSetup, fromPlainError } from "./host-protocol.ts";
import { inThisProcess } from "./device-tensor.ts";
import type { HostTensor } from "./host-tensor.ts";
import { type LoweredModel, lower } from "./lower.ts";
import { mappedFiles } from "./mapped-files.ts";
import { checkFeeds, checkOutputs } from "./ports.ts";
import { type CompileOptions, type Program, type RunOptions, loweringsOf } from "./program.ts";
import { startThread } from "./thread.ts";

/** Options of {@link HostedProgram.run}. */
export interface HostedRunOptions extends RunOptions {
  /** A run that still waits rejects with the signal's reason (an AbortError); one that has started finishes. */
  readonly signal?: AbortSignal;
}

/** A program that runs on its host's thread. Feeds are copied there when their turn comes; results are moved back. */
export interface HostedProgram extends Program {
  run(feeds: Readonly<Record<string, HostTensor>>, options?: HostedRunOptions): Promise<Record<string, HostTensor>>;
}

/** A thread that compiles and runs programs. It does not keep the process alive while nothing is asked of it. */
export interface ProgramHost extends AsyncDisposable {
  /** As `compile`, on the host's thread (the graph is lowered here). */
  compile(outputs: Readonly<Record<string, Tensor>>, options?: CompileOptions): Promise<HostedProgram>;
  /** Lets the request under way finish, refuses those that wait, disposes every program, ends the thread. */
  close(): Promise<void>;
}

/** Somebody who waits for a reply. */
interface Pending {
  readonly resolve: (value: Record<string, HostTensor>) => void;
  readonly reject: (error: Error) => void;
}

interface Job extends Pending {
  readonly request: Request;
  readonly transfer: readonly ArrayBuffer[];
}

const closedError = (): EmosllmError => new EmosllmError("runtime_failed", "The worker host was closed.");

/**
 * Starts a thread for programs.
 *
 * @example
 * const host = await openHost();
 * const program = await host.compile({ y: mul(input("x", [2]), 3) });
 * (await program.run({ x: f32([1, 2]) })).y.data; // Float32Array [3, 6]
 * await host.close();
 */
export async function openHost(): Promise<ProgramHost> {
  const phase = new Int32Array(new SharedArrayBuffer(4));
  const worker = startThread("host-worker", { phase } satisfies WorkerSetup);
  return new Promise((resolve, reject) => {
    const host: ProgramHost = new WorkerHost(worker, phase, { resolve: () => resolve(host), reject });
  });
}

class WorkerHost implements ProgramHost {
  readonly #worker: Worker;
  readonly #phase: Int32Array;
  readonly #waiting: Job[] = [];
  #current: Pending | undefined;
  #closed: Promise<void> | undefined;
  #failure: Error | undefined;
  #programs = 0;
  readonly #ended: Promise<void>;

  /** `started` hears the worker's first message, which says that it has loaded. */
  constructor(worker: Worker, phase: Int32Array, started: Pending) {
    this.#worker = worker;
    this.#phase = phase;
    this.#current = started;
    const atExit = (): void => this.#letFinish();
    process.on("exit", atExit);
    worker.on("message", (reply: Reply) => this.#settle(reply));
    worker.on("error", (cause) => this.#fail(cause));
    this.#ended = new Promise((resolve) => {
      worker.once("exit", (code) => {
        process.off("exit", atExit);
        this.#fail(new Error(`its thread ended with exit code ${code}`));
        resolve();
      });
    });
  }

  async compile(
    outputs: Readonly<Record<string, Tensor>>,
    { weights = () => undefined, ...options }: CompileOptions = {},
  ): Promise<HostedProgram> {
    const lowered = lower(
      outputs,
      typeof weights === "function" ? weights : (name) => weights.get(name),
      mappedFiles(),
      loweringsOf(options.device),
    );
    const bytes = lowered.bytes.slice();
    const id = this.#programs++;
    // The nodes stay here: they only tell which outputs may be written in place, and nothing is shared with the thread.
    const model: LoweredModel = { ...lowered, bytes, nodes: [] };
    await this.#ask({ kind: "open", program: id, model, options }, [bytes.buffer]);
    return this.#program(id, lowered);
  }

  #program(id: number, { inputs, outputs, nodes }: LoweredModel): HostedProgram {
    let disposed: Promise<void> | undefined;
    const dispose = (): Promise<void> =>
      (disposed ??= this.#closed
        ? this.#ended
        : this.#ask({ kind: "dispose", program: id }, []).then(
            () => undefined,
            // Closing the host disposes its programs.
            (error: unknown) => (this.#closed ? undefined : Promise.reject(error)),
          ));
    return {
      inputs,
      outputs,
      nodeCount: nodes.length,
      run: async (given, { only, into = {}, signal } = {}) => {
        if (disposed) throw new EmosllmError("runtime_failed", "The program was disposed; compile it again.");
        const [feeds, memory] = [inThisProcess(given), inThisProcess(into)];
        checkOutputs(outputs, only, memory, checkFeeds(inputs, feeds));
        const values = await this.#ask(
          { kind: "run", program: id, feeds: alone(feeds), ...(only === undefined ? {} : { only }) },
          [],
          signal,
        );
        for (const [name, target] of Object.entries(memory)) {
          (target.data as Uint8Array).set(values[name]?.data as Uint8Array);
          values[name] = target;
        }
        return values;
      },
      dispose,
      [Symbol.dispose]: () => void dispose(),
    };
  }

  #ask(request: Request, transfer: readonly ArrayBuffer[], signal?: AbortSignal): Promise<Record<string, HostTensor>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      if (this.#failure) return reject(this.#failure);
      if (this.#closed && request.kind !== "close") return reject(closedError());
      const forget = (): void => signal?.removeEventListener("abort", cancel);
      const job: Job = {
        request,
        transfer,
        resolve(value) {
          forget();
          resolve(value);
        },
        reject(error) {
          forget();
          reject(error);
        },
      };
      const cancel = (): void => {
        const at = this.#waiting.indexOf(job);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        job.reject(signal?.reason as Error);
      };
      signal?.addEventListener("abort", cancel);
      this.#waiting.push(job);
      this.#next();
    });
  }

  #next(): void {
    if (this.#current) return;
    const job = this.#waiting.shift();
    if (!job) {
      if (!this.#closed) this.#worker.unref();
      return;
    }
    this.#current = job;
    this.#worker.ref();
    Atomics.store(this.#phase, 0, PHASE.sent);
    try {
      this.#worker.postMessage(job.request, job.transfer);
    } catch (cause) {
      Atomics.store(this.#phase, 0, PHASE.idle);
      this.#settle({ ok: false, error: { name: "Error", message: `internal: ${String(cause)}` } });
    }
  }

  #settle(reply: Reply): void {
    const job = this.#current;
    this.#current = undefined;
    if (reply.ok) job?.resolve(reply.value);
    else job?.reject(fromPlainError(reply.error));
    this.#next();
  }

  /** The thread is gone: everything asked of it fails. */
  #fail(cause: unknown): void {
    if (this.#failure) return;
    const why = cause instanceof Error ? cause.message : String(cause);
    this.#failure = this.#closed
      ? closedError()
      : new EmosllmError("runtime_failed", `The worker host failed: ${why}`, { cause });
    const jobs = [this.#current, ...this.#waiting.splice(0)];
    this.#current = undefined;
    for (const job of jobs) job?.reject(this.#failure);
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    for (const job of this.#waiting.splice(0)) job.reject(closedError());
    // Never terminate(): inside onnxruntime it aborts the process. The thread ends by itself once its port is closed.
    await this.#ask({ kind: "close" }, []).catch(() => undefined);
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The process exits: a request that has not begun is dropped, one inside onnxruntime is waited for. */
  #letFinish(): void {
    Atomics.compareExchange(this.#phase, 0, PHASE.sent, PHASE.cancelled);
    while (Atomics.load(this.#phase, 0) === PHASE.busy) Atomics.wait(this.#phase, 0, PHASE.busy);
  }
}

/** Copying a view to another thread copies the whole buffer behind it, and shared memory would stay shared. */
function alone(feeds: Readonly<Record<string, HostTensor>>): Record<string, HostTensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, t]) => {
      const whole = t.data.byteLength === t.data.buffer.byteLength && !(t.data.buffer instanceof SharedArrayBuffer);
      return [name, whole ? t : { ...t, data: t.data.slice() }];
    }),
  );
}
