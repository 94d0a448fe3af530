/** @file The thread of a worker host: opens, runs and disposes programs, one request after the other. */
import { parentPort, workerData } from "node:worker_threads";
import type { HostTensor } from "./host-tensor.ts";
import { PHASE, type Reply, type Request, type WorkerSetup, buffersOf, toPlainError } from "./host-protocol.ts";
import { type Program, openProgram } from "./program.ts";

const { phase } = workerData as WorkerSetup;
const port = parentPort;
if (!port) throw new Error("internal: host-worker must be started by a host");
const programs = new Map<number, Program>();

async function answer(request: Request): Promise<Record<string, HostTensor>> {
  if (request.kind === "close") {
    for (const program of programs.values()) await program.dispose();
    return {};
  }
  if (request.kind === "open") {
    programs.set(request.program, await openProgram(request.model, request.options));
    return {};
  }
  const program = programs.get(request.program);
  if (!program) throw new Error(`internal: there is no program ${request.program}`);
  if (request.kind === "run")
    return program.run(request.feeds, request.only === undefined ? {} : { only: request.only });
  programs.delete(request.program);
  await program.dispose();
  return {};
}

port.on("message", (request: Request) => {
  if (Atomics.compareExchange(phase, 0, PHASE.sent, PHASE.busy) !== PHASE.sent) return;
  void answer(request)
    .then(
      (value): Reply => ({ ok: true, value }),
      (error: unknown): Reply => ({ ok: false, error: toPlainError(error) }),
    )
    .then((reply) => {
      Atomics.store(phase, 0, PHASE.idle);
      Atomics.notify(phase, 0);
      port.postMessage(reply, reply.ok ? buffersOf(reply.value) : []);
      if (request.kind === "close") port.close();
    });
});
port.postMessage({ ok: true, value: {} } satisfies Reply);
