import { createServer as createHttp } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, ClientError } from "../src/client.ts";
import { fetchAudio, isPrivateAddress } from "../src/http/fetch-audio.ts";
import { type Listening, apiKey, createServer, listen } from "../src/index.ts";
import { rateLimiter } from "../src/security/rate-limit.ts";
import { hum, randomBundle, removeBundle } from "./bundle.ts";

describe("rates", () => {
  test("a bucket empties, says when to come back, and fills again", () => {
    let now = 0;
    const limit = rateLimiter(60, () => now);
    for (let i = 0; i < 60; i++) expect(limit("a")?.allowed).toBe(true);
    expect(limit("a")).toEqual({ allowed: false, limit: 60, remaining: 0, retryAfter: 1 });
    expect(limit("b")?.allowed).toBe(true);
    now += 1000;
    expect(limit("a")?.allowed).toBe(true);
    expect(limit("a")?.allowed).toBe(false);
    expect(rateLimiter(0)("a")).toBeUndefined();
  });

  test("many callers do not fill the memory, and a busy one is not forgotten for them", () => {
    let now = 0;
    const limit = rateLimiter(2, () => now);
    limit("busy");
    limit("busy");
    for (let i = 0; i < 9_990; i++) limit(`caller ${i}`);
    expect(limit("busy")?.allowed).toBe(false);
    now += 600_000;
    for (let i = 0; i < 20_000; i++) limit(`other ${i}`);
    expect(limit("busy")?.allowed).toBe(true);
  });
});

describe("addresses in requests", () => {
  test.each([
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "::ffff:127.0.0.1",
    "2001:db8::1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "not an address",
  ])("%s is private", (address) => {
    expect(isPrivateAddress(address)).toBe(true);
  });
  test.each(["1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"])("%s is public", (address) => {
    expect(isPrivateAddress(address)).toBe(false);
  });

  test("nothing is fetched unless switched on; then not from private addresses, by number or by name, nor too much", async () => {
    const served = createHttp((request, response) => {
      if (request.url === "/moved") response.writeHead(302, { location: "/a.wav" }).end();
      else response.end(Buffer.alloc(5000, 1));
    });
    await new Promise<void>((resolve) => served.listen(0, "127.0.0.1", resolve));
    const { port } = served.address() as AddressInfo;
    const signal = new AbortController().signal;
    const get = (url: string, urls: "none" | "public" | "any", maxBytes = 10_000): Promise<Uint8Array> =>
      fetchAudio(url, { urls, maxBytes, signal });
    const own = `http://127.0.0.1:${port}/a.wav`;
    await expect(get(own, "none")).rejects.toMatchObject({ code: "forbidden" });
    await expect(get(own, "public")).rejects.toMatchObject({ code: "forbidden" });
    await expect(get(`http://localhost:${port}/a.wav`, "public")).rejects.toMatchObject({ code: "forbidden" });
    await expect(get(`http://[::ffff:127.0.0.1]:${port}/`, "public")).rejects.toMatchObject({ code: "forbidden" });
    await expect(get("file:///etc/passwd", "any")).rejects.toMatchObject({ code: "invalid_request" });
    await expect(get(`http://user:word@127.0.0.1:${port}/`, "any")).rejects.toMatchObject({ code: "invalid_request" });
    await expect(get(`http://127.0.0.1:${port}/moved`, "any")).rejects.toMatchObject({ code: "invalid_request" });
    await expect(get(own, "any", 1000)).rejects.toMatchObject({ code: "payload_too_large" });
    expect((await get(own, "any")).length).toBe(5000);
    await new Promise((resolve) => served.close(resolve));
  });
});

describe("the typed client, at a server with keys, rates and a bomb", () => {
  let folder: string;
  let listening: Listening;
  beforeAll(async () => {
    folder = await randomBundle();
    const server = await createServer({
      bundles: [{ id: "demo", folder }],
      processes: 1,
      threads: 1,
      keys: [apiKey("a-key-for-tests"), apiKey("another-key-for-tests")],
      requestsPerMinute: 6,
      limits: { samples: 2 ** 18, seconds: 10 },
    });
    listening = await listen(server, { port: 0 });
  });
  afterAll(async () => {
    await listening.stop();
    await removeBundle(folder);
  });

  test("asks, lists, and throws what it is refused with", async () => {
    const client = createClient({ url: listening.url, apiKey: "a-key-for-tests", retries: 0 });
    expect((await client.ready()).status).toBe("ready");
    expect((await client.models()).map((m) => m.id)).toEqual(["demo"]);
    const { emotions, segments } = await client.emotions(hum(2), { timeline: true, top_k: 3 });
    expect(emotions).toHaveLength(3);
    expect(segments?.length).toBeGreaterThan(0);
    await expect(client.emotions(hum(1), { model: "x" })).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
    });
    await expect(createClient({ url: listening.url }).models()).rejects.toThrow(ClientError);
  });

  test("a small file that holds very much sound is refused before it is decoded", async () => {
    const client = createClient({ url: listening.url, apiKey: "a-key-for-tests", retries: 0 });
    // 8 bits, 16 kHz, 2 MiB: more samples than are decoded.
    const bomb = new Uint8Array(44 + 2 ** 21);
    bomb.set(hum(0.1).subarray(0, 44));
    const view = new DataView(bomb.buffer);
    view.setUint16(34, 8, true);
    view.setUint16(32, 1, true);
    view.setUint32(40, 2 ** 21, true);
    view.setUint32(4, 36 + 2 ** 21, true);
    await expect(client.emotions(bomb)).rejects.toMatchObject({ status: 413, code: "audio_too_long" });
  });

  test("a key's requests are counted on their own", async () => {
    const client = createClient({ url: listening.url, apiKey: "a-key-for-tests", retries: 0 });
    const refused = async (): Promise<ClientError | undefined> => {
      for (let i = 0; i < 8; i++) {
        const error = await client.models().then(
          () => undefined,
          (e: unknown) => e as ClientError,
        );
        if (error) return error;
      }
      return undefined;
    };
    expect(await refused()).toMatchObject({ status: 429, code: "rate_limited" });
    const other = createClient({ url: listening.url, apiKey: "another-key-for-tests", retries: 0 });
    expect(await other.models()).toHaveLength(1);
  });
});
