import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeWav, loadSpeech } from "@emosllm/audio-features";
import { type TimelineSegment, emotionTimeline, loadEmoSllm } from "@emosllm/model";
import { type ErrorBody, type EmotionResult, type Server, type ServerEvent, createServer } from "../src/index.ts";
import { emotionResultSchema, inferResponseSchema, modelListSchema } from "../src/schemas.ts";
import { hum, humming, randomBundle, removeBundle } from "./bundle.ts";

let folders: string[];
let server: Server;
const events: ServerEvent[] = [];
beforeAll(async () => {
  folders = await Promise.all([randomBundle(1), randomBundle(2)]);
  server = await createServer({
    bundles: folders.map((folder, i) => ({ id: i === 0 ? "first" : "second", folder })),
    processes: 2,
    threads: 1,
    onEvent: (event) => events.push(event),
    limits: { seconds: 20, bodyBytes: 2 ** 20, samples: 2 ** 21 },
  });
});
afterAll(async () => {
  await server.close();
  await Promise.all(folders.map(removeBundle));
});

const at = (path: string): string => `http://localhost${path}`;
const post = (
  path: string,
  body: RequestInit["body"] | null,
  headers: Record<string, string> = {},
): Promise<Response> => server.fetch(new Request(at(path), { method: "POST", body: body ?? null, headers }));
const get = (path: string): Promise<Response> => server.fetch(new Request(at(path)));
const answer = async (response: Response): Promise<EmotionResult> => {
  const body: unknown = await response.json();
  expect(response.status, JSON.stringify(body)).toBe(200);
  return emotionResultSchema.parse(body);
};
const refusal = async (response: Response): Promise<[number, string, string | null]> => {
  const { error } = (await response.json()) as ErrorBody;
  expect(error.request_id).toBe(response.headers.get("x-request-id"));
  return [response.status, error.code, error.param];
};
const wav = (seconds = 1.5, seed = 1): Uint8Array<ArrayBuffer> => hum(seconds, seed) as Uint8Array<ArrayBuffer>;

describe("POST /v1/audio/emotions", () => {
  test("answers as the model itself does, whatever form the request has", async () => {
    const model = await loadEmoSllm(folders[0] as string, { threads: 1 });
    const direct = await model.score([{ audio: humming(1.5), transcript: "Well, then." }]);
    await model.dispose();
    const form = new FormData();
    form.set("file", new Blob([wav()]), "a.wav");
    form.set("transcript", "Well, then.");
    const forms = [
      await post("/v1/audio/emotions?transcript=Well,%20then.", wav(), { "content-type": "audio/wav" }),
      await post("/v1/audio/emotions", form),
      await post(
        "/v1/audio/emotions",
        JSON.stringify({ audio: Buffer.from(wav()).toString("base64"), transcript: "Well, then.", model: "first" }),
        { "content-type": "application/json" },
      ),
    ];
    for (const response of forms) {
      const { emotions, label, model: id, usage, voice, timing, abstained } = await answer(response);
      expect(id).toBe("first");
      expect(abstained).toBe(label === null);
      expect(usage.audio_seconds).toBeCloseTo(1.5, 6);
      expect(voice?.text).toMatch(/voice|pitch/i);
      expect(timing.total_ms).toBeGreaterThan(0);
      expect(label).toBe(direct[0]?.label);
      // The file holds 16-bit samples, the direct call floats.
      for (const { label: name, score } of emotions)
        expect(score).toBeCloseTo(direct[0]?.probabilities[name] as number, 3);
      expect(emotions.map((e) => e.score)).toEqual(emotions.map((e) => e.score).sort((a, b) => b - a));
    }
  });

  test("models answer by their own weights, chosen by name", async () => {
    const [a, b] = await Promise.all(
      ["first", "second"].map(async (m) => answer(await post(`/v1/audio/emotions?model=${m}`, wav()))),
    );
    expect(a?.emotions).not.toEqual(b?.emotions);
  });

  test("an answer does not depend on who else asks", async () => {
    const clips = Array.from({ length: 12 }, (_, i) => wav(0.6 + 0.3 * i, i));
    const alone: EmotionResult[] = [];
    for (const clip of clips) alone.push(await answer(await post("/v1/audio/emotions", clip)));
    const together = await Promise.all(clips.map(async (clip) => answer(await post("/v1/audio/emotions", clip))));
    expect(Math.max(...together.map((t) => t.timing.batch_size))).toBeGreaterThan(1);
    together.forEach((t, i) => {
      for (const { label, score } of t.emotions)
        // f32 sums in another order
        expect(score).toBeCloseTo(alone[i]?.emotions.find((e) => e.label === label)?.score as number, 5);
    });
  });

  test("one that cannot be judged does not touch its neighbours", async () => {
    const bodies = [wav(1), wav(0.1), new Uint8Array(5000), wav(1, 3), wav(1).slice(0, 30)];
    const responses = await Promise.all(bodies.map((b) => post("/v1/audio/emotions", b)));
    expect(responses.map((r) => r.status)).toEqual([200, 400, 415, 200, 400]);
  });

  test("over time: segments within the recording, in order, as the model itself finds them", async () => {
    const samples = humming(14, 5);
    samples.fill(0, 6 * 16_000, 7.5 * 16_000);
    const file = encodeWav({ samples: [samples], sampleRate: 16_000 }) as Uint8Array<ArrayBuffer>;
    const { segments = [], usage, emotions } = await answer(await post("/v1/audio/emotions?timeline=true", file));
    const model = await loadEmoSllm(folders[0] as string, { threads: 1 });
    const direct: TimelineSegment[] = [];
    for await (const s of emotionTimeline(
      model,
      (async function* () {
        yield await loadSpeech(file);
      })(),
    ))
      direct.push(s);
    await model.dispose();
    expect(usage.audio_seconds).toBe(14);
    expect(segments.map(({ start, end, label }) => ({ start, end, label }))).toEqual(
      direct.map(({ start, end, label }) => ({ start, end, label })),
    );
    expect(segments.length).toBeGreaterThan(1);
    expect(emotions.reduce((sum, e) => sum + e.score, 0)).toBeCloseTo(1, 5);
    expect(await refusal(await post("/v1/audio/emotions?timeline=1", silent()))).toEqual([400, "audio_empty", null]);
  });

  test("voice and top_k", async () => {
    expect((await answer(await post("/v1/audio/emotions?voice=none&top_k=2", wav()))).voice).toBeNull();
    const full = await answer(await post("/v1/audio/emotions?voice=full&top_k=2", wav(2)));
    expect(full.emotions).toHaveLength(2);
    expect(full.voice?.text).toMatch(/rate/);
  });
});

