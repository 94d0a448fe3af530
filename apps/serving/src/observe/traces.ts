/**
 * @file One trace per request: how long it waited, was decoded, encoded, judged. Trace ids come from the caller's `traceparent` (W3C) or are
 * made. Configured as OpenTelemetry's environment variables say. Sound and words are in no attribute.
 */
import { randomBytes } from "node:crypto";
import type { ServerEvent } from "../options.ts";
import type { BatchFacts } from "../pool/queue.ts";
import { type Attribute, createExporter } from "./otlp.ts";

/** Where traces go. */
export interface TraceOptions {
  /** The collector's whole address, e.g. `http://collector:4318/v1/traces`: OTLP over HTTP, in JSON. */
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Attributes of the service. Default: `service.name` is `emosllm`. */
  readonly resource?: Readonly<Record<string, string>>;
  /** Share of traces that are recorded where the caller has not decided (1). */
  readonly ratio?: number;
  /** Whether a caller's own decision in `traceparent` counts (true). */
  readonly followParent?: boolean;
  /** Milliseconds that a span waits at most for others (5000). */
  readonly delayMs?: number;
  /** Milliseconds for the collector to answer (10000). */
  readonly timeoutMs?: number;
}

/** A trace that is recorded, and the span that others stand under. */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
}

/** What is told of a request at its end. */
export interface RequestFacts {
  readonly name: string;
  readonly started: number;
  readonly status: number;
  readonly attributes: Readonly<Record<string, Attribute | undefined>>;
}

/** Takes requests and the batches they were in. */
export interface Traces {
  /** The trace that a request belongs to, or undefined where it is not recorded. */
  begin(traceparent: string | null): TraceContext | undefined;
  end(context: TraceContext | undefined, facts: RequestFacts): void;
  batch(context: TraceContext | undefined, model: string, batch: BatchFacts): void;
  /** Sends what waits. Never rejects. */
  flush(): Promise<void>;
}

const PARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;
const SAMPLED = 1;
const id = (bytes: number): string => randomBytes(bytes).toString("hex");

/** Records nothing. */
export const NO_TRACES: Traces = {
  begin: () => undefined,
  end: () => undefined,
  batch: () => undefined,
  flush: async () => undefined,
};

/** Records requests and sends them to a collector. */
export function createTraces(
  options: TraceOptions,
  version: string,
  onEvent: (event: Extract<ServerEvent, { type: "traces_lost" }>) => void,
): Traces {
  const { ratio = 1, followParent = true } = options;
  const exporter = createExporter({
    endpoint: options.endpoint,
    headers: options.headers ?? {},
    resource: { "service.name": "emosllm", ...options.resource },
    version,
    delayMs: options.delayMs ?? 5000,
    timeoutMs: options.timeoutMs ?? 10_000,
    onEvent,
  });
  return {
    begin(traceparent) {
      const [, traceId = id(16), parentSpanId, flags] = PARENT.exec(traceparent ?? "") ?? [];
      const decided = followParent && flags !== undefined ? (Number.parseInt(flags, 16) & SAMPLED) !== 0 : undefined;
      // By the id, so that every service on the way decides alike.
      const sampled = decided ?? Number.parseInt(traceId.slice(-8), 16) < ratio * 2 ** 32;
      return sampled ? { traceId, spanId: id(8), parentSpanId } : undefined;
    },
    end(context, { name, started, status, attributes }) {
      if (!context) return;
      exporter.add({
        ...context,
        name,
        kind: "server",
        start: started,
        end: performance.now(),
        attributes: { ...attributes, "http.response.status_code": status },
        failed: status >= 500,
      });
    },
    batch(context, model, { startedAt, queuedMs, size, phases }) {
      if (!context) return;
      const child = (name: string, start: number, ms: number): void =>
        exporter.add({
          traceId: context.traceId,
          parentSpanId: context.spanId,
          spanId: id(8),
          name,
          kind: "internal",
          start,
          end: start + ms,
          attributes: { "emosllm.model": model, "emosllm.batch_size": size },
        });
      child("queue", startedAt - queuedMs, queuedMs);
      let at = startedAt;
      for (const { name, ms } of phases) {
        child(name, at, ms);
        at += ms;
      }
    },
    flush: () => exporter.flush(),
  };
}

