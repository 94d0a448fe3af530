/** @file OpenAI's own client against the server. */
import OpenAI, { type APIError, AuthenticationError, BadRequestError, NotFoundError, toFile } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadEmoSllm } from "@emosllm/model";
import { type Listening, type Server, apiKey, createServer, listen } from "../src/index.ts";
import { hum, humming, randomBundle, removeBundle } from "./bundle.ts";

const KEY = "a-key-for-tests";
let folders: string[];
let server: Server;
let listening: Listening;
let client: OpenAI;
let expected: Awaited<ReturnType<Awaited<ReturnType<typeof loadEmoSllm>>["generate"]>>;
beforeAll(async () => {
  folders = await Promise.all([randomBundle(1), randomBundle(2)]);
  const model = await loadEmoSllm(folders[0] as string, { threads: 1 });
  const samples = Float32Array.from(humming(1.5), (x) => Math.round(x * 32768) / 32768);
  expected = [
    ...(await model.generate(
      [
        {
          messages: [
            {
              role: "user",
              content: [
                { type: "audio", audio: samples },
                { type: "text", text: "What is said?" },
              ],
            },
          ],
        },
      ],
      { max_new_tokens: 12, logprobs: true, top_logprobs: 2 },
    )),
    ...(await model.generate([{ audio: samples }], { task: "transcription" })),
  ];
  await model.dispose();
  server = await createServer({
    bundles: folders.map((folder, i) => ({ id: i === 0 ? "first" : "second", folder })),
    processes: 1,
    threads: 1,
    keys: [apiKey(KEY)],
  });
  listening = await listen(server, { port: 0 });
  client = new OpenAI({ baseURL: `${listening.url}/v1`, apiKey: KEY, maxRetries: 0 });
});
afterAll(async () => {
  await listening.stop();
  await Promise.all(folders.map(removeBundle));
});

const wav = hum(1.5);
const request = (extra: object = {}) =>
  ({
    model: "first",
    max_completion_tokens: 12,
    messages: [
      {
        role: "user",
        content: [
          { type: "input_audio", input_audio: { data: Buffer.from(wav).toString("base64"), format: "wav" } },
          { type: "text", text: "What is said?" },
        ],
      },
    ],
    ...extra,
  }) as OpenAI.ChatCompletionCreateParamsNonStreaming;

test("models are listed", async () => {
  const ids: string[] = [];
  for await (const model of client.models.list()) ids.push(model.id);
  expect(ids).toEqual(["first", "second"]);
});

test("a chat completion is what the model writes, with usage and log-probabilities", async () => {
  const answer = await client.chat.completions.create(request({ logprobs: true, top_logprobs: 2 }));
  const [choice] = answer.choices;
  const [own] = expected;
  expect(choice?.message.content).toBe(own?.text);
  expect(choice?.finish_reason).toBe(own?.finish_reason);
  expect(answer.usage?.completion_tokens).toBe(own?.ids.length);
  expect(answer.usage?.total_tokens).toBe((answer.usage?.prompt_tokens ?? 0) + (own?.ids.length ?? 0));
  expect(answer.usage?.prompt_tokens).toBeGreaterThan(5);
  const chances = choice?.logprobs?.content ?? [];
  expect(chances).toHaveLength(own?.ids.length ?? 0);
  chances.forEach((c, i) => {
    // f32 sums in another order; the sound went through a file of 16 bits.
    expect(c.logprob).toBeCloseTo(own?.logprobs?.[i]?.logprob as number, 3);
    expect(c.top_logprobs).toHaveLength(2);
  });
  expect(
    chances
      .map((c) => c.token)
      .join("")
      .trimStart()
      .startsWith((own?.text ?? "").trim().slice(0, 5)),
  ).toBe(true);
});

