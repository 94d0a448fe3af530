/** @file `node tools/setup/run.mjs tools/tiny-backbone/src/main.ts [--max-steps N]`: trains by the recipe and writes `model/model.safetensors`. */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadTokenizer } from "@emosllm/prompts";
import { RECIPE } from "./recipe.ts";
import { trainBackbone, writeBackbone } from "./train.ts";

const { values } = parseArgs({ options: { "max-steps": { type: "string" }, out: { type: "string" } } });
const folder = fileURLToPath(new URL("../model/", import.meta.url));
const recipe = { ...RECIPE, maxSteps: Number(values["max-steps"] ?? RECIPE.maxSteps) };
const start = performance.now();
let mean = 0;
const tensors = await trainBackbone(recipe, await loadTokenizer(folder), ({ step, total, loss }) => {
  mean = step === 1 ? loss : 0.98 * mean + 0.02 * loss;
  if (step % 50 === 0 || step === 1)
    console.log(
      JSON.stringify({
        step,
        total,
        loss: Number(mean.toFixed(4)),
        seconds: Math.round((performance.now() - start) / 1000),
      }),
    );
});
await writeBackbone(values.out ?? `${folder}model.safetensors`, tensors);
