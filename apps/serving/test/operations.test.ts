import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ErrorBody,
  type EmotionResult,
  type Listening,
  type Server,
  type ServerEvent,
  apiKey,
  createServer,
  listen,
  parseKeyFile,
  hashKey,
} from "../src/index.ts";
import { hum, randomBundle, removeBundle } from "./bundle.ts";

const KEY = "a-key-for-tests";
const ADMIN = "an-admin-key-for-tests";
let folders: string[];
let server: Server;
let listening: Listening;
const events: ServerEvent[] = [];
beforeAll(async () => {
  folders = await Promise.all([randomBundle(1), randomBundle(2)]);
  server = await createServer({
    bundles: [{ id: "demo", folder: folders[0] as string }],
    processes: 1,
    threads: 1,
    maxQueue: 12,
    maxBatch: 4,
    keys: [
      ...parseKeyFile(`# keys\nalice ${hashKey(KEY)}\n`, "keys.txt"),
      apiKey(ADMIN, { name: "root", admin: true }),
    ],
    corsOrigins: ["https://app.example"],
    onEvent: (event) => events.push(event),
  });
  listening = await listen(server, { port: 0, headersTimeoutMs: 1000, requestTimeoutMs: 2000 });
});
afterAll(async () => {
  await listening.stop();
  await Promise.all(folders.map(removeBundle));
});

const WAV = hum(1.5) as Uint8Array<ArrayBuffer>;
const auth = { authorization: `Bearer ${KEY}` };
const ask = (init: RequestInit = {}, path = "/v1/audio/emotions"): Promise<Response> =>
  fetch(listening.url + path, { method: "POST", body: WAV, headers: auth, ...init });
const code = async (response: Response): Promise<string> => ((await response.json()) as ErrorBody).error.code;
const scores = async (response: Response): Promise<number[]> =>
  ((await response.json()) as EmotionResult).emotions
    .sort((a, b) => (a.label < b.label ? -1 : 1))
    .map((e) => Math.round(1e4 * e.score));

