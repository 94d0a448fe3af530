/**
 * @file Model processes and the requests that wait for them: gathers batches within a deadline, bounds the queue, replaces a
 * process that ends, and gives its requests one more try each on their own, so that one that kills takes no other with it.
 */
import { ServiceError, fromProcessError } from "../errors.ts";
import { type BatchFacts, type Entry, createQueue } from "./queue.ts";
import type { BundleSpec, GenerateChunk, ModelInfo, ProcessSetup, TaskKind, Tasks } from "./tasks.ts";
import { type Worker, ProcessGoneError, startWorker } from "./worker.ts";

/** Options of {@link openPool}. */
export interface PoolOptions {
  readonly bundles: readonly BundleSpec[];
  /** Model processes. */
  readonly processes: number;
  /** Threads inside one op of each. */
  readonly threads: number;
  readonly precision: ProcessSetup["precision"];
  readonly maxBatch: number;
  /** Milliseconds that a request waits for others to join its batch. */
  readonly batchDelayMs: number;
  /** Requests that may wait; more are refused. */
  readonly maxQueue: number;
  /** A batch that takes longer is taken for stuck: its process is killed. */
  readonly batchTimeoutMs: number;
  readonly onEvent: (event: PoolEvent) => void;
}

/** Something that happened in the pool. */
export type PoolEvent =
  | { readonly type: "worker_started"; readonly pid: number | undefined; readonly seconds: number }
  | {
      readonly type: "worker_ended";
      readonly pid: number | undefined;
      readonly reason: string;
      readonly requests: number;
    }
  | { readonly type: "worker_start_failed"; readonly reason: string; readonly retryInMs: number }
  | {
      readonly type: "batch";
      readonly kind: TaskKind;
      readonly model: string;
      readonly size: number;
      readonly modelMs: number;
    }
  | { readonly type: "reloaded"; readonly models: readonly string[] };

/** An answer with what is told about its batch. */
export interface Answered<K extends TaskKind> {
  readonly output: Tasks[K]["output"];
  readonly batch: BatchFacts;
}

/** Options of {@link Pool.submit}. */
export interface SubmitOptions {
  /** The caller has gone: its place is free again. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until `deadline_exceeded`. */
  readonly deadlineMs?: number | undefined;
  /** Hears text as it comes. */
  readonly onChunk?: ((chunk: GenerateChunk) => void) | undefined;
}

