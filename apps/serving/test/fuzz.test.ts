/** @file Anything at all, at every route: never a 500. EMOSLLM_FULL=1 runs the 10,000 of the promise. */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Server, type ServerEvent, createServer } from "../src/index.ts";
import { errorSchema } from "../src/schemas.ts";
import { hum, randomBundle, removeBundle } from "./bundle.ts";

const RUNS = process.env["EMOSLLM_FULL"] ? 10_000 : 500;

let folder: string;
let server: Server;
let paths: string[];
const failures: ServerEvent[] = [];
beforeAll(async () => {
  folder = await randomBundle();
  server = await createServer({
    bundles: [{ id: "demo", folder }],
    processes: 2,
    threads: 1,
    limits: { bodyBytes: 2 ** 18, seconds: 5, timelineSeconds: 8 },
    onEvent: (event) => void (["error", "worker_ended"].includes(event.type) && failures.push(event)),
  });
  const description = (await (await server.fetch(new Request("http://localhost/openapi.json"))).json()) as {
    paths: object;
  };
  paths = Object.keys(description.paths).filter((p) => p !== "/admin/reload");
});
afterAll(async () => {
  await server.close();
  await removeBundle(folder);
});

const WAV = hum(0.6);
const BASE64 = Buffer.from(WAV).toString("base64");
const damaged = fc
  .record({ cut: fc.nat(WAV.length), at: fc.array(fc.nat(WAV.length - 1), { maxLength: 8 }), byte: fc.nat(255) })
  .map(({ cut, at, byte }) => {
    const bytes = WAV.slice();
    for (const i of at) bytes[i] = byte;
    // Header bytes matter most: half of the damage goes there.
    for (const i of at.slice(0, 4)) bytes[i % 44] = byte;
    return bytes.slice(0, WAV.length - (cut % 2 === 0 ? 0 : cut));
  });
const words = fc.oneof(
  fc.string(),
  fc.constantFrom("demo", "true", "quick", "full", "text", "verbose_json", "srt", "", "0", "-1", "1e9", "null"),
);
const names = fc.constantFrom(
  "model",
  "voice",
  "timeline",
  "top_k",
  "transcript",
  "file",
  "audio",
  "url",
  "response_format",
  "stream",
  "temperature",
  "prompt",
  "x",
);
const message = fc.record({
  role: fc.oneof(fc.constantFrom("user", "system", "assistant"), words),
  content: fc.oneof(
    words,
    fc.array(
      fc.oneof(
        fc.record({ type: fc.constant("text"), text: words }),
        fc.record({
          type: fc.constant("input_audio"),
          input_audio: fc.record({
            data: fc.constantFrom(BASE64, "AAAA", "%"),
            format: fc.constantFrom("wav", "mp3", "x"),
          }),
        }),
        fc.anything(),
      ),
      { maxLength: 3 },
    ),
  ),
});
const object = fc.oneof(
  fc.dictionary(names, fc.oneof(words, fc.boolean(), fc.integer(), fc.double(), fc.constant(BASE64), fc.anything())),
  fc.record({
    inputs: fc.array(
      fc.record({
        name: fc.constantFrom("audio", "transcript", "x"),
        datatype: fc.constantFrom("BYTES", "FP32"),
        shape: fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 2 }),
        data: fc.array(fc.oneof(fc.constant(BASE64), words, fc.integer()), { maxLength: 3 }),
      }),
      { maxLength: 3 },
    ),
  }),
  fc.record(
    {
      model: fc.constantFrom("demo", "x"),
      messages: fc.array(message, { maxLength: 3 }),
      max_tokens: fc.oneof(fc.constantFrom(1, 4, 0, -1, 1e9), fc.double()),
      stream: fc.boolean(),
      logprobs: fc.boolean(),
      temperature: fc.double(),
      response_format: fc.anything(),
    },
    { requiredKeys: ["messages"] },
  ),
  fc.anything(),
);
const asJson = object.map((value) => ({
  type: "application/json",
  body: Buffer.from(JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? Number(v) : v)) ?? "null"),
}));
const asForm = fc.dictionary(names, fc.oneof(words, damaged)).map((fields) => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") form.set(name, value);
    else form.set(name, new Blob([value as Uint8Array<ArrayBuffer>]), "a.wav");
  }
  return { type: undefined, body: form };
});
const asBytes = fc.record({
  type: fc.constantFrom(
    "audio/wav",
    "application/octet-stream",
    "application/json",
    "multipart/form-data; boundary=x",
    "text/plain",
    "",
  ),
  body: fc.oneof(damaged, fc.uint8Array({ maxLength: 300 }), fc.constant(WAV)),
});
const call = fc.record({
  path: fc.nat(1000),
  parameter: fc.oneof(
    fc.constantFrom("demo", "..", "%2e%2e%2fpackage.json", "style.css", "%00"),
    fc.string().map(encodeURIComponent),
  ),
  method: fc.constantFrom("GET", "POST", "POST", "POST", "PUT", "OPTIONS", "HEAD", "DELETE"),
  query: fc.dictionary(names, words, { maxKeys: 3 }),
  sent: fc.oneof(asJson, asForm, asBytes),
  id: fc.option(fc.string({ unit: "grapheme-ascii", maxLength: 150 })),
});

test(
  `${RUNS} requests: every refusal has its shape, none is a 500, no process ends`,
  { timeout: 900_000 },
  async () => {
    const seen = new Map<number, number>();
    let at = 0;
    await fc.assert(
      fc.asyncProperty(call, async ({ path, parameter, method, query, sent, id }) => {
        // Every route in turn, whatever is generated.
        const template = paths[(path + at++) % paths.length] as string;
        const url = new URL(`http://localhost${template.replace(/\{\w+\}/, parameter)}`);
        for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
        const headers = new Headers(sent.type === undefined ? {} : { "content-type": sent.type });
        if (id !== null) {
          try {
            headers.set("x-request-id", id);
          } catch {
            // Not every string is a header line; those never arrive.
          }
        }
        const body = method === "GET" || method === "HEAD" ? null : (sent.body as RequestInit["body"]);
        const response = await server.fetch(new Request(url, { method, headers, body: body ?? null }));
        seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
        const text = await response.text();
        expect(response.status, text).not.toBe(500);
        if (response.status >= 400 && method !== "HEAD" && !url.pathname.endsWith("ready"))
          errorSchema.parse(JSON.parse(text));
      }),
      { numRuns: RUNS, seed: 20_260, endOnFailure: true },
    );
    expect(failures).toEqual([]);
    // It reached what it was to reach.
    for (const status of [200, 400, 404, 405, 415]) expect(seen.get(status) ?? 0, String(status)).toBeGreaterThan(0);
  },
);
