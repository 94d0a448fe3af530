import { rename } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadEmoSllm } from "@emosllm/model";
import { type EmotionResult, type Server, createServer } from "../src/index.ts";
import { modelListSchema } from "../src/schemas.ts";
import { hum, humming, randomBundle, removeBundle } from "./bundle.ts";

let folders: string[];
let server: Server;
beforeAll(async () => {
  folders = await Promise.all([randomBundle(1), randomBundle(2), randomBundle(3)]);
  server = await createServer({
    bundles: [{ id: "demo", folder: folders[0] as string, adapters: { calm: adapter(1) } }],
    processes: 1,
    threads: 1,
  });
});
afterAll(async () => {
  await server.close();
  await Promise.all(folders.map(removeBundle));
});

const adapter = (i: number): string => join(folders[i] as string, "adapter");
const ask = async (model: string): Promise<Record<string, number>> => {
  const request = new Request(`http://localhost/v1/audio/emotions?model=${model}`, {
    method: "POST",
    body: hum(1.5) as Uint8Array<ArrayBuffer>,
  });
  const response = await server.fetch(request);
  const body = (await response.json()) as EmotionResult;
  expect(response.status, JSON.stringify(body)).toBe(200);
  expect(body.model).toBe(model);
  return Object.fromEntries(body.emotions.map(({ label, score }) => [label, score]));
};

test("adapters are models of their own on one shared base, and are swapped while it serves", async () => {
  const { data } = modelListSchema.parse(await (await server.fetch(new Request("http://localhost/v1/models"))).json());
  expect(data.map(({ id, parent }) => [id, parent])).toEqual([
    ["demo", null],
    ["calm", "demo"],
  ]);
  expect(data[0]?.revision).not.toBe(data[1]?.revision);

  const model = await loadEmoSllm(folders[0] as string, {
    threads: 1,
    adapters: { two: adapter(1), three: adapter(2) },
  });
  const direct = await model.score([undefined, "two", "three"].map((name) => ({ audio: humming(1.5), adapter: name })));
  await model.dispose();
  const expected = direct.map((answer) => answer.probabilities);
  const near = (got: Record<string, number>, want: Readonly<Record<string, number>> | undefined): void => {
    // The file holds 16-bit samples, the direct call floats.
    for (const [label, p] of Object.entries(want ?? {})) expect(got[label]).toBeCloseTo(p, 3);
  };
  // Together, so that they wait for one process side by side.
  const [own, calm] = await Promise.all([ask("demo"), ask("calm")]);
  near(own, expected[0]);
  near(calm, expected[1]);
  const apart = Object.keys(own).map((label) => Math.abs((own[label] ?? 0) - (calm[label] ?? 0)));
  expect(Math.max(...apart)).toBeGreaterThan(0.01);

  await server.reload([{ id: "demo", folder: folders[0] as string, adapters: { calm: adapter(2) } }]);
  near(await ask("calm"), expected[2]);
  near(await ask("demo"), expected[0]);

  await rename(adapter(1), `${adapter(1)}-gone`);
  await expect(
    server.reload([{ id: "demo", folder: folders[0] as string, adapters: { calm: adapter(1) } }]),
  ).rejects.toMatchObject({ code: "reload_failed" });
  near(await ask("calm"), expected[2]);
});