/** A pool of model processes. */
export interface Pool {
  /** Throws ServiceError `queue_full`, `deadline_exceeded`, `client_closed`, `worker_failed`, `shutting_down`, or what the item was refused with. */
  submit<K extends TaskKind>(
    model: string,
    kind: K,
    input: Tasks[K]["input"],
    options?: SubmitOptions,
  ): Promise<Answered<K>>;
  readonly models: readonly ModelInfo[];
  readonly status: PoolStatus;
  /** Loads `bundles` in new processes, one after the other; the old ones go when a new one has taken their place. */
  reload(bundles: readonly BundleSpec[]): Promise<readonly ModelInfo[]>;
  /** Refuses new requests and resolves when those that were accepted are answered. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Numbers for health routes and metrics. */
export interface PoolStatus {
  readonly queued: number;
  readonly running: number;
  readonly ready: number;
  readonly processes: readonly {
    readonly pid: number | undefined;
    readonly rssBytes: number;
    readonly busy: boolean;
  }[];
  readonly draining: boolean;
}

interface Slot {
  worker: Worker | undefined;
  batch: readonly Entry[] | undefined;
  /** Ends when its batch is answered: a newer process has taken its place. */
  retired: boolean;
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

const MOST_ATTEMPTS = 2;
const BACKOFF_MS = [100, 500, 2000, 5000, 10_000] as const;

/** Starts the processes; rejects when the bundles cannot be loaded. */
export async function openPool(options: PoolOptions): Promise<Pool> {
  const { maxQueue, onEvent } = options;
  const queue = createQueue();
  const slots: Slot[] = Array.from({ length: options.processes }, () => newSlot());
  const running = new Set<Entry>();
  const idleWaiters: (() => void)[] = [];
  let setup: ProcessSetup = {
    bundles: options.bundles,
    threads: options.threads,
    precision: options.precision,
  };
  let models: readonly ModelInfo[] = [];
  let [draining, closed] = [false, false];
  let wake: NodeJS.Timeout | undefined;
  let reloading: Promise<unknown> = Promise.resolve();

  async function launch(slot: Slot, using: ProcessSetup): Promise<Worker> {
    const started = performance.now();
    const worker = await startWorker(using);
    if (closed || slot.retired) {
      await worker.stop();
      throw new ProcessGoneError("The pool was closed");
    }
    slot.worker = worker;
    slot.failures = 0;
    ({ models } = worker);
    onEvent({ type: "worker_started", pid: worker.pid, seconds: (performance.now() - started) / 1000 });
    void worker.ended.then((reason) => gone(slot, worker, reason));
    dispatch();
    return worker;
  }

  /** A process ended: its requests get another try, the slot another process. */
  function gone(slot: Slot, worker: Worker, reason: string): void {
    if (slot.worker !== worker) return;
    slot.worker = undefined;
    if (closed || slot.retired) return;
    onEvent({ type: "worker_ended", pid: worker.pid, reason, requests: slot.batch?.length ?? 0 });
    relaunch(slot);
  }

  function relaunch(slot: Slot): void {
    launch(slot, setup).catch((error: unknown) => {
      if (closed || slot.retired) return;
      const retryInMs = BACKOFF_MS[Math.min(slot.failures++, BACKOFF_MS.length - 1)] as number;
      onEvent({
        type: "worker_start_failed",
        reason: error instanceof Error ? error.message : String(error),
        retryInMs,
      });
      slot.timer = setTimeout(() => relaunch(slot), retryInMs);
    });
  }

  function dispatch(): void {
    clearTimeout(wake);
    for (;;) {
      const idle = slots.filter((s) => s.worker && !s.batch && !s.retired);
      const slot = idle[0];
      if (!slot || queue.length === 0) return;
      const together = queue.group(options.maxBatch * idle.length);
      const first = together[0] as Entry;
      // Idle processes share what there is.
      const batch = together.slice(0, Math.ceil(together.length / idle.length));
      const age = performance.now() - first.arrived;
      if (!first.alone && together.length < options.maxBatch * idle.length && age < options.batchDelayMs) {
        wake = setTimeout(dispatch, options.batchDelayMs - age);
        return;
      }
      queue.take(batch);
      void runBatch(slot, slot.worker as Worker, batch);
    }
  }

  async function runBatch(slot: Slot, worker: Worker, batch: readonly Entry[]): Promise<void> {
    const { kind, model } = batch[0] as Entry;
    const started = performance.now();
    slot.batch = batch;
    for (const entry of batch) {
      entry.attempts++;
      running.add(entry);
    }
    const stuck = setTimeout(() => worker.kill(), options.batchTimeoutMs);
    try {
      const { results, modelMs, phases } = await worker.run(
        model,
        kind,
        batch.map((e) => e.input),
        (chunk) => {
          const [entry] = batch as [Entry];
          entry.spoken = true;
          if (!entry.left) entry.onChunk?.(chunk);
        },
      );
      onEvent({ type: "batch", kind, model, size: batch.length, modelMs });
      batch.forEach((entry, i) =>
        entry.settle(results[i]!, {
          size: batch.length,
          queuedMs: started - entry.arrived,
          modelMs,
          startedAt: started,
          phases,
        }),
      );
    } catch (error) {
      for (const entry of batch.toReversed()) retry(entry, error as Error);
    } finally {
      clearTimeout(stuck);
      slot.batch = undefined;
      for (const entry of batch) running.delete(entry);
      if (slot.retired) void slot.worker?.stop();
      dispatch();
      if (queue.length === 0 && running.size === 0) for (const resolve of idleWaiters.splice(0)) resolve();
    }
  }

  function retry(entry: Entry, cause: Error): void {
    if (entry.attempts < MOST_ATTEMPTS && !entry.spoken && !entry.left && !closed) {
      entry.alone = true;
      queue.pushFront(entry);
    } else
      entry.fail(
        new ServiceError(
          "worker_failed",
          "The model process ended while it worked on this request, and another try did not help or was not possible.",
          {
            retryAfter: 1,
            cause,
          },
        ),
      );
  }

  const submit = <K extends TaskKind>(
    model: string,
    kind: K,
    input: Tasks[K]["input"],
    { signal, deadlineMs, onChunk }: SubmitOptions = {},
  ): Promise<Answered<K>> =>
    new Promise((resolve, reject) => {
      if (draining || closed)
        return reject(new ServiceError("shutting_down", "The server is shutting down.", { retryAfter: 1 }));
      if (signal?.aborted) return reject(clientClosed());
      if (queue.length >= maxQueue)
        return reject(
          new ServiceError("queue_full", `${maxQueue} requests are waiting already; try again later.`, {
            retryAfter: 1,
          }),
        );
      let timer: NodeJS.Timeout | undefined;
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        act();
      };
      const entry: Entry = {
        model,
        kind,
        input,
        arrived: performance.now(),
        alone: false,
        attempts: 0,
        spoken: false,
        left: false,
        onChunk,
        settle: (result, batch) =>
          finish(() =>
            result.ok
              ? resolve({ output: result.output as Tasks[K]["output"], batch })
              : reject(fromProcessError(result.error)),
          ),
        fail: (error) => finish(() => reject(error)),
      };
      // One that runs is stopped where that is possible (between two tokens); else its answer is dropped.
      const leave = (error: ServiceError): void => {
        entry.left = true;
        if (queue.remove(entry)) dispatch();
        for (const { batch, worker } of slots) if (batch?.every((e) => e.left)) worker?.cancel();
        entry.fail(error);
      };
      const onAbort = (): void => leave(clientClosed());
      signal?.addEventListener("abort", onAbort);
      if (deadlineMs !== undefined)
        timer = setTimeout(
          () => leave(new ServiceError("deadline_exceeded", `Not answered within ${deadlineMs / 1000} s.`)),
          deadlineMs,
        );
      queue.push(entry);
      dispatch();
    });

