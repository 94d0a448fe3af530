import { type Server as HttpServer, createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Server, type ServerEvent, createServer, tracesFromEnv } from "../src/index.ts";
import { hum, randomBundle, removeBundle } from "./bundle.ts";

/** OTLP in JSON, as far as it is read here. */
interface Sent {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { scope: { name: string }; spans: OtlpSpan[] }[];
  }[];
}
interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Record<string, unknown> }[];
  status: { code: number };
}

const received: { path: string; auth: string | undefined; type: string | undefined; text: string }[] = [];
let collectorStatus = 200;
let collector: HttpServer;
let folder: string;
let server: Server;
const events: ServerEvent[] = [];
beforeAll(async () => {
  collector = createHttpServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const { authorization: auth, "content-type": type } = request.headers;
      received.push({ path: request.url ?? "", auth, type, text: Buffer.concat(parts).toString() });
      response.writeHead(collectorStatus, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  folder = await randomBundle(1);
  const { port } = collector.address() as AddressInfo;
  server = await createServer({
    bundles: [{ id: "demo", folder }],
    processes: 1,
    threads: 1,
    onEvent: (event) => events.push(event),
    traces: tracesFromEnv({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/`,
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20secret",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,service.name=other",
      OTEL_SERVICE_NAME: "speech",
    }),
  });
});
afterAll(async () => {
  await server.close();
  await new Promise((resolve) => collector.close(resolve));
  await removeBundle(folder);
});

const WORDS = "zebra xylophone";
const ask = (headers: Record<string, string> = {}, body = hum(1.5), query = ""): Promise<Response> =>
  server.fetch(
    new Request(`http://localhost/v1/audio/emotions?transcript=${encodeURIComponent(WORDS)}${query}`, {
      method: "POST",
      body: body as Uint8Array<ArrayBuffer>,
      headers,
    }),
  );
async function spansOf(act: () => Promise<unknown>): Promise<OtlpSpan[]> {
  received.length = 0;
  await act();
  await server.service.traces.flush();
  return received.flatMap(({ text }) =>
    (JSON.parse(text) as Sent).resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans)),
  );
}
const attributes = ({ attributes: list }: OtlpSpan): Record<string, unknown> =>
  Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));

describe("traces", () => {
  test("a request and its parts arrive at a collector, under the caller's trace, without sound or words", async () => {
    const [trace, parent] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
    const before = BigInt(Date.now()) * 1_000_000n;
    const spans = await spansOf(() => ask({ traceparent: `00-${trace}-${parent}-01`, "x-request-id": "r-1" }));
    const after = BigInt(Date.now() + 1) * 1_000_000n;
    const [sent] = received;
    expect([sent?.path, sent?.auth, sent?.type]).toEqual(["/v1/traces", "Bearer secret", "application/json"]);
    const { resource } = (JSON.parse(sent?.text ?? "") as Sent).resourceSpans[0]!;
    expect(Object.fromEntries(resource.attributes.map(({ key, value }) => [key, value.stringValue]))).toEqual({
      "service.name": "speech",
      "deployment.environment.name": "test",
    });
    expect(sent?.text).not.toMatch(/zebra|xylophone/);

    const root = spans.find((s) => s.kind === 2)!;
    expect(root).toMatchObject({
      traceId: trace,
      parentSpanId: parent,
      name: "POST /v1/audio/emotions",
      status: { code: 0 },
    });
    expect(attributes(root)).toEqual({
      "http.request.method": "POST",
      "http.route": "/v1/audio/emotions",
      "http.response.status_code": "200",
      "emosllm.request_id": "r-1",
      "emosllm.model": "demo",
      "emosllm.audio_seconds": 1.5,
      "emosllm.batch_size": "1",
    });
    const parts = spans.filter((s) => s !== root);
    expect(parts.map((s) => s.name)).toEqual(["queue", "decode", "encode", "score", "voice"]);
    const [start, end] = [BigInt(root.startTimeUnixNano), BigInt(root.endTimeUnixNano)];
    // A clock that is set while the process runs moves `Date.now()`, not these.
    const slack = 50_000_000n;
    expect(start >= before - slack && end <= after + slack).toBe(true);
    let at = start;
    for (const part of parts) {
      expect([part.traceId, part.parentSpanId]).toEqual([trace, root.spanId]);
      expect(BigInt(part.startTimeUnixNano) >= at && BigInt(part.endTimeUnixNano) <= end, part.name).toBe(true);
      // Microseconds are rounded each on their own.
      at = BigInt(part.endTimeUnixNano) - 1000n;
    }
    expect(new Set(spans.map((s) => s.spanId)).size).toBe(spans.length);
    expect(events.findLast((e) => e.type === "request")).toMatchObject({ id: "r-1", trace });
  });

  test("a caller that does not record is followed; a traceparent that is none gets a trace of its own", async () => {
    const trace = "1".repeat(32);
    expect(await spansOf(() => ask({ traceparent: `00-${trace}-${"2".repeat(16)}-00` }))).toEqual([]);
    for (const bad of ["", "x", `00-${"0".repeat(32)}-${"2".repeat(16)}-01`, `ff-${trace}-${"2".repeat(16)}-01`]) {
      const [root] = (await spansOf(() => ask({ traceparent: bad }))).filter((s) => s.kind === 2);
      expect(root?.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect([trace, "0".repeat(32)]).not.toContain(root?.traceId);
      expect(root?.parentSpanId).toBeUndefined();
    }
  });

  test("refusals say their code; probes are not traced", async () => {
    const [root, ...rest] = await spansOf(async () => {
      expect((await ask({}, new Uint8Array(100))).status).toBe(415);
      await server.fetch(new Request("http://localhost/healthz"));
    });
    expect(attributes(root!)).toMatchObject({
      "error.type": expect.stringMatching(/^\w+$/),
      "http.response.status_code": "415",
    });
    expect(rest).toEqual([]);
    const timeline = await spansOf(() => ask({}, hum(3), "&timeline=true"));
    expect(timeline.map((s) => s.name)).toEqual(
      expect.arrayContaining(["queue", "decode", "timeline", "POST /v1/audio/emotions"]),
    );
  });

  test("a collector that fails costs no answer and is told of once", async () => {
    collectorStatus = 503;
    for (let i = 0; i < 2; i++) await spansOf(async () => expect((await ask()).status).toBe(200));
    collectorStatus = 200;
    expect(events.filter((e) => e.type === "traces_lost")).toMatchObject([{ reason: "the collector answered 503" }]);
  });
});

test("OpenTelemetry's variables are read, and refused by name where they are not understood", () => {
  expect(tracesFromEnv({})).toBeUndefined();
  const at = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" };
  expect(tracesFromEnv({ ...at, OTEL_SDK_DISABLED: "true" })).toBeUndefined();
  expect(tracesFromEnv(at)).toMatchObject({ endpoint: "http://c:4318/v1/traces", ratio: 1, followParent: true });
  expect(
    tracesFromEnv({
      ...at,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://d/x",
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
      OTEL_BSP_SCHEDULE_DELAY: "100",
    }),
  ).toMatchObject({ endpoint: "https://d/x", ratio: 0.25, followParent: false, delayMs: 100 });
  for (const [name, value] of [
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
    ["OTEL_TRACES_SAMPLER", "toString"],
    ["OTEL_TRACES_SAMPLER_ARG", "half"],
  ] as const)
    expect(() => tracesFromEnv({ ...at, [name]: value }), name).toThrow(new RegExp(`${name}: '${value}'`));
});