describe("what is refused, with which code", () => {
  test.each([
    ["no body", () => post("/v1/audio/emotions", null), [400, "audio_empty", null]],
    ["no sound", () => post("/v1/audio/emotions", new Uint8Array(4000)), [415, "audio_unsupported", null]],
    ["silence", () => post("/v1/audio/emotions", silent()), [400, "audio_empty", null]],
    ["too long", () => post("/v1/audio/emotions", wav(21)), [413, "audio_too_long", null]],
    ["a model that is not there", () => post("/v1/audio/emotions?model=x", wav()), [404, "model_not_found", "model"]],
    ["a misspelt option", () => post("/v1/audio/emotions?modle=x", wav()), [400, "invalid_request", null]],
    ["a wrong value", () => post("/v1/audio/emotions?voice=loud", wav()), [400, "invalid_request", "voice"]],
    [
      "a type",
      () => post("/v1/audio/emotions", "x", { "content-type": "text/plain" }),
      [415, "unsupported_media_type", null],
    ],
    [
      "a broken form",
      () => post("/v1/audio/emotions", "x", { "content-type": "multipart/form-data; boundary=y" }),
      [400, "invalid_request", null],
    ],
    [
      "no JSON",
      () => post("/v1/audio/emotions", "{", { "content-type": "application/json" }),
      [400, "invalid_request", null],
    ],
    [
      "deep JSON",
      () => post("/v1/audio/emotions", "[".repeat(2000), { "content-type": "application/json" }),
      [400, "invalid_request", null],
    ],
    [
      "no base64",
      () => post("/v1/audio/emotions", '{"audio":"%%"}', { "content-type": "application/json" }),
      [400, "invalid_request", "audio"],
    ],
    [
      "an address",
      () => post("/v1/audio/emotions", '{"url":"http://127.0.0.1/"}', { "content-type": "application/json" }),
      [403, "forbidden", "url"],
    ],
    ["a large body", () => post("/v1/audio/emotions", new Uint8Array(2 ** 20 + 1)), [413, "payload_too_large", null]],
    [
      "a compressed body",
      () => post("/v1/audio/emotions", "x", { "content-encoding": "gzip" }),
      [415, "unsupported_media_type", null],
    ],
    [
      "another site's page",
      () => post("/v1/audio/emotions", wav(), { origin: "https://evil.example" }),
      [403, "origin_not_allowed", null],
    ],
    ["a wrong method", () => get("/v1/audio/emotions"), [405, "method_not_allowed", null]],
    ["no route", () => get("/v1/nothing"), [404, "not_found", null]],
    ["administration without a key", () => post("/admin/reload", null), [403, "forbidden", null]],
  ] as const)("%s", async (_, send, expected) => {
    expect(await refusal(await send())).toEqual(expected);
  });
});

