/** @file Numbers for Prometheus, each server with a registry of its own. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { PoolEvent, PoolStatus } from "../pool/pool.ts";

/** What is counted. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  requestDone(labels: { route: string; method: string; status: number }, seconds: number): void;
  requestStarted(): void;
  /** Sound that was judged, and how long its answer took. */
  audio(model: string, audioSeconds: number, seconds: number, queueSeconds: number): void;
  poolEvent(event: PoolEvent): void;
  realtime(change: 1 | -1): void;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Metrics that read the pool's state whenever they are asked for. */
export function createMetrics(status: () => PoolStatus, heldBytes: () => number): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  const requests = new Counter({
    name: "emosllm_requests_total",
    help: "Answered requests",
    labelNames: ["route", "method", "status"],
    registers,
  });
  const latency = new Histogram({
    name: "emosllm_request_duration_seconds",
    help: "From arrival to answer",
    labelNames: ["route"],
    buckets: SECONDS,
    registers,
  });
  const inFlight = new Gauge({
    name: "emosllm_requests_in_flight",
    help: "Requests that are not answered yet",
    registers,
  });
  const queueTime = new Histogram({
    name: "emosllm_queue_duration_seconds",
    help: "Waiting for a model process",
    buckets: SECONDS,
    registers,
  });
  const batchSize = new Histogram({
    name: "emosllm_batch_size",
    help: "Utterances in one pass",
    labelNames: ["kind"],
    buckets: [1, 2, 4, 8, 16, 32, 64],
    registers,
  });
  const batchTime = new Histogram({
    name: "emosllm_batch_duration_seconds",
    help: "One pass",
    labelNames: ["kind"],
    buckets: SECONDS,
    registers,
  });
  const audioSeconds = new Counter({
    name: "emosllm_audio_seconds_total",
    help: "Seconds of sound that were judged",
    labelNames: ["model"],
    registers,
  });
  const factor = new Histogram({
    name: "emosllm_real_time_factor",
    help: "Seconds of answering per second of sound",
    labelNames: ["model"],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
    registers,
  });
  const ended = new Counter({
    name: "emosllm_workers_ended_total",
    help: "Model processes that ended unasked",
    registers,
  });
  const sessions = new Gauge({ name: "emosllm_realtime_sessions", help: "Open realtime sessions", registers });
  gauge("emosllm_queue_depth", "Requests that wait for a model process", () => status().queued);
  gauge("emosllm_running", "Requests inside model processes", () => status().running);
  gauge("emosllm_workers_ready", "Model processes that answer", () => status().ready);
  gauge("emosllm_workers_resident_bytes", "Memory of all model processes", () =>
    status().processes.reduce((sum, p) => sum + p.rssBytes, 0),
  );
  gauge("emosllm_body_bytes_held", "Bytes of request bodies in memory", heldBytes);
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    requestStarted: () => inFlight.inc(),
    requestDone({ route, method, status: code }, seconds) {
      inFlight.dec();
      requests.inc({ route, method, status: String(code) });
      latency.observe({ route }, seconds);
    },
    audio(model, heard, seconds, queueSeconds) {
      audioSeconds.inc({ model }, heard);
      if (heard > 0) factor.observe({ model }, seconds / heard);
      queueTime.observe(queueSeconds);
    },
    poolEvent(event) {
      if (event.type === "batch") {
        batchSize.observe({ kind: event.kind }, event.size);
        batchTime.observe({ kind: event.kind }, event.modelMs / 1000);
      } else if (event.type === "worker_ended") ended.inc();
    },
    realtime: (change) => sessions.inc(change),
  };
}