test("streamed, it is the same, piece by piece, with usage at the end", async () => {
  const stream = await client.chat.completions.create({
    ...request(),
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let pieces = 0;
  let usage: OpenAI.CompletionUsage | null | undefined;
  let finish: string | null = null;
  for await (const chunk of stream) {
    const [choice] = chunk.choices;
    if (choice?.delta.content) pieces++;
    text += choice?.delta.content ?? "";
    finish = choice?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  expect(text).toBe(expected[0]?.text);
  expect(finish).toBe(expected[0]?.finish_reason);
  expect(pieces).toBeGreaterThan(1);
  expect(usage?.completion_tokens).toBe(expected[0]?.ids.length);
});

test("a stream that is left stops the model and frees its place", async () => {
  const stream = await client.chat.completions.create({
    ...request({ max_completion_tokens: 1500, stop: null }),
    stream: true,
    temperature: 2,
    seed: 3,
  });
  for await (const _ of stream) break;
  await expect.poll(() => server.status.running, { timeout: 3000 }).toBe(0);
  expect((await client.chat.completions.create(request())).choices).toHaveLength(1);
});

test("sampling follows its seed; stop strings stop; JSON is the scored answer", async () => {
  const drawn = async (seed: number): Promise<string | null | undefined> =>
    (await client.chat.completions.create(request({ temperature: 1.5, seed }))).choices[0]?.message.content;
  const [a, b, c] = [await drawn(1), await drawn(1), await drawn(2)];
  expect(a).toBe(b);
  expect(a).not.toBe(c);
  const word = (expected[0]?.text ?? "").trim().slice(3, 5);
  const stopped = await client.chat.completions.create(request({ stop: [word] }));
  expect(stopped.choices[0]?.message.content).not.toContain(word);
  const scored = await client.chat.completions.create(request({ response_format: { type: "json_object" } }));
  const json = JSON.parse(scored.choices[0]?.message.content ?? "") as { label: string; emotions: { score: number }[] };
  expect(json.emotions).toHaveLength(4);
  expect(json.emotions.reduce((sum, e) => sum + e.score, 0)).toBeCloseTo(1, 5);
});

test("transcriptions: json, text, verbose_json", async () => {
  const file = (): ReturnType<typeof toFile> => toFile(wav, "a.wav");
  const { text } = await client.audio.transcriptions.create({ model: "first", file: await file() });
  expect(text).toBe(expected[1]?.text);
  const plain = await client.audio.transcriptions.create({
    model: "first",
    file: await file(),
    response_format: "text",
  });
  expect(String(plain).trim()).toBe(text.trim());
  const verbose = await client.audio.transcriptions.create({
    model: "first",
    file: await file(),
    response_format: "verbose_json",
    language: "en",
  });
  expect(verbose).toMatchObject({ text, language: "en", segments: [{ id: 0, start: 0 }] });
  expect(Number(verbose.duration)).toBeCloseTo(1.5, 5);
});

test("refusals are the client's own errors", async () => {
  const wrong = new OpenAI({ baseURL: `${listening.url}/v1`, apiKey: "another-key", maxRetries: 0 });
  await expect(wrong.models.list()).rejects.toThrow(AuthenticationError);
  await expect(client.chat.completions.create(request({ model: "third" }))).rejects.toThrow(NotFoundError);
  const refused = async (
    extra: object,
  ): Promise<[number | undefined, string | null | undefined, string | null | undefined]> => {
    const error = await client.chat.completions.create(request(extra)).then(
      () => undefined,
      (e: unknown) => e as APIError,
    );
    return [error?.status as number | undefined, error?.code, error?.param];
  };
  expect(await refused({ messages: [] })).toEqual([400, "invalid_request", "messages"]);
  expect(await refused({ n: 2 })).toEqual([400, "invalid_request", "n"]);
  expect(await refused({ top_logprobs: 2 })).toEqual([400, "invalid_request", "top_logprobs"]);
  expect((await refused({ messages: [{ role: "assistant", content: "hm" }] }))[0]).toBe(400);
  expect(
    (
      await refused({ messages: [{ role: "user", content: [{ type: "input_audio", input_audio: { data: "AAAA" } }] }] })
    )[0],
  ).toBe(415);
  expect(
    (await refused({ messages: [{ role: "user", content: "hm" }], response_format: { type: "json_object" } }))[0],
  ).toBe(422);
  await expect(
    client.audio.transcriptions.create({ model: "first", file: await toFile(wav, "a.wav"), response_format: "srt" }),
  ).rejects.toThrow(BadRequestError);
});