/** Samplers by OpenTelemetry's names; the argument is a share of traces. */
const SAMPLERS: Readonly<Record<string, (share: number) => Required<Pick<TraceOptions, "ratio" | "followParent">>>> = {
  always_on: () => ({ ratio: 1, followParent: false }),
  always_off: () => ({ ratio: 0, followParent: false }),
  traceidratio: (ratio) => ({ ratio, followParent: false }),
  parentbased_always_on: () => ({ ratio: 1, followParent: true }),
  parentbased_always_off: () => ({ ratio: 0, followParent: true }),
  parentbased_traceidratio: (ratio) => ({ ratio, followParent: true }),
};

/**
 * What OpenTelemetry's environment variables ask for, or undefined where they name no collector. Throws RangeError for values that are not
 * understood, `grpc` among them: traces leave over HTTP.
 */
export function tracesFromEnv(env: Readonly<Record<string, string | undefined>>): TraceOptions | undefined {
  const get = (name: string): string | undefined => env[`OTEL_${name}`]?.trim() || undefined;
  const either = (name: string): string | undefined =>
    get(`EXPORTER_OTLP_TRACES_${name}`) ?? get(`EXPORTER_OTLP_${name}`);
  const base = get("EXPORTER_OTLP_ENDPOINT");
  const whole = get("EXPORTER_OTLP_TRACES_ENDPOINT");
  const address = whole ?? base;
  if (address === undefined || get("SDK_DISABLED")?.toLowerCase() === "true" || get("TRACES_EXPORTER") === "none")
    return undefined;
  const refuse = (name: string, value: string, accepted: string): never => {
    throw new RangeError(`OTEL_${name}: '${value}' is not ${accepted}`);
  };
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol))
    refuse(`EXPORTER_OTLP_${whole === undefined ? "" : "TRACES_"}ENDPOINT`, address, "an http or https address");
  const protocol = either("PROTOCOL") ?? "http/json";
  // Collectors take both encodings at one address.
  if (!["http/json", "http/protobuf"].includes(protocol))
    refuse("EXPORTER_OTLP_PROTOCOL", protocol, "http/json or http/protobuf");
  const number = (name: string): number | undefined => {
    const text = get(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    return Number.isFinite(value) && value >= 0 ? value : refuse(name, text, "a number of at least 0");
  };
  const name = get("TRACES_SAMPLER") ?? "parentbased_always_on";
  const sampler = Object.hasOwn(SAMPLERS, name) ? SAMPLERS[name] : undefined;
  if (!sampler) return refuse("TRACES_SAMPLER", name, `one of ${Object.keys(SAMPLERS).join(", ")}`);
  const service = get("SERVICE_NAME");
  const timeoutMs = number("EXPORTER_OTLP_TRACES_TIMEOUT") ?? number("EXPORTER_OTLP_TIMEOUT");
  const delayMs = number("BSP_SCHEDULE_DELAY");
  return {
    endpoint: whole ?? `${address.replace(/\/+$/, "")}/v1/traces`,
    headers: pairs(either("HEADERS")),
    resource: { ...pairs(get("RESOURCE_ATTRIBUTES")), ...(service === undefined ? {} : { "service.name": service }) },
    ...sampler(number("TRACES_SAMPLER_ARG") ?? 1),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(delayMs === undefined ? {} : { delayMs }),
  };
}

/** `a=1,b=2` with percent-encoded values, as W3C baggage has them. */
const pairs = (text = ""): Record<string, string> =>
  Object.fromEntries(
    text.split(",").flatMap((pair) => {
      const at = pair.indexOf("=");
      return at > 0 ? [[pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())] as const] : [];
    }),
  );

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
