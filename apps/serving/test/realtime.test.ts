import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type Listening, type Server, apiKey, createServer, listen } from "../src/index.ts";
import { type ServerMessage, serverMessageSchema } from "../src/realtime/messages.ts";
import { CLOSE, REALTIME_PATH, SUBPROTOCOL } from "../src/realtime/sockets.ts";
import { humming, randomBundle, removeBundle } from "./bundle.ts";

const KEY = "a-key-for-tests";
let folder: string;
let server: Server;
let listening: Listening;
beforeAll(async () => {
  folder = await randomBundle();
  server = await createServer({
    bundles: [{ id: "demo", folder }],
    processes: 1,
    threads: 1,
    keys: [apiKey(KEY)],
    corsOrigins: ["https://app.example"],
  });
  listening = await listen(server, { port: 0, realtime: { idleMs: 1500, maxSessions: 3, maxMessageBytes: 70_000 } });
});
afterAll(async () => {
  await listening.stop();
  await removeBundle(folder);
});

interface Client {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[];
  readonly closed: Promise<number>;
  until<T extends ServerMessage["type"]>(type: T): Promise<Extract<ServerMessage, { type: T }>>;
}

async function open(start: object | null = {}): Promise<Client> {
  const socket = new WebSocket(`${listening.url.replace("http", "ws")}${REALTIME_PATH}`, [
    SUBPROTOCOL,
    `bearer.${KEY}`,
  ]);
  const messages: ServerMessage[] = [];
  const waiting = new Set<() => void>();
  socket.on("message", (data) => {
    messages.push(serverMessageSchema.parse(JSON.parse(String(data))));
    for (const wake of waiting) wake();
  });
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  const client: Client = {
    socket,
    messages,
    closed,
    until: (type) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = messages.find((m) => m.type === type);
          if (found) resolve(found as never);
        };
        waiting.add(look);
        look();
      }),
  };
  if (start) {
    socket.send(JSON.stringify({ type: "start", ...start }));
    await client.until("started");
  }
  return client;
}

const pcm = (samples: Float32Array): Buffer =>
  Buffer.from(Int16Array.from(samples, (x) => Math.round(32767 * x)).buffer);

/** Frames of 100 ms, whose borders cut samples in two. */
function* frames(samples: Float32Array): Generator<Buffer> {
  const bytes = pcm(samples);
  for (let at = 0; at < bytes.length; at += 3201) yield bytes.subarray(at, at + 3201);
}

const speech = (seconds: number): Float32Array => {
  const samples = humming(seconds, 3);
  // The detector measures its floor in what is quiet.
  samples.fill(0, 0, 3200);
  return samples;
};

test("as one speaks: windows within a second of enough speech, then segments, then done", async () => {
  const client = await open();
  let enough = 0;
  let sent = 0;
  for (const frame of frames(speech(5))) {
    client.socket.send(frame);
    sent += 0.1;
    // A window of 2 s after 0.2 s of silence, and 0.25 s that a decision waits for.
    if (enough === 0 && sent >= 2.5) enough = performance.now();
    await sleep(20);
  }
  const first = await client.until("window");
  expect(first.end - first.start).toBeCloseTo(2, 1);
  client.socket.send('{"type":"stop"}');
  const done = await client.until("done");
  expect(done.audio_seconds).toBeCloseTo(5, 5);
  expect(await client.closed).toBe(CLOSE.done);
  const windows = client.messages.filter((m) => m.type === "window");
  expect(windows.length).toBeGreaterThan(4);
  for (const w of windows) expect(w.emotions.reduce((sum, e) => sum + e.score, 0)).toBeCloseTo(1, 5);
  const segments = client.messages.filter((m) => m.type === "segment");
  expect(segments.length).toBeGreaterThan(0);
  const numbers = client.messages.flatMap((m) => ("seq" in m ? [m.seq] : []));
  expect(numbers).toEqual(numbers.map((_, i) => i + 1));
});

test("the first answer comes within a second of enough speech", async () => {
  const client = await open();
  const all = [...frames(speech(2.5))];
  for (const frame of all) client.socket.send(frame);
  const enough = performance.now();
  await client.until("window");
  expect(performance.now() - enough).toBeLessThan(1000);
  client.socket.close(1000);
});

