import { expect, test } from "vitest";
import { loadEmoSllm } from "@emosllm/model";
import { createServer } from "../src/index.ts";
import { emotionResultSchema } from "../src/schemas.ts";
import { hum, humming, randomBundle, removeBundle } from "./bundle.ts";

test("with int8 weights the answer is near that of the bundle's own, and not the same", async () => {
  const folder = await randomBundle(5);
  const model = await loadEmoSllm(folder, { threads: 1 });
  const server = await createServer({ bundles: [{ id: "one", folder }], processes: 1, threads: 1, precision: "int8" });
  try {
    const [exact] = await model.score([{ audio: humming(1.5) }]);
    const body = hum(1.5) as Uint8Array<ArrayBuffer>;
    const response = await server.fetch(new Request("http://localhost/v1/audio/emotions", { method: "POST", body }));
    const { emotions } = emotionResultSchema.parse(await response.json());
    const far = emotions.map(({ label, score }) => Math.abs(score - (exact?.probabilities[label] as number)));
    expect(far).toHaveLength(4);
    // Weights and activations are rounded to 8 bits: 1 % a layer, two layers and the head.
    expect(Math.max(...far)).toBeLessThan(0.05);
    expect(Math.max(...far)).toBeGreaterThan(1e-6);
  } finally {
    await server.close();
    await model.dispose();
    await removeBundle(folder);
  }
});