function silent(): Uint8Array<ArrayBuffer> {
  const file = wav(1);
  file.fill(0, 44);
  return file;
}

describe("the other routes", () => {
  test("models, health, readiness", async () => {
    const { data } = modelListSchema.parse(await (await get("/v1/models")).json());
    expect(data.map((m) => m.id)).toEqual(["first", "second"]);
    expect(((await (await get("/v1/models/second")).json()) as { labels: string[] }).labels).toHaveLength(4);
    for (const path of ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/v2/models/first/ready", "/v2"])
      expect((await get(path)).status, path).toBe(200);
  });

  test("KServe V2 infers several sounds in one request", async () => {
    const data = [wav(1, 1), wav(1.2, 2)].map((b) => Buffer.from(b).toString("base64"));
    const response = await post(
      "/v2/models/first/infer",
      JSON.stringify({ id: "42", inputs: [{ name: "audio", datatype: "BYTES", shape: [2], data }] }),
      { "content-type": "application/json" },
    );
    const { id, outputs } = inferResponseSchema.parse(await response.json());
    const single = await answer(await post("/v1/audio/emotions", wav(1, 1)));
    const by = new Map(outputs.map((o) => [o.name, o]));
    expect(id).toBe("42");
    expect(by.get("probabilities")?.shape).toEqual([2, 4]);
    const labels = by.get("labels")?.data as string[];
    labels.forEach((label, k) =>
      expect(by.get("probabilities")?.data[k]).toBeCloseTo(
        single.emotions.find((e) => e.label === label)?.score as number,
        5,
      ),
    );
    const metadata = (await (await get("/v2/models/first")).json()) as { inputs: unknown[] };
    expect(metadata.inputs).toHaveLength(2);
    expect(
      await refusal(
        await post(
          "/v2/models/first/infer",
          '{"inputs":[{"name":"audio","datatype":"BYTES","shape":[3],"data":["aa"]}]}',
        ),
      ),
    ).toEqual([400, "invalid_request", "inputs"]);
  });

  test("metrics count what was served", async () => {
    await answer(await post("/v1/audio/emotions", wav(2)));
    const text = await (await get("/metrics")).text();
    expect(text).toMatch(/emosllm_requests_total\{route="\/v1\/audio\/emotions",method="POST",status="200"\} [1-9]/);
    expect(text).toMatch(/emosllm_audio_seconds_total\{model="first"\} [1-9]/);
    expect(text).toMatch(/emosllm_workers_ready 2/);
    for (const name of [
      "emosllm_queue_depth",
      "emosllm_batch_size_bucket",
      "emosllm_real_time_factor_count",
      "emosllm_workers_resident_bytes",
      "process_resident_memory_bytes",
    ])
      expect(text).toContain(name);
  });

  test("openapi.json names every route that answers, with schemas that the answers fit", async () => {
    const description = (await (await get("/openapi.json")).json()) as {
      openapi: string;
      paths: Record<string, Record<string, object>>;
    };
    expect(description.openapi).toBe("3.0.3");
    expect(Object.keys(description.paths)).toEqual(
      expect.arrayContaining([
        "/v1/audio/emotions",
        "/v1/models/{model}",
        "/v2/models/{model}/infer",
        "/metrics",
        "/docs",
      ]),
    );
    const docs = await get("/docs");
    expect(docs.headers.get("content-type")).toMatch(/text\/html/);
    expect(await docs.text()).not.toMatch(/(src|href)="https?:/);
  });

  test("every answer carries its id and the security headers; logs hold neither sound nor words", async () => {
    const response = await post("/v1/audio/emotions?transcript=mysecretwords", wav(), { "x-request-id": "my-id" });
    expect(response.headers.get("x-request-id")).toBe("my-id");
    expect(response.headers.get("content-security-policy")).toMatch(/default-src 'none'/);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    const event = events.find((e) => e.type === "request" && e.id === "my-id");
    expect(event).toMatchObject({ route: "/v1/audio/emotions", status: 200, model: "first", audioSeconds: 1.5 });
    expect(JSON.stringify(events)).not.toContain("mysecretwords");
  });
});