  async function reload(bundles: readonly BundleSpec[]): Promise<readonly ModelInfo[]> {
    const next: ProcessSetup = { ...setup, bundles };
    for (let i = 0; i < slots.length; i++) {
      const fresh = newSlot();
      // The first one shows whether the bundles can be loaded at all; until then nothing has changed.
      await launch(fresh, next);
      setup = next;
      const old = slots[i] as Slot;
      slots[i] = fresh;
      retire(old);
      dispatch();
    }
    onEvent({ type: "reloaded", models: models.map((m) => m.id) });
    return models;
  }

  function retire(slot: Slot): void {
    slot.retired = true;
    clearTimeout(slot.timer);
    if (!slot.batch) void slot.worker?.stop();
  }

  await Promise.all(slots.map((slot) => launch(slot, setup))).catch(async (error: unknown) => {
    closed = true;
    await Promise.all(slots.map((s) => s.worker?.stop()));
    throw error;
  });
  return {
    submit,
    get models() {
      return models;
    },
    get status() {
      return {
        queued: queue.length,
        running: running.size,
        ready: slots.filter((s) => s.worker && !s.retired).length,
        processes: slots.flatMap(({ worker, batch }) =>
          worker ? [{ pid: worker.pid, rssBytes: worker.rssBytes, busy: batch !== undefined }] : [],
        ),
        draining,
      };
    },
    reload(bundles) {
      const done = reloading.then(() => reload(bundles));
      reloading = done.catch(() => undefined);
      return done;
    },
    async drain() {
      draining = true;
      if (queue.length === 0 && running.size === 0) return;
      await new Promise<void>((resolve) => idleWaiters.push(resolve));
    },
    async close() {
      closed = draining = true;
      clearTimeout(wake);
      for (const entry of queue.drop()) entry.fail(new ServiceError("shutting_down", "The server is shutting down."));
      for (const slot of slots) clearTimeout(slot.timer);
      await Promise.all(slots.map((slot) => slot.worker?.stop()));
    },
  };
}

const newSlot = (): Slot => ({ worker: undefined, batch: undefined, retired: false, failures: 0, timer: undefined });

const clientClosed = (): ServiceError => new ServiceError("client_closed", "The caller closed the connection.");
