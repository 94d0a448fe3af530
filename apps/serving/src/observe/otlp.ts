/** @file Spans as OTLP has them in JSON, sent over HTTP in batches (opentelemetry.io/docs/specs/otlp). Nothing waits for the collector. */
import type { ServerEvent } from "../options.ts";

/** A value of an attribute. */
export type Attribute = string | number | boolean;

/** What happened between two times. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  readonly kind: "internal" | "server";
  /** As `performance.now()` gives them. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, Attribute | undefined>>;
  readonly failed?: boolean;
}

/** Where spans go. */
export interface ExporterOptions {
  /** The whole address, e.g. `http://collector:4318/v1/traces`. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of the service, as `service.name`. */
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
  /** Milliseconds that a span waits at most. */
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly onEvent: (event: Extract<ServerEvent, { type: "traces_lost" }>) => void;
}

/** Takes spans. */
export interface Exporter {
  add(span: Span): void;
  /** Sends what waits. Never rejects. */
  flush(): Promise<void>;
}

/** Spans that may wait (more are dropped) and spans in one message, as OpenTelemetry's own batch processor has them. */
const [MOST_WAITING, MOST_SENT] = [2048, 512];
const KINDS = { internal: 1, server: 2 } as const;
const [OK, ERROR] = [0, 2];

const valueOf = (value: Attribute): Record<string, unknown> =>
  typeof value === "string"
    ? { stringValue: value }
    : typeof value === "boolean"
      ? { boolValue: value }
      : Number.isInteger(value)
        ? { intValue: String(value) }
        : { doubleValue: value };

const attributesOf = (attributes: Span["attributes"]): { key: string; value: Record<string, unknown> }[] =>
  Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: valueOf(value) }]));

/** Nanoseconds since 1970, exact: they do not fit a double. */
const unixNano = (ms: number): string => {
  const micros = Math.round((performance.timeOrigin + ms) * 1000);
  return `${micros}000`;
};

const plain = ({ kind, name, start, end, attributes, failed, ...ids }: Span): Record<string, unknown> => ({
  ...ids,
  name,
  kind: KINDS[kind],
  startTimeUnixNano: unixNano(start),
  endTimeUnixNano: unixNano(Math.max(start, end)),
  attributes: attributesOf(attributes),
  status: { code: failed ? ERROR : OK },
});

/** Sends spans to a collector; what it does not take is lost and told once until it takes some again. */
export function createExporter(options: ExporterOptions): Exporter {
  const { endpoint, headers, resource, version, delayMs, timeoutMs, onEvent } = options;
  let waiting: Span[] = [];
  let lost = 0;
  let failing = false;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> = Promise.resolve();

  async function send(spans: readonly Span[]): Promise<void> {
    const scopeSpans = [{ scope: { name: "@emosllm/serving", version }, spans: spans.map(plain) }];
    const body = JSON.stringify({ resourceSpans: [{ resource: { attributes: attributesOf(resource) }, scopeSpans }] });
    try {
      const response = await fetch(endpoint, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(timeoutMs),
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`the collector answered ${response.status}`);
      failing = false;
      if (lost > 0) tellLost("more than could be sent in time");
    } catch (error) {
      lost += spans.length;
      const { cause, message } = error as Error;
      if (!failing) tellLost(cause instanceof Error ? cause.message : message);
      failing = true;
    }
  }

  function tellLost(reason: string): void {
    onEvent({ type: "traces_lost", spans: lost, reason });
    lost = 0;
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const spans = waiting;
    waiting = [];
    for (let at = 0; at < spans.length; at += MOST_SENT) {
      const part = spans.slice(at, at + MOST_SENT);
      sending = sending.then(() => send(part));
    }
    return sending;
  }

  return {
    add(span) {
      if (waiting.length >= MOST_WAITING) return void lost++;
      waiting.push(span);
      // A collector that is slow is not sent more meanwhile than what fits the line.
      if (timer === undefined) {
        timer = setTimeout(() => void sending.then(flush), delayMs);
        timer.unref();
      }
    },
    flush,
  };
}