describe("keys and origins", () => {
  test("every inference route needs a key; open ones do not", async () => {
    for (const [method, path] of [
      ["POST", "/v1/audio/emotions"],
      ["GET", "/v1/models"],
      ["GET", "/v1/models/demo"],
      ["GET", "/v2/models/demo"],
      ["POST", "/v2/models/demo/infer"],
      ["POST", "/admin/reload"],
    ] as const) {
      for (const headers of [{}, { authorization: "Bearer wrong-key" }, { authorization: `Basic ${KEY}` }]) {
        const response = await fetch(listening.url + path, { method, headers });
        expect([path, response.status, await code(response)]).toEqual([path, 401, "unauthorized"]);
      }
    }
    for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json", "/v2/health/ready"])
      expect((await fetch(listening.url + path)).status, path).toBe(200);
    expect((await ask()).status).toBe(200);
    expect(await code(await ask({}, "/admin/reload"))).toBe("forbidden");
    expect(
      events.findLast((e) => e.type === "request" && e.status === 200 && e.route.endsWith("emotions")),
    ).toMatchObject({ key: "alice" });
    expect(JSON.stringify(events)).not.toContain(KEY);
  });

  test("pages of an allowed origin may call, others may not", async () => {
    const preflight = (origin: string): Promise<Response> =>
      ask({ method: "OPTIONS", body: null, headers: { origin, "access-control-request-method": "POST" } });
    expect((await preflight("https://app.example")).headers.get("access-control-allow-origin")).toBe(
      "https://app.example",
    );
    expect((await preflight("https://evil.example")).headers.get("access-control-allow-origin")).toBeNull();
    const allowed = await ask({ headers: { ...auth, origin: "https://app.example" } });
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([200, "https://app.example"]);
    expect(await code(await ask({ headers: { ...auth, origin: "null" } }))).toBe("origin_not_allowed");
  });

  test("a key file says where it is wrong", () => {
    expect(() => parseKeyFile("alice abc", "keys.txt")).toThrow(/keys\.txt:1: expected 'name sha256/);
    expect(() => apiKey("short")).toThrow(/5 characters/);
  });
});

describe("under load", () => {
  test("a full queue answers 429 with Retry-After; what was accepted is answered", async () => {
    const responses = await Promise.all(Array.from({ length: 60 }, () => ask()));
    const statuses = new Set(responses.map((r) => r.status));
    expect(statuses).toEqual(new Set([200, 429]));
    for (const r of responses.filter((r) => r.status === 429)) {
      expect(r.headers.get("retry-after")).toBe("1");
      expect(await code(r)).toBe("queue_full");
    }
  });

  test("a caller that goes gives its place back", async () => {
    const gone = Array.from({ length: 10 }, () => {
      const controller = new AbortController();
      const sent = ask({ signal: controller.signal }).catch(() => "gone");
      return { controller, sent };
    });
    await expect.poll(() => server.status.queued, { timeout: 5000, interval: 1 }).toBeGreaterThan(3);
    for (const { controller } of gone) controller.abort();
    await Promise.all(gone.map((g) => g.sent));
    await expect.poll(() => server.status.queued, { timeout: 1000 }).toBe(0);
    expect((await ask()).status).toBe(200);
  });

  test("a process that is killed is replaced, and its requests are answered rightly", async () => {
    const right = await scores(await ask());
    const sent = Array.from({ length: 8 }, () => ask());
    await expect.poll(() => server.status.running, { timeout: 5000, interval: 1 }).toBeGreaterThan(0);
    process.kill(server.status.processes[0]?.pid as number, "SIGKILL");
    const responses = await Promise.all(sent);
    expect(responses.map((r) => r.status)).toEqual(responses.map(() => 200));
    for (const r of responses) expect(await scores(r)).toEqual(right);
    expect(events.some((e) => e.type === "worker_ended" && e.reason.includes("SIGKILL"))).toBe(true);
  });
});

test("bundles are changed without losing a request; one that cannot be loaded changes nothing", async () => {
  const admin = { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" };
  const before = await scores(await ask());
  const trafficEnds = new AbortController();
  const traffic = (async () => {
    const statuses: number[] = [];
    while (!trafficEnds.signal.aborted) statuses.push((await ask()).status);
    return statuses;
  })();
  const bad = await ask({ headers: admin, body: '{"bundles":{"demo":"/nowhere"}}' }, "/admin/reload");
  expect([bad.status, await code(bad)]).toEqual([409, "reload_failed"]);
  expect(await scores(await ask())).toEqual(before);
  const good = await ask({ headers: admin, body: JSON.stringify({ bundles: { demo: folders[1] } }) }, "/admin/reload");
  expect(good.status).toBe(200);
  const after = await scores(await ask());
  trafficEnds.abort();
  expect(new Set(await traffic)).toEqual(new Set([200]));
  expect(after).not.toEqual(before);
});

describe("broken and slow requests", () => {
  const raw = (text: string, hold = false): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(listening.port, "127.0.0.1", () => (hold ? socket.write(text) : socket.end(text)));
      let heard = "";
      socket
        .on("data", (d) => (heard += d))
        .on("close", () => resolve(heard))
        .on("error", () => resolve(heard));
    });

  test.each([
    ["no HTTP", "hello\r\n\r\n", /^HTTP\/1\.1 400 .*invalid_request/s],
    [
      "long headers",
      `GET /healthz HTTP/1.1\r\nhost: x\r\na: ${"b".repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1\.1 413 .*payload_too_large/s,
    ],
    [
      "two lengths",
      "POST /v1/audio/emotions HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
      /^HTTP\/1\.1 400/,
    ],
  ])("%s", async (_, text, expected) => {
    expect(await raw(text)).toMatch(expected);
  });

  test("one that sends its headers, or its body, too slowly is cut off", async () => {
    expect(await raw("GET /healthz HTTP/1.1\r\nhost: x\r\n", true)).toMatch(/^HTTP\/1\.1 408|^$/);
    const slow = `POST /v1/audio/emotions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\ncontent-length: 100\r\n\r\nabc`;
    const heard = await raw(slow, true);
    expect(heard).not.toMatch(/HTTP\/1\.1 (200|5)/);
    expect((await ask()).status).toBe(200);
  });

  test("a body that ends early takes nothing with it", async () => {
    await new Promise<void>((resolve) => {
      const request = httpRequest(listening.url + "/v1/audio/emotions", {
        method: "POST",
        headers: { ...auth, "content-length": 1000 },
      });
      request.on("error", () => resolve());
      request.write("abc", () => setTimeout(() => request.destroy(), 20));
    });
    await sleep(50);
    expect((await ask()).status).toBe(200);
    expect(server.service.budget.held).toBe(0);
  });
});

test("the end: what was accepted is answered, nothing new is taken", async () => {
  const other = await createServer({
    bundles: [{ id: "demo", folder: folders[0] as string }],
    processes: 1,
    threads: 1,
  });
  const socket = await listen(other, { port: 0 });
  const sent = Array.from({ length: 12 }, () =>
    fetch(`${socket.url}/v1/audio/emotions`, { method: "POST", body: WAV }),
  );
  await expect.poll(() => other.status.running, { timeout: 5000, interval: 1 }).toBeGreaterThan(0);
  const stopped = socket.stop();
  const ready = await other.fetch(new Request("http://localhost/readyz"));
  expect(((await ready.json()) as { status: string }).status).toBe("draining");
  expect((await Promise.all(sent)).map((r) => r.status)).toEqual(sent.map(() => 200));
  await stopped;
  await expect(fetch(`${socket.url}/healthz`)).rejects.toThrow("fetch failed");
});

test("a bundle that is not there is refused before anything is served", async () => {
  await rm("/tmp/no-such-bundle", { force: true });
  await expect(createServer({ bundles: [{ id: "x", folder: "/tmp/no-such-bundle" }], processes: 1 })).rejects.toThrow(
    /is no bundle/,
  );
  await expect(createServer({ bundles: [] })).rejects.toThrow(/at least one/);
});