test("a socket that breaks is taken up where it was, and nothing is said twice or lost", async () => {
  const whole = await open();
  const all = [...frames(speech(5))];
  for (const frame of all) whole.socket.send(frame);
  whole.socket.send('{"type":"stop"}');
  await whole.until("done");

  const first = await open();
  const { session } = await first.until("started");
  for (const frame of all.slice(0, 28)) first.socket.send(frame);
  await first.until("window");
  const heard = first.messages.filter((m) => "seq" in m);
  first.socket.terminate();
  await first.closed;
  await sleep(100);
  const second = await open({ resume: { session, last: heard.length } });
  const started = await second.until("started");
  expect(started.session).toBe(session);
  const rest = pcm(speech(5)).subarray(2 * started.received_samples);
  // One odd byte may have stayed with the server: frames of 3201 bytes.
  const odd = (28 * 3201) % 2;
  for (let at = odd; at < rest.length; at += 3200) second.socket.send(rest.subarray(at, at + 3200));
  second.socket.send('{"type":"stop"}');
  await second.until("done");
  const joined = [...heard, ...second.messages.filter((m) => "seq" in m)];
  const comparable = (messages: readonly ServerMessage[]): unknown =>
    messages.flatMap((m) =>
      "seq" in m
        ? [JSON.parse(JSON.stringify(m, (k, v) => (k === "score" ? Math.round(1e4 * v) : (v as unknown))))]
        : [],
    );
  expect(comparable(joined)).toEqual(comparable(whole.messages));
});

test("other rates and floats are taken", async () => {
  const client = await open({ sample_rate: 48_000, encoding: "pcm_f32le", window: 1 });
  const samples = speech(3);
  const tripled = Float32Array.from({ length: 3 * samples.length }, (_, i) => samples[Math.floor(i / 3)] as number);
  for (let at = 0; at < tripled.length; at += 12_000)
    client.socket.send(Buffer.from(tripled.slice(at, at + 12_000).buffer));
  client.socket.send('{"type":"stop"}');
  expect((await client.until("done")).audio_seconds).toBeCloseTo(3, 5);
  expect(client.messages.some((m) => m.type === "window")).toBe(true);
});

test("what is refused: silence, wrong messages, too many sessions, too large frames, wrong keys and origins", async () => {
  const idle = await open();
  expect(await idle.closed).toBe(CLOSE.idle);

  for (const bad of ["{", '{"type":"start","sample_rate":1}', '{"type":"stop"}', '{"type":"start","model":"x"}']) {
    const client = await open(null);
    client.socket.send(bad);
    const { error } = await client.until("error");
    expect(["invalid_request", "model_not_found"]).toContain(error.code);
    expect(await client.closed).toBe(CLOSE.refused);
  }
  const large = await open();
  large.socket.send(Buffer.alloc(70_001));
  expect(await large.closed).toBe(1009);
  const floats = await open({ encoding: "pcm_f32le" });
  floats.socket.send(Buffer.from(Float32Array.of(Number.NaN).buffer));
  expect((await floats.until("error")).error.code).toBe("invalid_request");

  const sockets = await Promise.all([0, 1].map(() => open()));
  const more = await open(null);
  more.socket.send('{"type":"start"}');
  // One more than fits (`large` waits to be taken up again).
  expect((await more.until("error")).error.code).toBe("queue_full");
  for (const { socket } of sockets) socket.close(1000);

  const refused = (protocols: string[], headers: Record<string, string> = {}, path = REALTIME_PATH): Promise<number> =>
    new Promise((resolve) => {
      new WebSocket(`${listening.url.replace("http", "ws")}${path}`, protocols, { headers })
        .on("unexpected-response", (_, response) => resolve(response.statusCode ?? 0))
        .on("open", () => resolve(101))
        .on("error", () => undefined);
    });
  expect(await refused([SUBPROTOCOL])).toBe(401);
  expect(await refused([SUBPROTOCOL, "bearer.wrong"])).toBe(401);
  expect(await refused([SUBPROTOCOL, `bearer.${KEY}`], { origin: "https://evil.example" })).toBe(403);
  expect(await refused([SUBPROTOCOL, `bearer.${KEY}`], {}, "/v1/nothing")).toBe(404);
});
