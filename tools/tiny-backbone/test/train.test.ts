import { fileURLToPath } from "node:url";
import { openCheckpoint } from "@emosllm/checkpoints";
import { loadTokenizer } from "@emosllm/prompts";
import { expect, test } from "vitest";
import { RECIPE } from "../src/index.ts";
import { backboneShapes, trainBackbone } from "../src/train.ts";
import { parseModelConfig } from "@emosllm/backbones";
import { CONFIG } from "../src/recipe.ts";

const folder = fileURLToPath(new URL("../model/", import.meta.url));

test("the recipe still runs: the loss falls from that of a guess", async () => {
  const losses: number[] = [];
  await trainBackbone(
    { ...RECIPE, maxSteps: 12, batchSize: 4, warmupSteps: 2 },
    await loadTokenizer(folder),
    ({ loss }) => losses.push(loss),
  );
  // ln 1536 = 7.3 is a guess among all tokens.
  expect(losses[0]).toBeGreaterThan(6.5);
  expect(losses.at(-1)).toBeLessThan((losses[0] as number) - 0.5);
});

test("the committed model has the recipe's tensors", async () => {
  const { tensors } = await openCheckpoint(folder);
  const wanted = backboneShapes(parseModelConfig(CONFIG));
  expect(Object.fromEntries([...tensors.values()].map((t) => [t.name, t.shape]))).toEqual(wanted);
});
